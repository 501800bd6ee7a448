"""Files in which Linux describes this process, kept open, since opening one costs the most.

Other systems have none of them.
"""

from __future__ import annotations

import os
from pathlib import Path

_MOST = 8192
"""Bytes; the kernel's text about one process is shorter."""
_OWN = Path("/proc/self")


class ProcessFile:
    """A file of `/proc/self`.

    Args:
        name: of the file.
        writable: whether it is to be written instead of read.
    """

    def __init__(self, name: str, *, writable: bool = False) -> None:
        self._descriptor: int | None = None
        try:
            self._descriptor = os.open(_OWN / name, os.O_WRONLY if writable else os.O_RDONLY)
        except OSError:
            return  # another system, or a kernel without it: `read` and `write` say so

    def read(self) -> bytes:
        """Its current text.

        Raises:
            OSError: there is no such file.
        """
        return os.pread(self._open(), _MOST, 0)

    def write(self, text: bytes) -> None:
        """Write to it.

        Raises:
            OSError: there is no such file, or the kernel refused.
        """
        os.pwrite(self._open(), text, 0)

    def _open(self) -> int:
        if self._descriptor is None:
            raise FileNotFoundError("this system has no such file")
        return self._descriptor
