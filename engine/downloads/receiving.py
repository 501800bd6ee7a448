"""A whole download: tries until the file is complete, checks its hash, gives it its name."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from engine.downloads.asking import Patience
from engine.downloads.hosts import AllowedHosts
from engine.downloads.part_file import PartFile, WrongContentError, check_format
from engine.downloads.records import Download
from engine.downloads.transfer import OnStep, RefusedError, Transfer, TryAgainError
from engine.errors import CalotypeError, FilesError

_MOST_TRIES = 200
"""In all: a host that breaks off after each byte does not go on for ever."""


class Queue(Protocol):
    """What a download needs of the queue it is in."""

    hosts: AllowedHosts
    patience: Patience

    @property
    def session(self) -> aiohttp.ClientSession:
        """For its requests."""
        ...

    def find(self, download_id: str) -> Download | None:
        """The download of that id."""
        ...

    def claimed(self, but: str, folder: Path) -> int:
        """Bytes that other downloads still need."""
        ...

    async def update(self, download: Download, *, durably: bool) -> None:
        """Note how far it is."""
        ...


async def receive_all(queue: Queue, download_id: str) -> None:
    """Receive a file completely, check it and give it its name.

    Raises:
        CalotypeError: it cannot be had now; what was received stays, unless it is wrong.
    """
    download = queue.find(download_id)
    if download is None:
        return
    target = Path(download.path)
    if await asyncio.to_thread(target.exists):
        if await asyncio.to_thread(_is_published, download.part, target):
            # The process ended after the file had got its name and before that was noted.
            await queue.update(msgspec.structs.replace(download, state="done"), durably=True)
            return
        raise FilesError(f"{target}: this file exists already; it was not replaced")
    part = await asyncio.to_thread(PartFile, download.part, keep=download.synced)
    transfer = Transfer(
        download.url, part, download.size, download.validator, expected=download.sha256
    )
    try:
        has_more = True
        while has_more:
            has_more = await asyncio.to_thread(part.hash_more)
        await _persist(queue, download, transfer)
        found = part.sha256()
        _check_hash(found, download, transfer.stated)
        await asyncio.to_thread(check_format, part.path, target.suffix.lower())
        await asyncio.to_thread(part.publish, target)
    except WrongContentError:
        await asyncio.to_thread(part.delete)
        await _note(queue, download_id, transfer, size=None, validator=None, received=0, synced=0)
        raise
    except BaseException:
        await asyncio.shield(_leave(queue, download_id, transfer))
        raise
    finally:
        part.close()
    stated = download.sha256 or transfer.stated
    await _note(
        queue, download_id, transfer, state="done", sha256=stated, found_sha256=found, speed=0.0
    )


def _is_published(part: Path, target: Path) -> bool:
    """Whether an earlier process gave the unfinished file its name; removes what it left of it."""
    if not part.exists():
        return True
    if not part.samefile(target):
        return False
    part.unlink()
    return True


def _check_hash(found: str, download: Download, stated: str | None) -> None:
    wanted = download.sha256 or stated
    if wanted is not None and found != wanted:
        who = "the workflow" if download.sha256 else download.host
        raise WrongContentError(
            f"{download.name}: its SHA-256 is {found}, but {who} says {wanted}. The file was "
            "damaged or replaced, so it was deleted; ask the author of the workflow"
        )


async def _persist(queue: Queue, download: Download, transfer: Transfer) -> None:
    """Try until the file is complete or trying has no more sense."""
    patience, part = queue.patience, transfer.part
    tries = total = 0

    async def on_step(is_synced: bool) -> None:
        changes = {"synced": part.size} if is_synced else {}
        await _note(queue, download.id, transfer, durably=is_synced, **changes)

    while True:
        before = part.size
        failed = await _try(queue, download, transfer, on_step)
        if failed is None:
            return
        reason, after = failed
        tries = 1 if part.size > before else tries + 1
        total += 1
        if tries >= patience.tries or total >= _MOST_TRIES:
            raise CalotypeError(f"{reason}. {by_hand(download, transfer.size)}")
        delay = max(after, min(patience.longest, patience.pause * 2 ** (tries - 1)))
        waits = f"{reason}; it is asked again in {delay:.0f} s"
        await _note(queue, download.id, transfer, message=waits, speed=0.0)
        await asyncio.sleep(delay)


async def _try(
    queue: Queue, download: Download, transfer: Transfer, on_step: OnStep
) -> tuple[str, float] | None:
    """One try: None where the file is complete, else why not and how long the host wants a pause.

    Raises:
        CalotypeError: another try does not help.
    """
    host = download.host

    def claimed(folder: Path) -> int:
        return queue.claimed(download.id, folder)

    try:
        await transfer.receive(queue.session, queue.hosts, claimed, on_step)
    except TryAgainError as error:
        return str(error), error.after
    except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
        raise RefusedError(
            f"{host}: its certificate cannot be trusted ({_short(error)}). Nothing was received; "
            "fetch the file by hand if you know why"
        ) from error
    except (aiohttp.InvalidURL, aiohttp.ClientResponseError) as error:
        raise RefusedError(f"{host}: its answer cannot be read ({_short(error)})") from error
    except TimeoutError:
        return f"{host} does not answer", 0.0
    except (aiohttp.ClientError, OSError) as error:
        return f"{host} cannot be reached ({_short(error)})", 0.0
    return None


def by_hand(download: Download, size: int | None) -> str:
    """What to do without this program: what to fetch, how large it is, where to put it."""
    target = Path(download.path)
    large = "" if size is None else f" ({size:,} bytes)"
    return (
        f"Resume it later, or fetch it by hand: {download.url}{large}; "
        f"put it into {target.parent} as {target.name}"
    )


async def _note(
    queue: Queue, download_id: str, transfer: Transfer, *, durably: bool = True, **changes: object
) -> None:
    found = queue.find(download_id)
    if found is None:
        return
    now = {
        "size": transfer.size,
        "received": transfer.part.size,
        "validator": transfer.validator,
        "message": None,
        **changes,
    }
    await queue.update(msgspec.structs.replace(found, **now), durably=durably)


async def _leave(queue: Queue, download_id: str, transfer: Transfer) -> None:
    """Note what is on the disk, for the next time; a disk that refuses has said so already."""
    part = transfer.part
    with contextlib.suppress(CalotypeError, OSError):
        if part.size == 0:
            await asyncio.to_thread(part.delete)
        synced = await asyncio.to_thread(part.sync)
        await _note(queue, download_id, transfer, synced=synced)


def _short(error: BaseException) -> str:
    return str(error)[:200] or type(error).__name__
