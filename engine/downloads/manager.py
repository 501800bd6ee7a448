"""The queue of downloads: begun by the user only, resumed after any crash, reported as they go.

Used in one event loop. Files are written in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
import msgspec

from engine.downloads.addresses import PrivateAddressError, read_address
from engine.downloads.asking import HostNeededError, Patience, new_session
from engine.downloads.hosts import AllowedHost, AllowedHosts
from engine.downloads.receiving import receive_all
from engine.downloads.records import WAITING, Download, Records, State, download_id
from engine.downloads.targets import Target
from engine.downloads.tokenizers import refuse_other_tokenizers
from engine.errors import CalotypeError, FilesError

MOST_DOWNLOADS = 200
AT_ONCE = 2
_STEP_SECONDS = 0.5
_LOGGER = logging.getLogger(__name__)
OnChange = Callable[[Sequence[Download], Sequence[str]], None]
"""Given downloads that changed, and the ids of those that are gone."""


class NotNowError(CalotypeError):
    """What was asked cannot be done with this download in its state."""


class Downloads:
    """All downloads of a user directory.

    Attributes:
        hosts: which ones the user has allowed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        on_change: OnChange,
        patience: Patience | None = None,
        queue: str = "queue",
    ) -> None:
        """Read what is there; begin nothing.

        Args:
            folder: for the list of hosts and the state of each download.
            on_change: called in the event loop.
            patience: with slow hosts.
            queue: the folder of the states; a command has another than the server.
        """
        self.hosts = AllowedHosts(folder / "hosts.json")
        self.patience = patience or Patience()
        self._records = Records(folder / queue)
        self._found: dict[str, Download] = {each.id: each for each in self._records.read_all()}
        self._on_change = on_change
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stored = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._shown: dict[str, tuple[float, int]] = {}
        self._is_stopping = False

    def list(self) -> list[Download]:
        """All downloads, the oldest first."""
        return sorted(self._found.values(), key=lambda each: each.created)

    def find(self, download_id: str) -> Download | None:
        """The one of that id."""
        return self._found.get(download_id)

    def start(self) -> None:
        """Go on with what was waiting or running when the last process ended."""
        for each in self.list():
            if each.state in WAITING:
                self._found[each.id] = msgspec.structs.replace(each, state="queued", speed=0.0)
        self._begin_next()

    async def stop(self) -> None:
        """End all work; what was running goes on at the next start."""
        self._is_stopping = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def add(
        self,
        url: str,
        target: Target,
        *,
        sha256: str | None = None,
        license: str | None = None,  # noqa: A002 - the word of the files
        confirmed: bool = False,
    ) -> Download:
        """Queue a download that the user asked for; the same one again goes on.

        Args:
            url: where it is.
            target: where it goes.
            sha256: that it must have.
            license: as the workflow or the host says it.
            confirmed: the user has read the warning about the format.

        Raises:
            AddressError: the address is not https, or holds a password.
            FilesError: the file is there already, the format was not confirmed, or the disk
                refused.
        """
        address = read_address(url)
        refuse_other_tokenizers(target.kind, target.name, str(address.url))
        if target.warning is not None and not confirmed:
            raise FilesError(f"{target.name}: {target.warning}")
        if await asyncio.to_thread(target.path.exists):
            raise FilesError(f"{target.path}: this file exists already")
        same = download_id(str(address.url), str(target.path))
        before = self._found.get(same)
        if before is not None and before.state != "done":
            if sha256 not in {None, before.sha256}:
                await self._change(before, sha256=sha256)
            return await self.resume(same)
        self._check_free(target.path)
        made = Download(
            id=same,
            url=str(address.url),
            host=address.host,
            kind=target.kind,
            name=target.name,
            path=str(target.path),
            created=time.time(),
            sha256=sha256,
            license=license,
        )
        try:
            await self._change(made)
        except CalotypeError:
            self._found.pop(same, None)
            self._on_change((), (same,))
            raise
        self._begin_next()
        return self._found[same]

    async def pause(self, download_id: str) -> Download:
        """Pause one; what was received stays.

        Raises:
            NotNowError: there is none, or it is done.
        """
        found = self._get(download_id)
        if found.state not in WAITING | {"asks"}:
            raise NotNowError(f"{found.name}: it is {found.state}; there is nothing to pause")
        await self._end_task(download_id)
        found = self._get(download_id)
        if found.state == "done":
            return found
        return await self._change(
            found, state="paused", message=None, asks_host=None, asks_private=False, speed=0.0
        )

    async def resume(self, download_id: str) -> Download:
        """Go on with one.

        Raises:
            NotNowError: there is none, or it is done.
        """
        found = self._get(download_id)
        if found.state == "done":
            raise NotNowError(f"{found.name}: it is done already")
        if found.state not in WAITING:
            found = await self._change(
                found, state="queued", message=None, asks_host=None, asks_private=False
            )
        self._begin_next()
        return self._get(download_id)

    async def cancel(self, download_id: str) -> None:
        """Forget one, and delete what it left unfinished; a finished file stays.

        Raises:
            NotNowError: there is none.
        """
        self._get(download_id)
        await self._end_task(download_id)
        found = self._found.pop(download_id)
        self._shown.pop(download_id, None)
        async with self._stored:
            await asyncio.to_thread(self._records.remove, found)
        self._on_change((), (download_id,))
        self._begin_next()

    async def allow(
        self, host: str, *, private: bool = False, remember: bool = True
    ) -> AllowedHost:
        """Allow a host from now on, or in this process only; downloads that asked for it go on.

        Raises:
            AddressError: it is no host.
            FilesError: the list cannot be written.
        """
        allowed = await asyncio.to_thread(
            self.hosts.allow, host, private=private, remember=remember
        )
        for each in self.list():
            is_asked = each.state == "asks" and each.asks_host == allowed.host
            if is_asked and (allowed.private or not each.asks_private):
                await self.resume(each.id)
        return allowed

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session of all requests."""
        if self._session is None:
            self._session = new_session(self.hosts, self.patience)
        return self._session

    def claimed(self, but: str, folder: Path) -> int:
        """Bytes that other running downloads still need on the disk of this folder."""
        try:
            device = folder.stat().st_dev
        except OSError:
            return 0
        total = 0
        for each in self._found.values():
            if each.id != but and each.id in self._tasks and each.size is not None:
                with contextlib.suppress(OSError):
                    if Path(each.path).parent.stat().st_dev == device:
                        total += max(0, each.size - each.received)
        return total

    def _get(self, download_id: str) -> Download:
        found = self._found.get(download_id)
        if found is None:
            raise NotNowError("there is no such download; it was cancelled or removed")
        return found

    def _check_free(self, path: Path) -> None:
        if len(self._found) >= MOST_DOWNLOADS:
            raise FilesError(f"{MOST_DOWNLOADS} downloads are listed; remove some first")
        for each in self._found.values():
            if each.path == str(path) and each.state != "done":
                raise FilesError(
                    f"{each.name}: it is being downloaded from {each.host} already; "
                    "cancel that first"
                )

    def _begin_next(self) -> None:
        """Begin what is queued, as far as there are places."""
        if self._is_stopping:
            return
        for each in self.list():
            if len(self._tasks) >= AT_ONCE:
                return
            if each.state == "queued" and each.id not in self._tasks:
                self._tasks[each.id] = asyncio.create_task(self._run(each.id))

    async def _end_task(self, download_id: str) -> None:
        task = self._tasks.get(download_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, download_id: str) -> None:
        """Download one; its end is stored as its state."""
        self._shown.pop(download_id, None)
        try:
            await self._change(self._get(download_id), state="running", message=None)
            await receive_all(self, download_id)
        except HostNeededError as error:
            await self._end(download_id, "asks", str(error), asks_host=error.host)
        except PrivateAddressError as error:
            more = {"asks_host": error.host, "asks_private": True}
            await self._end(download_id, "asks", str(error), **more)
        except (CalotypeError, OSError) as error:
            await self._end(download_id, "failed", str(error))
        except Exception as error:
            _LOGGER.exception("a download failed")
            await self._end(download_id, "failed", f"unexpected: {error!r}")
        finally:
            self._tasks.pop(download_id, None)
            self._begin_next()

    async def _end(self, download_id: str, state: State, message: str, **more: object) -> None:
        """Note why a download does not go on, in memory at least: the disk may be what is full."""
        with contextlib.suppress(CalotypeError):
            changes = {"state": state, "message": message, "speed": 0.0, **more}
            await self._change(self._get(download_id), **changes)

    async def update(self, download: Download, *, durably: bool) -> None:
        """Note how far a download is; others are told at most twice a second."""
        self._found[download.id] = download
        now = time.monotonic()
        then, received = self._shown.get(download.id, (0.0, download.received))
        if now - then >= _STEP_SECONDS or durably:
            speed = max(0, download.received - received) / (now - then) if then else 0.0
            download = msgspec.structs.replace(download, speed=round(speed))
            self._found[download.id] = download
            self._shown[download.id] = (now, download.received)
            self._on_change((download,), ())
        if durably:
            await self._store(download.id)

    async def _change(self, download: Download, **changes: object) -> Download:
        changed = msgspec.structs.replace(download, **changes)
        self._found[changed.id] = changed
        self._on_change((changed,), ())
        await self._store(changed.id)
        return changed

    async def _store(self, download_id: str) -> None:
        async with self._stored:
            found = self._found.get(download_id)
            if found is not None:
                await asyncio.to_thread(self._records.write, found)
