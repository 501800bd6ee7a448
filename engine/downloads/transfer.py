"""One try to receive a file, or the rest of it: what was asked, what was answered, what is stored.

Nothing that a host says is trusted: lengths, ranges, encodings and kinds of content are compared
with what was asked before and while bytes are written.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from engine.downloads.asking import Opened, open_address, whole_number
from engine.downloads.hosts import AllowedHosts
from engine.downloads.part_file import PartFile
from engine.errors import CalotypeError, DiskError

RESERVE = 512 << 20
"""Bytes of the disk that are left free."""
_TOGETHER = 1 << 20
_SYNCED = 64 << 20
_MOST_BYTES = 1 << 43
SYNC_SECONDS = 2.0
OnStep = Callable[[bool], Awaitable[None]]
"""Awaited after each piece; given whether all that was received is on the disk for certain."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")


class RefusedError(CalotypeError):
    """Trying again does not help: the message says what the user can do."""


class TryAgainError(CalotypeError):
    """It may work later.

    Attributes:
        after: seconds that the host asks to wait.
    """

    def __init__(self, message: str, *, after: float = 0.0) -> None:
        self.after = after
        super().__init__(message)


@dataclass(slots=True)
class Transfer:
    """A file that is received.

    Attributes:
        url: where it is asked for.
        part: where its bytes go.
        size: of all of it, once announced.
        validator: what the host calls this version, so that parts of two are never joined.
        expected: the SHA-256 that the file must have; with it, parts can be joined in any case.
        stated: the SHA-256 that a host stated on the way.
    """

    url: str
    part: PartFile
    size: int | None = None
    validator: str | None = None
    expected: str | None = None
    stated: str | None = None

    async def receive(
        self,
        session: aiohttp.ClientSession,
        hosts: AllowedHosts,
        claimed: Callable[[Path], int],
        on_step: OnStep,
    ) -> None:
        """Receive what is missing.

        Args:
            session: of `new_session`.
            hosts: which ones may be asked.
            claimed: bytes that other downloads still need on the disk of a folder.
            on_step: see `OnStep`.

        Raises:
            TryAgainError: the host broke off, or is busy.
            RefusedError: it does not give the file.
            DiskError: there is too little space; what was received stays.
            HostNeededError, AddressError, aiohttp.ClientError, TimeoutError: of `open_address`.
        """
        if self.size is not None and self.part.size == self.size:
            return
        start = self.part.size if self.validator or self.expected else 0
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and self.validator:
            headers["If-Range"] = self.validator
        async with open_address(session, self.url, hosts, headers=headers) as opened:
            start = await self._accept(opened, start)
            await self._check_space(claimed)
            await on_step(False)
            await self._read(opened.response, claimed, on_step)
        if self.size is not None and self.part.size != self.size:
            raise TryAgainError(
                f"the host broke off after {self.part.size:,} of {self.size:,} bytes"
            )
        self.size = self.part.size

    async def _accept(self, opened: Opened, start: int) -> int:
        """Take the head of an answer; returns where its body begins in the file."""
        response, host = opened.response, opened.address.host
        _refuse_status(response, host)
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in {"", "identity"}:
            raise RefusedError(
                f"{host} sends the file compressed ({encoding[:40]}) though it was asked not to; "
                "fetch it by hand"
            )
        if response.content_type in {"text/html", "application/xhtml+xml"}:
            raise RefusedError(
                f"{host} answers with a web page instead of the file; open the address in a "
                "browser, it may want you to log in or to accept a licence"
            )
        length = whole_number(response.headers.get("Content-Length"))
        begin, total = 0, length
        if response.status == 206:
            begin, total = _range(response, start, self.size, host)
        if begin == 0 and self.part.size:
            await asyncio.to_thread(self.part.restart)
        if total is not None and total > _MOST_BYTES:
            raise RefusedError(f"{host} announces {total:,} bytes, which no model has")
        self.size = total
        self.validator = _validator(response)
        self.stated = self.stated or opened.stated.sha256
        return begin

    async def _check_space(self, claimed: Callable[[Path], int]) -> None:
        folder = self.part.path.parent
        free = (await asyncio.to_thread(shutil.disk_usage, folder)).free
        wanted = (self.size or self.part.size) - self.part.size
        others = claimed(folder)
        if free < wanted + others + RESERVE:
            also = f", {_mega(others)} for other downloads" if others else ""
            raise DiskError(
                f"{folder}: {_mega(wanted)} are needed{also} and {_mega(RESERVE)} are left free, "
                f"found {_mega(free)}; free some space, then resume",
                full=True,
            )

    async def _read(
        self,
        response: aiohttp.ClientResponse,
        claimed: Callable[[Path], int],
        on_step: OnStep,
    ) -> None:
        """Read the body in pieces of bounded size; write and hash each in a thread."""
        pending = bytearray()
        synced, then = self.part.size, time.monotonic()
        most = self.size if self.size is not None else _MOST_BYTES
        try:
            async for chunk in response.content.iter_any():
                pending += chunk
                if self.part.size + len(pending) > most:
                    raise RefusedError(f"the host sends more than the {most:,} bytes it announced")
                # A slow host's bytes are shown and stored, too, before they are many.
                is_old = time.monotonic() - then >= SYNC_SECONDS
                if len(pending) < _TOGETHER and not is_old:
                    continue
                content, pending = pending, bytearray()
                await self._append(content)
                is_synced = is_old or self.part.size - synced >= _SYNCED
                if is_synced:
                    synced, then = await asyncio.to_thread(self.part.sync), time.monotonic()
                    if self.size is None:
                        await self._check_space(claimed)
                await on_step(is_synced)
        finally:
            if pending and self.part.size + len(pending) <= most:
                await self._append(pending)

    async def _append(self, content: bytearray) -> None:
        """Append to the end even if the task is cancelled meanwhile: the file has one writer."""
        writing = asyncio.ensure_future(asyncio.to_thread(self.part.append, content))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise


def _range(
    response: aiohttp.ClientResponse, start: int, size: int | None, host: str
) -> tuple[int, int]:
    """Where a partial answer begins, and the size of the whole, which was `size` before.

    Raises:
        RefusedError: it is not the part that was asked for.
    """
    found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    numbers = [int(each) for each in found.groups()] if found else []
    is_rest = bool(numbers) and numbers[0] == start and numbers[1] == numbers[2] - 1
    if not is_rest or (size is not None and start and numbers[2] != size):
        raise RefusedError(
            f"{host} was asked for the file from byte {start:,} and answers with "
            f"{response.headers.get('Content-Range', 'no range')[:100]!r}; cancel the download "
            "and begin again, or fetch the file by hand"
        )
    return start, numbers[2]


def _validator(response: aiohttp.ClientResponse) -> str | None:
    """The name of this version that a later request can be bound to; a weak one cannot."""
    tag = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/") and len(tag) <= 500:
        return tag
    changed = response.headers.get("Last-Modified", "")
    return changed if 0 < len(changed) <= 100 else None


def _refuse_status(response: aiohttp.ClientResponse, host: str) -> None:
    status = response.status
    if status in {200, 206}:
        return
    if status in {401, 403}:
        raise RefusedError(
            f"{host} gives this file only after a login (status {status}): open its page in a "
            "browser, accept its licence if it asks for that, and fetch the file by hand"
        )
    if status in {404, 410}:
        raise RefusedError(f"{host} does not have this file any more (status {status})")
    if status == 416:
        raise RefusedError(
            f"{host} has no more of this file than is here; cancel the download and begin again"
        )
    if status in {408, 425, 429} or status >= 500:
        after = whole_number(response.headers.get("Retry-After")) or 0
        raise TryAgainError(f"{host} is busy (status {status})", after=min(after, 600))
    raise RefusedError(f"{host} answers with status {status}; fetch the file by hand")


def _mega(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
