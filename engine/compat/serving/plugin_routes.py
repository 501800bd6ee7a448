"""Serves plugins' routes to the server process: in a thread of its own, on a local socket.

Started only where a plugin has added something. The server passes requests on to it, see
`engine.server.pack_proxy`; anybody else on the machine lacks the secret.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.web import json_response  # bound now: packs may replace the library's

from engine.compat.serving.prompt_server import PromptServer, log_failure, owner_of
from engine.errors import error_text
from engine.settings import Settings
from engine.wire.local_address import SECRET_HEADER, LocalAddress

Routes = tuple[tuple[str, str], ...]
"""Method and path of each; `*` is any method, and a path that ends in `*` all below it."""
_LONGEST_SOCKET = 100
"""Bytes of a path that every system takes for a socket."""
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Routed:
    """What is served, and where.

    Attributes:
        address: of the local server, as text; empty where there is none.
        paths: the routes.
        handles_prompts: whether plugins change prompts.
    """

    address: str = ""
    paths: Routes = ()
    handles_prompts: bool = False


def serve_routes(server: PromptServer) -> Routed:
    """Serve what plugins have added, if they have; a failure is logged and costs the routes only.

    Args:
        server: after the plugins have loaded.
    """
    app = server.app
    server.add_routes()
    paths = tuple(_described(app.router))
    handles = bool(server.on_prompt_handlers)
    if not paths and not handles and len(app.on_startup) <= 1:  # aiohttp has one of its own
        return Routed()
    secret = secrets.token_hex(32)
    try:
        address = server.threads.run(_serve(server, secret), _START_SECONDS)
    except Exception as error:  # noqa: BLE001 - a plugin's application may raise anything
        log_failure("serving the routes of plugins", error)
        return Routed()
    return Routed(address.to_text(), paths, handles)


async def _serve(server: PromptServer, secret: str) -> LocalAddress:
    app = server.app
    app.middlewares.insert(0, _gate(secret))  # last of all: nothing comes before it
    for signal in (app.on_startup, app.on_shutdown, app.on_cleanup):
        for index, function in enumerate(signal):
            signal[index] = _guarded(function)
    with suppress(Exception):
        await server.setup()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    if hasattr(socket, "AF_UNIX") and os.name == "posix":
        path = _socket_path(server.settings)
        await web.UnixSite(runner, path).start()
        os.chmod(path, 0o600)  # noqa: PTH101 - at once
        address = LocalAddress(secret, path=path)
    else:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = LocalAddress(secret, port=runner.addresses[0][1])
    try:
        await server.start("127.0.0.1", address.port)
    except Exception as error:  # noqa: BLE001 - a plugin may have wrapped it
        log_failure("a plugin's start", error)
    return address


def _socket_path(settings: Settings) -> str:
    """In the user's folder, which is nobody else's; where that is too deep, in a folder alike."""
    name = f"routes-{os.getpid()}.sock"
    folder = settings.cache_directory
    if len(os.fsencode(folder / name)) > _LONGEST_SOCKET:
        folder = Path(tempfile.mkdtemp(prefix="calotype-"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.unlink(missing_ok=True)
    return str(path)


def _gate(secret: str) -> Any:
    """Only for the server, and every exception answered."""

    @web.middleware
    async def gate(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(SECRET_HEADER, ""), secret):
            return json_response({"error": "only Calotype's server may ask here"}, status=403)
        try:
            return await handler(request)
        except (web.HTTPException, asyncio.CancelledError, ConnectionError):
            raise
        except web.RequestPayloadError:  # the body was cut off: not the plugin's fault
            return json_response({"error": "the body is incomplete"}, status=400)
        # An exit would end the loop's thread, and every pack's routes with it.
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            owner = owner_of(getattr(request.match_info, "handler", None))
            log_failure(f"{owner}: {request.method} {request.path}", error)
            message = f"the route of {owner} raised {type(error).__name__}: {error_text(error)}"
            return json_response({"error": message}, status=500)

    return gate


def _guarded(function: Callable[[web.Application], Any]) -> Callable[[web.Application], Any]:
    """A signal's receiver that costs nothing where it raises."""

    async def receive(app: web.Application) -> None:
        try:
            await function(app)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
            log_failure(f"{owner_of(function)}: {getattr(function, '__name__', 'a signal')}", error)

    return receive


def _described(router: web.UrlDispatcher) -> Iterator[tuple[str, str]]:
    """Method and path of each route, but for our own."""
    for resource in list(router.resources())[1:]:
        info = resource.get_info()
        if "path" in info:
            path = info["path"]
        elif "formatter" in info:
            path = info["formatter"].partition("{")[0] + "*"
        elif "prefix" in info:
            path = info["prefix"] + "/*"
        else:
            path = "/*"
        methods = {route.method for route in resource} if "app" not in info else {"*"}
        for method in sorted(methods):
            yield method, path
