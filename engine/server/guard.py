"""Access control: programs on this machine and our own page; beyond loopback, holders of the token.

A page of another origin is detected by Host, Origin, Referer and Sec-Fetch-Site (threats: a web
page that requests 127.0.0.1, a name rebound to it, a form post, an image tag). Command-line flags
grant more access: see `Rules`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from engine.server.answers import Handler
from engine.server.tokens import Tokens
from engine.serving import ANY_ORIGIN, Serving

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
_RESULTS = ("/view", "/api/view")
_READING = ("GET", "HEAD")
_MEDIA = ("image", "video", "audio")
_ASK_BEARER = 'Bearer realm="Calotype"'
_ASK_PASSWORD = 'Basic realm="Calotype: any name, and the token", charset="UTF-8"'  # noqa: S105


@dataclass(frozen=True, slots=True)
class Rules:
    """Which hosts and origins have access, from the command-line flags.

    Attributes:
        names: the names of this server, with the port it listens on; None where any name is
            accepted, because of a token.
        hosts: further names, of a proxy or a container; one without a port covers all ports.
        origins: other origins whose pages have access; `*` is any.
        links: whether a link on any page may open a result.
    """

    names: Collection[str] | None = LOOPBACK_NAMES
    hosts: Collection[str] = ()
    origins: Collection[str] = ()
    links: bool = False

    def allows_host(self, host: str) -> bool:
        """Whether `--allowed-host` names it."""
        return host in self.hosts or _without_port(host) in self.hosts

    def allows_origin(self, origin: str) -> bool:
        """Whether `--enable-cors-header` names it."""
        return origin in self.origins or ANY_ORIGIN in self.origins


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The part of a request that decides whether it is accepted.

    Attributes:
        path: below the base path.
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
    referer: str | None = None

    @property
    def is_navigation(self) -> bool:
        """Whether a window navigates to it: a link that was clicked, or a typed address."""
        return (
            self.method in _READING
            and self.fetch_mode == "navigate"
            and self.fetch_destination == "document"
        )

    @property
    def page_origin(self) -> str | None:
        """The origin of the requesting page, as far as the request gives it."""
        if self.origins:
            return self.origins[0] if len(self.origins) == 1 else None
        return _origin_of(self.referer)


def judge(asked: RequestFacts, rules: Rules | None = None) -> Refusal | None:
    """Whether a request comes from our own page, an allowed one or a program, or why not."""
    rules = rules or Rules()
    if len(asked.hosts) != 1:
        return Refusal(400, "a request has exactly one Host header")
    host = asked.hosts[0].lower()
    known = rules.names is None or host in _with_port(rules.names, asked.local_port)
    if not known and not rules.allows_host(host):
        return Refusal(
            403,
            "this server is not called that; open it as http://127.0.0.1 with its port, "
            "or start it with --allowed-host and that name",
        )
    if asked.fetch_site is not None and asked.fetch_site not in {"same-origin", "none"}:
        if _is_allowed(asked, rules) or (asked.is_navigation and asked.path == "/"):
            return None
        return Refusal(403, "requests from other web pages are refused")
    if asked.origins and not (_is_same_origin(asked, host, rules) or _is_allowed(asked, rules)):
        return Refusal(403, "requests from other origins are refused")
    return None


def _is_same_origin(asked: RequestFacts, host: str, rules: Rules) -> bool:
    """Whether our own page sent it: its origin is the requested host, or one of its names."""
    origin = asked.page_origin
    if origin is None or urlsplit(origin).scheme not in {"http", "https"}:
        return False
    # A proxy may use another host name than the browser did.
    return origin in {f"http://{host}", f"https://{host}"} or rules.allows_host(
        origin.partition("://")[2]
    )


def _is_allowed(asked: RequestFacts, rules: Rules) -> bool:
    """Whether a page of another origin may do this."""
    origin = asked.page_origin
    if asked.origins:
        return origin is not None and rules.allows_origin(origin)
    if rules.links and asked.is_navigation and asked.path in _RESULTS:
        return True
    # Without an Origin it is a link, or a picture in a page; nothing that reads the answer.
    shown = asked.fetch_mode == "no-cors" and asked.fetch_destination in _MEDIA
    if asked.method not in _READING or not (
        shown or (asked.is_navigation and asked.path in _RESULTS)
    ):
        return False
    return ANY_ORIGIN in rules.origins or (origin is not None and rules.allows_origin(origin))


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
    return with_port | set(names) if port in {80, 443} else with_port


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _origin_of(address: str | None) -> str | None:
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None


class Guard:
    """Checks each request first. `middleware` and `add_headers` are given to the application."""

    def __init__(
        self,
        tokens: Tokens | None = None,
        serving: Serving | None = None,
        headers: Mapping[str, str] = PAGE_HEADERS,
    ) -> None:
        """Make a guard. With `tokens` every request needs one, and beyond loopback any name may.

        `headers` are added to every response.
        """
        serving = serving or Serving()
        self._tokens = tokens
        self._headers = headers
        loopback = all(is_loopback(each) for each in serving.addresses)
        self._base = serving.base_path
        self._rules = Rules(
            LOOPBACK_NAMES if tokens is None or (serving.require_token and loopback) else None,
            serving.allowed_hosts,
            serving.allowed_origins,
            serving.allow_links,
        )

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass a request on, or respond with the reason why not."""
        asked = self._request_facts(request)
        refused = judge(asked, self._rules)
        if refused is not None:
            return web.json_response({"error": refused.message}, status=refused.status)
        preflight = "Access-Control-Request-Method" in request.headers
        if preflight and asked.method == "OPTIONS" and self._cors_origin(asked) is not None:
            return web.Response(status=204)  # a preflight request has no token
        if self._tokens is None:
            return await handler(request)
        entered = self._authenticate(request, asked.path, self._tokens)
        if isinstance(entered, web.Response):
            return entered
        answer = await handler(request)
        if entered == "basic" and asked.path == "/" and not answer.prepared:
            self._start_session(request, answer, self._tokens)
        return answer

    def _authenticate(self, request: web.Request, path: str, tokens: Tokens) -> web.Response | str:
        """The scheme of the accepted credential, or the response to send instead.

        The right token is accepted whatever wrong ones came from the same address.
        """
        # Before the session: a page must not be able to read a valid token from its own address.
        once = request.query.get("token", "") if path == "/" else ""
        if once and tokens.redeem(once):
            # Relative: a proxy may have put the studio below another path.
            response = web.Response(status=303, headers={"Location": "./"})
            self._start_session(request, response, tokens)
            return response
        if tokens.is_session(request.cookies.get(COOKIE, "")):
            return "session"
        scheme, given = _credentials(request.headers.get("Authorization", ""))
        if given and tokens.is_token(given):
            return scheme
        if not given and not once:
            return _unauthorized(
                request, "this server asks for a token; see the address it printed"
            )
        address = request.remote or ""
        if tokens.is_blocked(address):
            return web.json_response({"error": "too many wrong tokens; wait a minute"}, status=429)
        tokens.count_failure(address)
        return _unauthorized(
            request, "that token is not valid; start the server again for a new address"
        )

    def _start_session(
        self, request: web.Request, response: web.StreamResponse, tokens: Tokens
    ) -> None:
        """Start a browser session. Its cookie is valid below the requested path."""
        forwarded = request.headers.get("X-Forwarded-Proto", "").lower()
        response.headers.add(
            "Set-Cookie",
            f"{COOKIE}={tokens.new_session()}; HttpOnly; Max-Age={30 * 24 * 3600}"
            f"; SameSite={'Lax' if self._rules.links or self._rules.origins else 'Strict'}"
            + ("; Secure" if request.secure or forwarded == "https" else ""),
        )

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the page headers to a response that has not set its own."""
        origin = self._cors_origin(self._request_facts(request))
        if origin is not None:
            self._add_cors_headers(request, response, origin)
        for name, value in self._headers.items():
            response.headers.setdefault(name, value)
        response.headers.pop("Server", None)

    def _cors_origin(self, asked: RequestFacts) -> str | None:
        """The allowed origin that may read the response; `*` for any, None for no other."""
        if ANY_ORIGIN in self._rules.origins:
            return ANY_ORIGIN
        origin = asked.page_origin
        return origin if origin is not None and self._rules.allows_origin(origin) else None

    def _add_cors_headers(
        self, request: web.Request, response: web.StreamResponse, origin: str
    ) -> None:
        """Add CORS headers, so that a page of an allowed origin can read the response."""
        headers = response.headers
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        headers.add("Vary", "Origin")
        headers["Access-Control-Allow-Origin"] = origin
        if origin != ANY_ORIGIN:  # any page may send requests, but not with the user's session
            headers["Access-Control-Allow-Credentials"] = "true"
        headers["Access-Control-Expose-Headers"] = "ETag, Content-Disposition"
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
            headers["Access-Control-Allow-Headers"] = request.headers.get(
                "Access-Control-Request-Headers", "Content-Type, Authorization"
            )
            headers["Access-Control-Max-Age"] = "600"
            headers["Access-Control-Allow-Private-Network"] = "true"

    def _request_facts(self, request: web.Request) -> RequestFacts:
        transport = request.transport
        address: Any = transport.get_extra_info("sockname") if transport is not None else None
        headers = request.headers
        path = request.path
        if self._base and path.startswith(f"{self._base}/"):
            path = path[len(self._base) :]
        return RequestFacts(
            method=request.method,
            path=path,
            hosts=tuple(headers.getall("Host", ())),
            local_port=address[1] if address else 0,
            origins=tuple(headers.getall("Origin", ())),
            fetch_site=headers.get("Sec-Fetch-Site"),
            fetch_mode=headers.get("Sec-Fetch-Mode"),
            fetch_destination=headers.get("Sec-Fetch-Dest"),
            referer=headers.get("Referer"),
        )


def _credentials(header: str) -> tuple[str, str]:
    """The scheme and the token of an Authorization header; of Basic, the password is the token."""
    scheme, _, given = header.partition(" ")
    scheme, given = scheme.lower(), given.strip()
    if scheme == "bearer":
        return scheme, given
    if scheme != "basic":
        return scheme, ""
    try:
        decoded = base64.b64decode(given, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return scheme, ""
    return scheme, decoded.partition(":")[2]


def _unauthorized(request: web.Request, message: str) -> web.Response:
    # No password prompt for a page's own requests: a dialog would open over the page.
    opened = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    challenge = _ASK_PASSWORD if opened else _ASK_BEARER
    return web.json_response(
        {"error": message}, status=401, headers={"WWW-Authenticate": challenge}
    )
