"""Which addresses may be contacted: https, a named host, and no machine of the user's own network.

A workflow file from a stranger names the address, so it must not make this machine talk to its own
services, its router or a cloud's metadata service (server-side request forgery). Names are
resolved once, checked, and that result is connected to, so that a name that changes in between
leads nowhere else.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from engine.errors import CalotypeError

MOST_URL = 4000
_HTTPS = 443
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_ODD = ("192.0.0.0/24", "fec0::/10", "64:ff9b:1::/48")
"""Special ranges that some versions of Python count as public."""
_NAT64 = "64:ff9b::/96"


class AddressError(CalotypeError):
    """An address cannot be downloaded from; says why."""


class PrivateAddressError(AddressError):
    """A host is a machine of the user's own network, which was not allowed.

    Attributes:
        host: as it is allowed, with a port that is not that of https.
    """

    def __init__(self, host: str, found: str) -> None:
        self.host = host
        super().__init__(
            f"{host} is at {found}, an address of this machine or of its own network. "
            "Files from the internet are not there; allow it only if you run that server"
        )


@dataclass(frozen=True, slots=True)
class Address:
    """An address that may be asked for once its host is allowed.

    Attributes:
        host: in lower case, in ASCII, with a port that is not that of https.
    """

    url: URL
    host: str


def read_address(text: str, *, relative_to: URL | None = None) -> Address:
    """An address from a workflow, a user or a redirect.

    Raises:
        AddressError: it is not https, has no host, or holds a user name or password.
    """
    if len(text) > MOST_URL or not text.isprintable():
        raise AddressError("the address is too long or has characters that no address has")
    try:
        url = URL(text.strip())
        url = url if relative_to is None else relative_to.join(url)
        port = url.port
        has_secret = bool(url.user or url.password) or "@" in (urlsplit(text).netloc)
        host = url.raw_host
    except ValueError as error:
        raise AddressError(f"{text[:200]}: this is no address: {error}") from error
    if url.scheme != "https":
        raise AddressError(
            f"{text[:200]}: only https addresses are downloaded, "
            f"found {url.scheme or 'no scheme'}; fetch the file by hand if you trust it"
        )
    if not host:
        raise AddressError(f"{text[:200]}: the address names no host")
    if has_secret:
        raise AddressError(f"{host}: the address holds a user name or password; leave it out")
    host = host.removesuffix(".").lower()
    if ":" not in host and not _is_name(host):
        raise AddressError(f"{text[:200]}: the address names no host that can be asked")
    url = url.with_host(host)
    shown = f"[{host}]" if ":" in host else host
    return Address(url.with_fragment(None), shown if port in {None, _HTTPS} else f"{shown}:{port}")


def read_host(text: str) -> str:
    """A host as it is allowed, `example.org` or `example.org:8443`.

    Raises:
        AddressError: it is none.
    """
    address = read_address(f"https://{text.strip()}")
    if "#" in text or address.url.path not in {"", "/"} or address.url.query_string:
        raise AddressError(f"{text[:200]}: name a host only, as in example.org")
    return address.host


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet; every other form counts as private."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in ipaddress.IPv6Network(_NAT64):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is None and found.teredo is not None:
            inner = found.teredo[1]
        if inner is None and int(found) >> 32 == 0:  # the deprecated form ::a.b.c.d
            return False
        if inner is not None:
            return is_public(str(inner))
    is_odd = any(found in ipaddress.ip_network(each) for each in _ODD)
    return found.is_global and not found.is_multicast and not found.is_reserved and not is_odd


def _is_name(host: str) -> bool:
    """Whether a host is a name of the domain name system, or an IPv4 address in its usual form.

    `127.1` and `0x7f000001` are numbers that some systems take for addresses.
    """
    if not _NAME.fullmatch(host):
        return False
    if _NUMBER.fullmatch(host.rpartition(".")[2]) is None:
        return True
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses addresses that are not public unless their host is allowed."""

    def __init__(self, may_be_private: Callable[[str], bool]) -> None:
        """Resolve by the system.

        Args:
            may_be_private: whether a host (`name` or `name:port`) may be one of the own network.
        """
        self._may_be_private = may_be_private
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name, all of them public.

        Raises:
            PrivateAddressError: one of them is not, and the host was not allowed that.
            OSError: the name is not known.
        """
        found = await self._inner.resolve(host, port, family)
        named = host if port == _HTTPS else f"{host}:{port}"
        if not self._may_be_private(named):
            for each in found:
                if not is_public(each["host"]):
                    raise PrivateAddressError(named, each["host"])
        return found

    async def close(self) -> None:
        """Close nothing: the threads are those of the event loop."""
        await self._inner.close()


def check_literal(address: Address, may_be_private: Callable[[str], bool]) -> None:
    """Refuse a private address that is written as such: no name is resolved for it.

    Raises:
        PrivateAddressError: it is one, and was not allowed.
    """
    host = address.url.raw_host or ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return
    if not is_public(host) and not may_be_private(address.host):
        raise PrivateAddressError(address.host, host)
