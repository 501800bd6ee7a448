"""The downloads as they are on disk: a small file for each."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import Literal

import msgspec

from engine.atomic import write_atomically

State = Literal["queued", "running", "asks", "paused", "failed", "done"]
WAITING: frozenset[str] = frozenset({"queued", "running"})
"""States that go on by themselves, after a restart too."""
_LOGGER = logging.getLogger(__name__)


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """One download.

    Attributes:
        kind: the folder of models, `checkpoints`.
        name: below it, with `/`.
        path: of the finished file.
        size: in bytes, as the host announced it; None while it is not known.
        received: bytes that are here.
        synced: bytes that are on the disk for certain.
        sha256: that the file must have; None where nobody states one.
        found_sha256: that it has, once it is complete.
        validator: what the host calls this version of the file (`ETag`, `Last-Modified`).
        asks_host: a host that has to be allowed first, in the state `asks`.
        asks_private: whether that host is one of the user's own network.
        message: why it asks or failed, for the user.
    """

    id: str
    url: str
    host: str
    kind: str
    name: str
    path: str
    created: float
    state: State = "queued"
    size: int | None = None
    received: int = 0
    synced: int = 0
    sha256: str | None = None
    found_sha256: str | None = None
    validator: str | None = None
    asks_host: str | None = None
    asks_private: bool = False
    message: str | None = None
    license: str | None = None
    speed: float = 0.0

    @property
    def part(self) -> Path:
        """The unfinished file, hidden beside the finished one."""
        target = Path(self.path)
        name = target.name.encode()[:180].decode("utf-8", "ignore")
        return target.with_name(f".{name}.{self.id}.part")


def download_id(url: str, path: str) -> str:
    """The id of a download: the same request is the same download."""
    return hashlib.sha256(f"{url}\n{path}".encode()).hexdigest()[:16]


class Records:
    """The files of all downloads. Its methods wait for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_all(self) -> list[Download]:
        """Every download, the oldest first; a damaged file is left out, which is logged."""
        found: list[Download] = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                each = msgspec.json.decode(path.read_bytes(), type=Download)
            except (OSError, msgspec.MsgspecError) as error:
                _LOGGER.warning("%s: this download cannot be read: %s", path.name, error)
                continue
            if each.id == path.stem:
                found.append(each)
        return sorted(found, key=lambda each: each.created)

    def write(self, download: Download) -> None:
        """Store one.

        Raises:
            DiskError: the disk refused.
        """
        content = msgspec.json.encode(download)
        write_atomically(self._folder / f"{download.id}.json", content)

    def remove(self, download: Download) -> None:
        """Forget one, and delete what it left unfinished."""
        for path in (self._folder / f"{download.id}.json", download.part):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
