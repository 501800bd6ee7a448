"""Runs the server until it is told to end: one line for its address, then a browser.

Knows the command line's choices, sockets and signals; the application knows the rest.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from types import FrameType

from aiohttp import web

from engine.errors import CalotypeError
from engine.server.app import build_app
from engine.server.folder_lock import FolderInUseError, FolderLock
from engine.server.guard import is_loopback
from engine.server.tokens import Tokens, read_token
from engine.settings import Settings

FAILED, BAD_COMMAND, IN_USE = 1, 2, 3
DEFAULT_PORT = 8188
_END_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Choice:
    """Where to listen, and whether to open a browser.

    Attributes:
        address: to listen on; None for this machine alone.
        port: 0 for any that is free.
    """

    address: str | None = None
    port: int = DEFAULT_PORT
    browser: bool = True


def serve(settings: Settings, choice: Choice) -> int:
    """Serve until a signal comes; returns the exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    try:
        lock = FolderLock(settings.user_directory)
    except FolderInUseError as error:
        sys.stderr.write(f"{error}\n")
        return IN_USE
    try:
        return asyncio.run(_serve(settings, choice, lock))
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    finally:
        lock.release()


async def _serve(settings: Settings, choice: Choice, lock: FolderLock) -> int:
    address = choice.address or "127.0.0.1"
    tokens = None
    if not is_loopback(address):
        tokens = Tokens(read_token(settings.user_directory / "token"))
    try:
        sockets = _listen(address, choice.port)
    except OSError as error:
        sys.stderr.write(
            f"port {choice.port} of {address} cannot be used: {error.strerror}; "
            "another program may have it. Choose another with --port\n"
        )
        return FAILED
    ended = _signals()
    app = build_app(settings, tokens=tokens, lock=lock.descriptor)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_END_SECONDS)
    try:
        await runner.setup()
        for each in sockets:
            await web.SockSite(runner, each).start()
        port = sockets[0].getsockname()[1]
        lock.tell(f"port {port}")
        url = _announce(address, port, tokens)
        if choice.browser:
            threading.Thread(target=_open_browser, args=(url,), daemon=True).start()
        gc.freeze()
        await ended.wait()
    finally:
        await runner.cleanup()
    return 0


def _listen(address: str, port: int) -> list[socket.socket]:
    """A socket for the address; on this machine alone, one for each of its two names.

    Raises:
        OSError: the port is taken, or there is no such address.
    """
    first = _bind(address, port)
    if address != "127.0.0.1":
        return [first]
    try:
        return [first, _bind("::1", first.getsockname()[1])]
    except OSError:
        return [first]  # no IPv6 here, or the port is taken there


def _bind(address: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, where = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(where)
        opened.listen(1024)
    except OSError:
        opened.close()
        raise
    return opened


def _announce(address: str, port: int, tokens: Tokens | None) -> str:
    """Print the address in one line; returns what a browser is to open."""
    host = f"[{address}]" if ":" in address else address
    url = f"http://{host}:{port}/"
    if tokens is not None:
        name = socket.gethostname() if address in {"0.0.0.0", "::"} else host  # noqa: S104 - compared
        url = f"http://{name}:{port}/?token={tokens.new_once()}"
        sys.stderr.write(
            "Listening beyond this machine, unencrypted: use it in networks you trust. "
            "The address lets one browser in, once.\n"
        )
    sys.stdout.write(f"Calotype: {url}\n")
    sys.stdout.flush()
    return url


def _open_browser(url: str) -> None:
    import webbrowser  # noqa: PLC0415 - slow, and not always wanted

    webbrowser.open(url)


def _signals() -> asyncio.Event:
    """Set when the process is asked to end. A second time, it ends at once."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if ended.is_set():
            os._exit(130)
        ended.set()

    def ask(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(end)

    for each in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(each, end)
        except NotImplementedError:  # Windows
            signal.signal(each, ask)
    return ended
