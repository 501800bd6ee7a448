"""What packs have added to the server: nodes, folders of files, routes, events, changes of prompts.

The last start's are there at once; the present worker's replace them when its packs have loaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from engine.errors import CalotypeError
from engine.files import Files
from engine.folder_kinds import ALIASES, MODEL_FOLDERS
from engine.packs.found import Pack, wanted_packs
from engine.packs.preferences import read_preferences
from engine.server.answers import refusal
from engine.server.catalog import NodeCatalog
from engine.server.hub import Hub, Outgoing
from engine.server.listing import Listing
from engine.server.logs import LogBook
from engine.server.pack_files import web_folders
from engine.server.pack_proxy import PackProxy
from engine.server.pack_table import PackTable
from engine.server.pack_watch import PackWatch
from engine.settings import Settings
from engine.wire.local_address import read_local_address
from engine.wire.pack_messages import (
    ISOLATED,
    AskServer,
    CustomBytes,
    CustomEvent,
    FolderChange,
    FoldersChanged,
    PackMessage,
    PackRoutes,
    PacksReady,
    ReloadCatalog,
    ServerAnswer,
)

PROMPT_SECONDS = 10.0
"""How long packs may take to change a prompt."""
LOADING_SECONDS = 60.0
"""How long a prompt waits for packs that change prompts and are still loading."""
RELOAD_SECONDS = 1.0
"""Between two requests to describe the packs' nodes again; and how long a refresh waits for it."""
TOGETHER_SECONDS = 0.3
"""Browsers hear of changes within so long, of all of them at once."""
_RELOAD_SHARE = 10
"""A description that took long is asked for no more often than every so many times that long."""
_PREVIEW, _PREVIEW_WITH_METADATA = 1, 4
_JPEG, _PNG = 1, 2
CHANGED = Outgoing('{"type":"pack_changed","data":{}}')
"""To all browsers: ask for the list of packs, or the nodes, again."""
_LOADING = "the packs are loading; try again in a moment"
_GONE = "the process of this isolated pack has ended; it is started again, try again in a moment"

Answer = Callable[[AskServer], Coroutine[None, None, ServerAnswer]]


@dataclass(frozen=True, slots=True)
class _Apart:
    """The routes of an isolated pack, and the connection to its process while there is one."""

    table: PackTable
    proxy: PackProxy | None
    pid: int


class ServedPacks:
    """What packs have added. Used in one event loop.

    Attributes:
        folders: what packs have changed in the folders of files.
        answer: answers questions of plugins; set once the services are complete.
        send: sends a message to the worker, if there is one.
    """

    def __init__(
        self,
        settings: Settings,
        watch: PackWatch,
        catalog: NodeCatalog,
        files: Files,
        listing: Listing,
        hub: Hub,
        logs: LogBook,
        most_upload: int,
        has_tokens: bool,
    ) -> None:
        """Apply what the last start told."""
        self.folders: Mapping[str, FolderChange] = {}
        self.answer: Answer | None = None
        self.send: Callable[[msgspec.Struct], None] = lambda _: None
        self.is_idle: Callable[[], bool] = lambda: False
        self._settings = settings
        self._watch = watch
        self._catalog = catalog
        self._files = files
        self._listing = listing
        self._hub = hub
        self._logs = logs
        self._most_upload = most_upload
        self._has_tokens = has_tokens
        self._proxy: PackProxy | None = None
        self._routes = ""
        self._apart: dict[str, _Apart] = {}
        self._telling: asyncio.TimerHandle | None = None
        self._shown: object = None
        self._shown_schemas: object = None
        self._table = PackTable(watch.told.route_paths)
        self._handles_prompts = watch.told.handles_prompts
        self._asked_at = 0.0
        self._next_reload = 0.0
        self._described = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._apply_catalog(watch.told.catalog)
        self._apply_folders(watch.told.folders)
        watch.on_message = self.receive
        watch.on_change = self._changed

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of files that only packs have."""
        return tuple(
            kind for kind in self.folders if kind not in MODEL_FOLDERS and kind not in ALIASES
        )

    def receive(self, message: PackMessage) -> None:
        """A message of the worker."""
        match message:
            case PacksReady():
                self._begin(message)
            case PackRoutes():
                self._connect_apart(message)
            case FoldersChanged(folders=folders):
                self._apply_folders(folders)
            case CustomEvent():
                name = msgspec.json.encode(message.event).decode()
                data = message.data.decode("utf-8", "replace")
                self._hub.send(message.client, [Outgoing(f'{{"type":{name},"data":{data}}}')])
            case CustomBytes():
                self._hub.send(message.client, [binary_frame(message.event, message.data)])
            case AskServer():
                self._spawn(self._answer(message))
            case _:
                pass

    def packs(self) -> list[Pack]:
        """The packs on disk that are in use; reads folders."""
        disabled = read_preferences(self._settings).disabled
        return [each for each in wanted_packs(self._settings) if each.name not in disabled]

    def web_folders(self) -> dict[str, Path]:
        """The folders of their browser files, by their name in URLs; reads folders."""
        told = {each.name: each for each in self._watch.told.reports}
        return web_folders({**told, **self._watch.reports}.values(), self.packs())

    def path_for(self, method: str, path: str) -> str | None:
        """The path under which a pack serves a request; None where none does."""
        found = self._table.path_for(method, path)
        if found is None:
            tables = (each.table for each in self._apart.values())
            found = next(filter(None, (each.path_for(method, path) for each in tables)), None)
        return found

    def memory_of(self, name: str) -> int:
        """Bytes that the process of an isolated pack takes now; 0 where there is none."""
        import psutil  # noqa: PLC0415 - slow to import, and needed only here

        found = self._apart.get(name)
        try:
            return psutil.Process(found.pid).memory_info().rss if found and found.pid else 0
        except psutil.Error:
            return 0  # it has ended

    def proxy(self, method: str, path: str) -> PackProxy:
        """The connection to the process that serves a path which `path_for` has returned.

        Raises:
            RefusalError: 503, the packs are still loading, or an isolated one is started again.
        """
        if self._table.path_for(method, path) is None:
            for each in self._apart.values():
                if each.table.path_for(method, path) is not None:
                    if each.proxy is None:
                        raise refusal(503, _GONE)
                    return each.proxy
        if self._proxy is None or not self._watch.ready.is_set():
            raise refusal(503, _LOADING)
        return self._proxy

    async def change_prompt(self, body: bytes) -> bytes:
        """The body of a prompt as packs change it; unchanged where they fail, which is logged."""
        if not self._handles_prompts:
            return body
        try:
            if not self._watch.ready.is_set():
                async with asyncio.timeout(LOADING_SECONDS):
                    await self._watch.ready.wait()
            if not self._handles_prompts or self._proxy is None:
                return body
            return await self._proxy.change_prompt(body, PROMPT_SECONDS)
        except TimeoutError:
            reason = f"they took longer than {PROMPT_SECONDS:.0f} s"
        except (aiohttp.ClientError, ValueError) as error:
            reason = str(error)
        self._logs.write(f"Calotype: packs did not change a prompt: {reason}\n")
        return body

    async def refresh(self, *, wait: bool) -> None:
        """Have the worker describe its nodes again, at most once a second.

        Args:
            wait: for the answer, if the worker is idle, for at most a second.
        """
        now = time.monotonic()
        if not self._watch.ready.is_set() or not self._watch.told.reports:
            return
        if now >= self._next_reload:
            self._asked_at, self._next_reload = now, now + RELOAD_SECONDS
            self._described.clear()
            self.send(ReloadCatalog())
        if wait and self.is_idle() and not self._described.is_set():
            try:
                async with asyncio.timeout(RELOAD_SECONDS):
                    await self._described.wait()
            except TimeoutError:
                return

    async def stop(self) -> None:
        """End what is under way."""
        if self._telling is not None:
            self._telling.cancel()
        for task in self._tasks:
            task.cancel()
        for proxy in (self._proxy, *(each.proxy for each in self._apart.values())):
            if proxy is not None:
                await proxy.close()

    def _connect_apart(self, told: PackRoutes) -> None:
        """Use the routes of an isolated pack's present process; its table stays where it ended."""
        before = self._apart.get(told.name)
        if before is not None and before.proxy is not None:
            self._spawn(before.proxy.close())
        table = PackTable(told.paths) if told.address or before is None else before.table
        self._apart[told.name] = _Apart(table, self._connected(told.address), told.pid)

    def _begin(self, ready: PacksReady) -> None:
        """The packs of a worker have loaded, or have been described again."""
        if ready.routes != self._routes:
            self._connect(ready.routes)
        reports = self._watch.reports
        for name in [*self._apart]:
            if name not in reports or reports[name].state != ISOLATED:
                self._connect_apart(PackRoutes(name))
                del self._apart[name]
        self._table = PackTable(ready.route_paths)
        self._handles_prompts = ready.handles_prompts
        self._apply_folders(ready.folders)
        self._apply_catalog(ready.catalog)
        if self._asked_at and not self._described.is_set():
            took = time.monotonic() - self._asked_at
            self._next_reload = self._asked_at + max(RELOAD_SECONDS, _RELOAD_SHARE * took)
        self._described.set()

    def _connect(self, routes: str) -> None:
        """Use the local server of another worker."""
        before, self._proxy, self._routes = self._proxy, None, routes
        if before is not None:
            self._spawn(before.close())
        self._proxy = self._connected(routes)

    def _connected(self, routes: str) -> PackProxy | None:
        if not routes:
            return None
        try:
            address = read_local_address(routes)
        except CalotypeError as error:
            self._logs.write(f"Calotype: the routes of packs are not served: {error}\n")
            return None
        return PackProxy(address, most_upload=self._most_upload, has_tokens=self._has_tokens)

    def _apply_catalog(self, content: bytes) -> None:
        try:
            self._catalog.set_plugins(content)
        except CalotypeError as error:
            self._logs.write(f"Calotype: {error}\n")

    def _apply_folders(self, folders: Mapping[str, FolderChange]) -> None:
        if folders == self.folders:
            return
        self.folders = folders
        changed = {kind: (each.paths, each.extensions) for kind, each in folders.items()}
        self._files.change_folders(changed)
        self._listing.forget()

    def _changed(self) -> None:
        """Tell browsers soon, once for many packs that load one after the other."""
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(TOGETHER_SECONDS, self._tell)

    def _tell(self) -> None:
        """Tell browsers if what they show has changed: a catalog described again may be equal."""
        self._telling = None
        reports = [(each.name, each.state, each.error) for each in self._watch.reports.values()]
        shown, schemas = (reports, self._watch.ready.is_set()), self._catalog.schemas
        if shown != self._shown or schemas is not self._shown_schemas:
            self._shown, self._shown_schemas = shown, schemas
            self._hub.send(None, [CHANGED])

    async def _answer(self, asked: AskServer) -> None:
        if self.answer is not None:
            self.send(await self.answer(asked))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def binary_frame(event: int, data: bytes) -> Outgoing:
    """A binary event; a preview with metadata becomes a plain one where a browser has it so."""
    content = event.to_bytes(4) + data
    if event != _PREVIEW_WITH_METADATA or len(data) < 4:
        return Outgoing(content)
    end = 4 + int.from_bytes(data[:4])
    kind = _PNG if b"image/png" in data[4:end] else _JPEG
    plain = _PREVIEW.to_bytes(4) + kind.to_bytes(4) + data[end:]
    return Outgoing(plain, content)
