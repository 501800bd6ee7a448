"""`server.PromptServer`: what plugins use of the host's HTTP server, in the worker's process.

Events go to the server process, which sends them to browsers. Routes are collected while plugins
load, and served by `plugin_routes`.
"""

from __future__ import annotations

import asyncio
import copy
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

import aiohttp
from aiohttp import web

from engine.compat.attribution import plugin_of_file
from engine.compat.serving.events import (
    BinaryEventTypes,
    encode_binary,
    encode_json,
    text_content,
)
from engine.compat.serving.link import ServerLink
from engine.compat.serving.loop_thread import LoopThread
from engine.compat.serving.prompt_queue import PromptQueue
from engine.compat.serving.users import UserManager
from engine.errors import error_text
from engine.settings import ROOT, Settings
from engine.wire.local_address import ON_PROMPT
from engine.wire.messages import Run
from engine.wire.pack_messages import CustomBytes, CustomEvent

Handler = Callable[[dict[str, Any]], dict[str, Any]]
"""Gets the body of `POST /prompt`, and returns it, changed or not."""


HANDLER_SECONDS = 4.0
"""For one handler of prompts: the server waits ten seconds for all together."""


class _NoInstance:
    """`PromptServer.instance` of a process in which nothing was installed: made when it is read."""

    def __get__(self, _: object, owner: type[PromptServer]) -> PromptServer:
        return install_prompt_server(Settings(), ServerLink())


class PromptServer:
    """The one server, `PromptServer.instance`.

    Attributes:
        instance: the server of this process.
        routes: a table of routes, as `@PromptServer.instance.routes.get("/mine")` fills it.
        app: an application of plugins alone: its middlewares, signals and routes are theirs.
        client_id: the browser that sent the running prompt; None where none did.
        last_node_id, last_prompt_id: what runs, or ran last.
        number: how many prompts have begun.
        on_prompt_handlers: called in order with each prompt's body before it is checked.
        sockets, sockets_metadata: the browser of the running prompt alone.
        messages: not read by anybody.
    """

    instance: ClassVar[Any] = _NoInstance()

    def __init__(self, settings: Settings, link: ServerLink) -> None:
        self.settings = settings
        self.routes = web.RouteTableDef()
        # A plugin's handler reads as large an upload as the server has let through.
        self.app = web.Application(client_max_size=0)
        self.app.router.add_post(ON_PROMPT, self._answer_on_prompt)
        self.threads = LoopThread()
        self.on_prompt_handlers: list[Handler] = []
        self._hanging: dict[Handler, threading.Thread] = {}
        self.supports = ["custom_nodes_from_web"]
        self.prompt_queue = PromptQueue(self, link)
        self.user_manager = UserManager(settings)
        self.web_root = str(ROOT / "web" / "dist")
        self.client_id: str | None = None
        self.last_node_id: str | None = None
        self.last_prompt_id: str | None = None
        self.number = 0
        self.sockets: dict[str, Any] = {}
        self.sockets_metadata: dict[str, Any] = {}
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.receive_all_progress_notifications = True
        self._link = link
        self._session: aiohttp.ClientSession | None = None
        self._host: tuple[str, int] | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of plugins' routes; not the thread that computes."""
        return self.threads.loop

    @property
    def address(self) -> str:
        """The address that the server listens on."""
        return self._server_host()[0]

    @property
    def port(self) -> int:
        """The port that the server listens on; 0 where there is none."""
        return self._server_host()[1]

    def _server_host(self) -> tuple[str, int]:
        if self._host is None:
            found = self._link.ask("address")
            if found is None:
                return ("127.0.0.1", 0)
            self._host = (str(found[0]), int(found[1]))
        return self._host

    @property
    def client_session(self) -> aiohttp.ClientSession:
        """A session for requests to elsewhere, in `loop`."""
        if self._session is None:

            async def make() -> aiohttp.ClientSession:
                return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))

            if self.threads.is_current:
                self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
            else:
                self._session = self.threads.run(make())
        return self._session

    # What the worker tells it.

    def run_began(self, job: Run) -> None:
        """A prompt begins."""
        self.client_id, self.last_prompt_id, self.last_node_id = job.client, job.prompt_id, None
        self.number += 1
        self.prompt_queue.set_running(job)
        client = job.client
        self.sockets = {} if client is None else {client: self}
        features = {"feature_flags": {"supports_preview_metadata": True}}
        self.sockets_metadata = {} if client is None else {client: features}

    def node_began(self, node_id: str) -> None:
        """A node of it is called."""
        self.last_node_id = node_id

    def run_ended(self) -> None:
        """It has ended."""
        self.prompt_queue.set_running(None)

    # Events to browsers.

    def send_sync(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """Send an event to a browser, or to all; from any thread.

        Args:
            event: its name, or a number of `BinaryEventTypes`.
            data: what JSON can hold; for a binary event see `encode_binary`.
            sid: the browser's id; None for all.
        """
        if isinstance(event, int):
            number, content = encode_binary(event, data)
            self._link.send(CustomBytes(number, content, sid))
        else:
            self._link.send(CustomEvent(str(event), encode_json(data), sid))

    async def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        """As `send_sync`, in a coroutine."""
        self.send_sync(event, data, sid)

    async def send_json(self, event: str, data: Any, sid: str | None = None) -> None:
        """As `send`."""
        self.send_sync(event, data, sid)

    async def send_bytes(self, event: int, data: Any, sid: str | None = None) -> None:
        """As `send`, for a binary event whose content is bytes."""
        self._link.send(CustomBytes(int(event), bytes(data), sid))

    async def send_image(self, image_data: Any, sid: str | None = None) -> None:
        """A preview: `[format, picture, longest side or None]`."""
        self.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, image_data, sid)

    async def send_image_with_metadata(
        self, image_data: Any, metadata: Any, sid: str | None = None
    ) -> None:
        """A preview of a node that the metadata names."""
        data = (image_data, metadata)
        self.send_sync(BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA, data, sid)

    def send_progress_text(
        self, text: str | bytes, node_id: str | bytes, sid: str | None = None
    ) -> None:
        """Show a text on a node, in the browser of the running prompt or the one given."""
        content = text_content(text, node_id)
        self._link.send(CustomBytes(BinaryEventTypes.TEXT, content, sid or self.client_id))

    # The queue.

    def get_queue_info(self) -> dict[str, Any]:
        """How many prompts are pending or run, as browsers read it."""
        return {"exec_info": {"queue_remaining": self.prompt_queue.get_tasks_remaining()}}

    def queue_updated(self) -> None:
        """Send all browsers the state of the queue."""
        self._link.ask("status")

    # Changing prompts.

    def add_on_prompt_handler(self, handler: Handler) -> None:
        """Have a function change each prompt's body before it is checked."""
        self.on_prompt_handlers.append(handler)

    def trigger_on_prompt(self, json_data: dict[str, Any]) -> dict[str, Any]:
        """Call the handlers in their order.

        What one that raises has changed is undone, and logged. One that does not return in time
        is logged, too, and left out until it has returned.
        """
        for handler in list(self.on_prompt_handlers):
            hanging = self._hanging.get(handler)
            if hanging is None or not hanging.is_alive():
                json_data = self._changed_by(handler, json_data)
        return json_data

    def _changed_by(self, handler: Handler, json_data: dict[str, Any]) -> dict[str, Any]:
        given, answers = copy.deepcopy(json_data), list[Any]()

        def call() -> None:
            if self.threads.is_running:  # elsewhere handlers run in the thread of the loop
                asyncio.set_event_loop(self.threads.loop)
            try:
                found: Any = handler(given)
            except BaseException as error:  # noqa: BLE001 - it may raise anything
                log_failure(f"on_prompt of {owner_of(handler)}", error)
                found = json_data
            answers.append(found if isinstance(found, dict) else given)

        thread = threading.Thread(target=call, name="on_prompt", daemon=True)
        thread.start()
        thread.join(HANDLER_SECONDS)
        if answers:
            return answers[0]
        self._hanging[handler] = thread
        sys.stderr.write(
            f"Calotype: on_prompt of {owner_of(handler)} has not returned within "
            f"{HANDLER_SECONDS:.0f} s: prompts go on without it\n"
        )
        return json_data

    async def _answer_on_prompt(self, request: web.Request) -> web.Response:
        # In another thread, so that the routes of all plugins answer meanwhile.
        changed = await asyncio.to_thread(self.trigger_on_prompt, await request.json())
        return web.Response(body=encode_json(changed), content_type="application/json")

    # The life of the host's server: plugins wrap these, and nothing else happens in them.

    async def setup(self) -> None:
        """Before the routes are served."""

    def add_routes(self) -> None:
        """Before the routes are served: the plugins' own are added to `app`."""
        for each in self.routes:
            try:
                each.register(self.app.router)
            except (ValueError, RuntimeError) as error:
                path = getattr(each, "path", getattr(each, "prefix", "?"))
                owner = owner_of(getattr(each, "handler", None))
                sys.stderr.write(f"Calotype: {owner}: the route {path} is not served: {error}\n")

    async def start(
        self,
        address: str,
        port: int,
        verbose: bool = True,  # noqa: ARG002 - plugins wrap it with this signature
        call_on_start: Callable[..., Any] | None = None,
    ) -> None:
        """When the routes are served."""
        if call_on_start is not None:
            call_on_start(scheme="http", address=address, port=port)

    async def publish_loop(self) -> None:
        """Events need no loop here."""


def install_prompt_server(settings: Settings, link: ServerLink) -> PromptServer:
    """Make the server of this process, before the first plugin is imported."""
    server = PromptServer(settings, link)
    PromptServer.instance = server
    return server


def owner_of(function: object) -> str:
    """The name of the plugin that a function belongs to, for a line of the log."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    found = plugin_of_file(code.co_filename) if code is not None else None
    if found is None:
        module = sys.modules.get(str(getattr(function, "__module__", "")))
        found = plugin_of_file(str(getattr(module, "__file__", "") or ""))
    return found or "a plugin"


def log_failure(what: str, error: BaseException) -> None:
    """Write an exception of a plugin to the log, with where it was raised."""
    sys.stderr.write(
        f"Calotype: {what} raised {type(error).__name__}: {error_text(error)}\n"
        + "".join(traceback.format_exception(error))
    )
