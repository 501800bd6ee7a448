"""One server for one user directory: a lock that the system releases when its holders are gone.

Worker processes inherit it, so that no new server starts next to an orphan of the old one.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from engine.errors import CalotypeError

_PATIENCE_SECONDS = 5.0
_LOCKED_BYTE = 1 << 30
"""Where Windows locks: beyond the text, which others may read."""


class FolderInUseError(CalotypeError):
    """Another server writes into this folder."""


class FolderLock:
    """The lock of one user directory.

    Attributes:
        descriptor: what processes inherit to share it.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock. Waits for a server that is ending, not for one that is running.

        Raises:
            FolderInUseError: another server has it; says which process and port.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / ".lock"
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _try_lock(self.descriptor):
            holder = self._path.read_text(encoding="ascii", errors="replace").strip()
            if _is_alive(holder) or time.monotonic() > deadline:
                os.close(self.descriptor)
                raise FolderInUseError(
                    f"{folder}: another Calotype uses this folder ({holder or 'starting'}). "
                    "Open that one, end it, or choose another --user-directory"
                )
            time.sleep(0.05)
        self.describe("port not known yet")

    def describe(self, text: str) -> None:
        """Write who holds the lock, for other servers to read."""
        os.ftruncate(self.descriptor, 0)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        os.write(self.descriptor, f"process {os.getpid()}, {text}".encode("ascii", "replace"))

    def release(self) -> None:
        """Release it; processes that inherited it hold it until they end."""
        os.close(self.descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - there is none elsewhere

            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - there is none on Windows

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_alive(holder: str) -> bool:
    """Whether the process that the lock's text names is running."""
    words = holder.replace(",", " ").split()
    if len(words) < 2 or not words[1].isdigit():
        return False
    if sys.platform == "win32":
        return True  # signal 0 would end it there; trying to lock answers the question
    try:
        os.kill(int(words[1]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
