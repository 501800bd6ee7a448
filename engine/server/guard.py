"""Who may ask: the machine's own programs and our own page; beyond loopback, whoever has the token.

A page of another origin is told apart by Host, Origin and Sec-Fetch-Site (threats: a web page that
asks 127.0.0.1, a name rebound to it, a form post, an image tag). Knows headers, no routes but `/`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aiohttp import web

from engine.server.tokens import Tokens

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
COOKIE = "calotype_session"
PAGE_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:; "
            "style-src 'self' 'unsafe-inline'; font-src 'self' data:; worker-src 'self' blob:; "
            "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    }
)
"""On every answer, errors included."""
FILE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of users' files: opened on their own, they can do nothing."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The part of a request that decides whether it is let in.

    Attributes:
        hosts: every Host header, as sent.
        local_port: the port it came in on.
    """

    method: str
    path: str
    hosts: tuple[str, ...]
    local_port: int
    origins: tuple[str, ...] = ()
    fetch_site: str | None = None
    fetch_mode: str | None = None
    fetch_destination: str | None = None


def judge(asked: Asked, *, names: Collection[str] | None = LOOPBACK_NAMES) -> Refusal | None:
    """Whether a request comes from our own page or from a program, or why not.

    Args:
        asked: the request.
        names: what this server is called; None where any name will do, because of a token.
    """
    if len(asked.hosts) != 1:
        return Refusal(400, "a request has exactly one Host header")
    host = asked.hosts[0].lower()
    if names is not None and host not in _with_port(names, asked.local_port):
        return Refusal(
            403, "this server is not called that; open it as http://127.0.0.1 with its port"
        )
    opening = (
        asked.method == "GET"
        and asked.path == "/"
        and asked.fetch_mode == "navigate"
        and asked.fetch_destination == "document"
    )
    if asked.fetch_site is not None and asked.fetch_site not in {"same-origin", "none"}:
        if opening:
            return None
        return Refusal(403, "requests from other web pages are refused")
    if asked.origins and asked.origins not in ((f"http://{host}",), (f"https://{host}",)):
        return Refusal(403, "requests from other origins are refused")
    return None


def is_loopback(address: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _with_port(names: Collection[str], port: int) -> set[str]:
    with_port = {f"{name}:{port}" for name in names}
    return with_port | set(names) if port == 80 else with_port


class Guard:
    """The first to see a request. `middleware` is given to the application."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        """Make a guard; with `tokens`, every request needs one, and any host name will do."""
        self._tokens = tokens
        self._names = None if tokens is not None else LOOPBACK_NAMES

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or answer why not."""
        refusal = judge(_asked(request), names=self._names)
        if refusal is None and self._tokens is not None:
            entered = self._enter(request, self._tokens)
            if isinstance(entered, web.Response):
                return entered
            refusal = entered
        if refusal is not None:
            return web.json_response({"error": refusal.message}, status=refusal.status)
        return await handler(request)

    def _enter(self, request: web.Request, tokens: Tokens) -> web.Response | Refusal | None:
        """Whether somebody brings a token or a session; a one-time token becomes a session."""
        address = request.remote or ""
        if tokens.is_session(request.cookies.get(COOKIE, "")):
            return None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        once = request.query.get("token", "") if request.path == "/" else ""
        if not given and not once:
            return Refusal(401, "this server asks for a token; see the address it printed")
        if tokens.is_blocked(address):
            return Refusal(429, "too many wrong tokens; wait a minute")
        if scheme.lower() == "bearer" and tokens.is_token(given):
            return None
        if once and tokens.spend(once):
            answer = web.Response(status=303, headers={"Location": "/"})
            answer.set_cookie(
                COOKIE,
                tokens.new_session(),
                httponly=True,
                samesite="Strict",
                secure=request.secure,
                max_age=30 * 24 * 3600,
                path="/",
            )
            return answer
        tokens.count_failure(address)
        return Refusal(401, "that token is not valid; start the server again for a new address")


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Put the page headers on an answer, where it has not chosen others."""
    for name, value in PAGE_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop("Server", None)


def _asked(request: web.Request) -> Asked:
    transport = request.transport
    address: Any = transport.get_extra_info("sockname") if transport is not None else None
    headers = request.headers
    return Asked(
        method=request.method,
        path=request.path,
        hosts=tuple(headers.getall("Host", ())),
        local_port=address[1] if address else 0,
        origins=tuple(headers.getall("Origin", ())),
        fetch_site=headers.get("Sec-Fetch-Site"),
        fetch_mode=headers.get("Sec-Fetch-Mode"),
        fetch_destination=headers.get("Sec-Fetch-Dest"),
    )
