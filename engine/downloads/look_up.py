"""What an allowed host says of a file before it is downloaded: its size, its hash, its licence."""

from __future__ import annotations

import re
from typing import Any, cast

import aiohttp
import msgspec

from engine.downloads.addresses import read_address
from engine.downloads.asking import HostNeededError, open_address, whole_number
from engine.downloads.hosts import AllowedHosts

HUGGING_FACE = "huggingface.co"
_REPOSITORY = re.compile(r"/([\w.-]{1,96}/[\w.-]{1,96})/(?:resolve|blob)/")
_MOST_CARD = 1 << 18
_MOST_LICENSE = 100


class Facts(msgspec.Struct, frozen=True):
    """What is known; None where nobody says it. `size` is in bytes."""

    size: int | None = None
    sha256: str | None = None
    license: str | None = None


async def look_up(session: aiohttp.ClientSession, url: str, hosts: AllowedHosts) -> Facts:
    """Ask the host of a file about it. Hosts that it is sent on to are not asked.

    Raises:
        HostNeededError: the host has not been allowed.
        AddressError: the address cannot be asked.
        aiohttp.ClientError, TimeoutError: it cannot be reached.
    """
    address = read_address(url)
    size = sha256 = None
    try:
        async with open_address(session, url, hosts, method="HEAD", stop_at_stated=True) as opened:
            size, sha256 = opened.stated.size, opened.stated.sha256
            if size is None and opened.response.status == 200:
                size = whole_number(opened.response.headers.get("Content-Length"))
    except HostNeededError as error:
        if error.host == address.host:
            raise
        size, sha256 = error.stated.size, error.stated.sha256
    found = _REPOSITORY.match(address.url.path) if address.host == HUGGING_FACE else None
    named = None if found is None else await _license(session, found.group(1), hosts)
    return Facts(size, sha256, named)


async def _license(
    session: aiohttp.ClientSession, repository: str, hosts: AllowedHosts
) -> str | None:
    """The licence that the card of a repository names."""
    url = f"https://{HUGGING_FACE}/api/models/{repository}?expand=cardData"
    try:
        async with open_address(session, url, hosts) as opened:
            if opened.response.status != 200:
                return None
            content = b""
            async for chunk in opened.response.content.iter_any():
                content += chunk
                if len(content) > _MOST_CARD:
                    return None
        card = _object(_object(msgspec.json.decode(content)).get("cardData"))
    except (HostNeededError, aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
        return None
    named = card.get("license")
    if named == "other":
        named = card.get("license_name") or named
    is_text = isinstance(named, str) and named.isprintable() and len(named) <= _MOST_LICENSE
    return named if is_text else None


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
