"""Runs the server until a signal ends it: prints its address, opens a browser."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType

from aiohttp import web

from engine.errors import CalotypeError, SettingsError
from engine.server.app import build_app, build_classic_app
from engine.server.classic import NOT_INSTALLED, TURNED_OFF, Classic, find_frontend
from engine.server.folder_lock import FolderInUseError, FolderLock
from engine.server.guard import is_loopback
from engine.server.terminal import Terminal
from engine.server.tokens import Tokens, read_token
from engine.serving import ANY_ORIGIN, EVERYWHERE, LOOPBACK, Serving
from engine.settings import Settings

FAILED, BAD_COMMAND, IN_USE = 1, 2, 3
_END_SECONDS = 2.0
_LAST_WORDS_SECONDS = 1.0


def serve(settings: Settings, serving: Serving) -> int:
    """Serve until a signal comes; returns the exit code."""
    try:
        lock = FolderLock(settings.user_directory)
    except FolderInUseError as error:
        sys.stderr.write(f"{error}\n")
        return IN_USE
    terminal = Terminal(2)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(settings, serving, lock, terminal))
    except CalotypeError as error:
        terminal.write(f"{error}\n")
        return FAILED
    finally:
        lock.release()
        terminal.flush(_LAST_WORDS_SECONDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop where it exists, since it needs less time per request."""
    try:
        import uvloop  # noqa: PLC0415 - there is none for Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(settings: Settings, serving: Serving, lock: FolderLock, terminal: Terminal) -> int:
    tokens = None
    if serving.require_token or not all(map(is_loopback, serving.addresses)):
        tokens = Tokens(read_token(settings.user_directory / "token"))
    certificate = _certificate(serving)
    sockets = _listen(serving)
    port = _port(sockets)
    classic, classic_sockets = _classic(serving, port, tokens)
    ended = _signals()
    app = build_app(
        settings,
        tokens=tokens,
        serving=serving,
        classic=classic,
        lock=lock.descriptor,
        show=terminal.write,
        port=port,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_END_SECONDS)
    second: web.AppRunner | None = None
    try:
        await _start(runner, sockets, certificate)
        if classic.frontend is not None and classic_sockets:
            view = build_classic_app(app, classic.frontend, tokens, serving)
            second = web.AppRunner(view, access_log=None, shutdown_timeout=_END_SECONDS)
            await _start(second, classic_sockets, certificate)
        lock.describe(f"port {port}")
        url = _announce(serving, port, tokens, terminal)
        if serving.browser and not serving.quit_when_ready:
            threading.Thread(target=_open_browser, args=(url,), daemon=True).start()
        gc.freeze()
        if not serving.quit_when_ready:
            await ended.wait()
    finally:
        if second is not None:
            await second.cleanup()
        await runner.cleanup()
    return 0


async def _start(
    runner: web.AppRunner, sockets: Sequence[socket.socket], certificate: ssl.SSLContext | None
) -> None:
    await runner.setup()
    for each in sockets:
        await web.SockSite(runner, each, ssl_context=certificate).start()


def _classic(
    serving: Serving, port: int, tokens: Tokens | None
) -> tuple[Classic, list[socket.socket]]:
    """Where the classic view is, and its sockets; none if it is off or not installed.

    Without `--classic-port` it is the port after the main one, so that the browser finds the
    settings of that page again; any free one if that is taken.

    Raises:
        SettingsError: the port of `--classic-port` is taken.
    """
    if not serving.classic:
        return Classic(reason=TURNED_OFF), []
    frontend = find_frontend()
    if frontend is None:
        return Classic(reason=NOT_INSTALLED), []
    chosen = serving.classic_port
    try:
        wanted = min(port + 1, 65535) if chosen is None else chosen
        sockets = _listen(replace(serving, port=wanted), "--classic-port")
    except SettingsError:
        if chosen is not None:
            raise
        sockets = _listen(replace(serving, port=0), "--classic-port")
    secure = serving.certificate is not None
    return Classic(frontend, _port(sockets), secure, tokens), sockets


def _port(sockets: Sequence[socket.socket]) -> int:
    number: int = sockets[0].getsockname()[1]
    return number


def _certificate(serving: Serving) -> ssl.SSLContext | None:
    """What HTTPS needs; None for HTTP.

    Raises:
        SettingsError: the files cannot be used.
    """
    if serving.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(serving.certificate, serving.key)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"--tls-certfile {serving.certificate}, --tls-keyfile {serving.key}: "
            f"cannot be used for HTTPS: {error}"
        ) from error
    return context


def _listen(serving: Serving, flag: str = "--port") -> list[socket.socket]:
    """A socket for each address; on this machine alone, one for each of its two names.

    Raises:
        SettingsError: the port is taken, or there is no such address.
    """
    opened: list[socket.socket] = []
    port = serving.port
    for address in serving.addresses:
        try:
            opened.append(_bind(address, port))
        except OSError as error:
            if opened and serving.addresses == EVERYWHERE:
                continue  # no IPv6 here
            for each in opened:
                each.close()
            raise SettingsError(
                f"port {port} of {address} cannot be used: {error.strerror}; "
                f"another program may have it. Choose another with {flag}"
            ) from error
        port = opened[0].getsockname()[1]
    if serving.addresses == (LOOPBACK,):
        try:
            opened.append(_bind("::1", port))
        except OSError:
            return opened  # no IPv6 here, or the port is taken there
    return opened


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


def _announce(serving: Serving, port: int, tokens: Tokens | None, terminal: Terminal) -> str:
    """Print the address in one line; returns what a browser is to open."""
    address = serving.addresses[0]
    host = f"[{address}]" if ":" in address else address
    name = socket.gethostname() if address in EVERYWHERE else host
    scheme = "http" if serving.certificate is None else "https"
    url = f"{scheme}://{name}:{port}{serving.base_path}/"
    if tokens is not None:
        url += f"?token={tokens.new_one_time_token()}"
    if not serving.quiet:
        for sentence in _warnings(serving, tokens):
            terminal.write(f"{sentence}\n")
    out = Terminal(1)
    out.write(f"Calotype: {url}\n")
    out.flush(_LAST_WORDS_SECONDS)
    return url


def _warnings(serving: Serving, tokens: Tokens | None) -> list[str]:
    """Warnings about the kinds of access that were opened."""
    found: list[str] = []
    if not all(map(is_loopback, serving.addresses)):
        plain = "" if serving.certificate else ", unencrypted: use it in networks you trust"
        found.append(
            f"Listening beyond this machine{plain}. The address lets one browser in, once."
        )
    if ANY_ORIGIN in serving.allowed_origins:
        found.append(
            "--enable-cors-header *: every web page that this machine's browsers open may use "
            "this server. Name the origins of your pages instead."
        )
    if serving.allowed_hosts and tokens is None:
        found.append(
            f"Reached as {', '.join(serving.allowed_hosts)}, too: whoever asks by that name is "
            "let in without a token. --require-token asks for one."
        )
    return found


def _open_browser(url: str) -> None:
    import webbrowser  # noqa: PLC0415 - slow, and not always wanted

    webbrowser.open(url)


def _signals() -> asyncio.Event:
    """Set by a signal to end. A second signal ends the process immediately."""
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
