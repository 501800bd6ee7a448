"""Requests to hosts that were allowed: redirects are followed one by one, each host checked.

Sends no cookies, no password and no referrer. Compressed answers are not asked for.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import aiohttp

from engine.downloads.addresses import Address, PublicResolver, check_literal, read_address
from engine.downloads.hosts import AllowedHosts
from engine.errors import CalotypeError

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_READ_BUFFER = 1 << 18
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST = 1 << 60


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a host, in seconds, and how often to try again.

    Attributes:
        connect: until it has answered the connection.
        read: without one more byte.
        tries: in a row without a byte more than before.
        pause: before the second try; each later one waits twice as long, at most `longest`.
    """

    connect: float = 30.0
    read: float = 60.0
    tries: int = 6
    pause: float = 1.0
    longest: float = 60.0


@dataclass(frozen=True, slots=True)
class Stated:
    """What the hosts said of a file on the way.

    Attributes:
        size: in bytes.
        sha256: as Hugging Face states it for its large files.
    """

    size: int | None = None
    sha256: str | None = None


class HostNeededError(CalotypeError):
    """A host has to be allowed first.

    Attributes:
        host: which one.
        stated: what the hosts before it said of the file.
    """

    def __init__(self, host: str, before: str | None, stated: Stated) -> None:
        self.host = host
        self.stated = stated
        start = f"{before} sends this download on to {host}" if before else f"It comes from {host}"
        super().__init__(f"{start}, which has not been allowed yet")


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that is no redirect, the address that gave it, and what was said on the way."""

    response: aiohttp.ClientResponse
    address: Address
    stated: Stated


def new_session(hosts: AllowedHosts, patience: Patience) -> aiohttp.ClientSession:
    """A session that reaches public addresses of allowed hosts only.

    Environment variables for proxies and passwords are not read: a proxy resolves names itself,
    so that nothing here could check where they lead.
    """
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(hosts.may_be_private),
        use_dns_cache=False,
        ssl=ssl.create_default_context(),
        limit=8,
        force_close=True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        headers={"User-Agent": "Calotype", "Accept-Encoding": "identity", "Accept": "*/*"},
        timeout=aiohttp.ClientTimeout(
            total=None,
            connect=patience.connect,
            sock_connect=patience.connect,
            sock_read=patience.read,
        ),
    )


@contextlib.asynccontextmanager
async def open_address(
    session: aiohttp.ClientSession,
    url: str,
    hosts: AllowedHosts,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    stop_at_stated: bool = False,
) -> AsyncGenerator[Opened]:
    """Ask for an address, through redirects.

    Args:
        session: of `new_session`.
        url: the address.
        hosts: which ones may be asked.
        method: `GET` or `HEAD`.
        headers: for every request; they hold no secrets.
        stop_at_stated: end at a redirect whose answer states size and hash already.

    Raises:
        HostNeededError: a host has not been allowed yet.
        AddressError: an address on the way cannot be asked.
        aiohttp.ClientError, TimeoutError: as usual.
    """
    address, before, stated = read_address(url), None, Stated()
    for _ in range(MOST_REDIRECTS + 1):
        if not hosts.allows(address.host):
            raise HostNeededError(address.host, before, stated)
        check_literal(address, hosts.may_be_private)
        async with session.request(
            method, address.url, headers=headers, allow_redirects=False
        ) as response:
            stated = _stated(response, stated)
            place = response.headers.get("Location")
            is_stated = stop_at_stated and stated.size is not None and stated.sha256 is not None
            if response.status not in _REDIRECTS or is_stated:
                yield Opened(response, address, stated)
                return
        if not place:
            raise CalotypeError(f"{address.host} redirects the download without saying where to")
        before = address.host
        address = read_address(place, relative_to=address.url)
    raise CalotypeError(
        f"{address.host}: the download is redirected more than {MOST_REDIRECTS} times; "
        "fetch the file by hand"
    )


def _stated(response: aiohttp.ClientResponse, before: Stated) -> Stated:
    """What this answer adds: Hugging Face names the size and hash of large files."""
    size = whole_number(response.headers.get("X-Linked-Size"))
    tag = response.headers.get("X-Linked-ETag", "").removeprefix("W/").strip('"').lower()
    return Stated(
        before.size if before.size is not None else size,
        before.sha256 or (tag if _SHA256.fullmatch(tag) else None),
    )


def whole_number(text: str | None) -> int | None:
    """A number of bytes in a header; None where it is none, or none that a file has."""
    if text is None or not text.isascii() or not text.strip().isdigit() or len(text) > 20:
        return None
    number = int(text)
    return number if number < _LARGEST else None
