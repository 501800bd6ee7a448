"""How much memory this machine has, or the container that the process runs in."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.errors import SettingsError

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
DEFAULT_CACHE_SHARE = 0.25
"""Of the machine's memory, for cached results: on 16 GB, 4 GB."""
_AMOUNT = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,9})?) ?(?P<unit>[a-z%]{0,3})", re.ASCII)
_UNITS: Mapping[str, int] = {
    "": 10**9,
    **dict.fromkeys(("b",), 1),
    **dict.fromkeys(("k", "kb"), 10**3),
    **dict.fromkeys(("m", "mb"), 10**6),
    **dict.fromkeys(("g", "gb"), 10**9),
    **dict.fromkeys(("t", "tb"), 10**12),
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}


def memory_limit() -> int | None:
    """The limit of the container in bytes, or None where there is none."""
    for path in CGROUP_LIMITS:
        try:
            return int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None


def total_memory() -> int:
    """Main memory in bytes: the machine's, or less where a container is limited to less."""
    total = psutil.virtual_memory().total
    limit = memory_limit()
    return total if limit is None else min(total, limit)


def available_memory() -> int:
    """Main memory in bytes that this process can have now, within the limit of a container."""
    available = psutil.virtual_memory().available
    limit = memory_limit()
    if limit is None:
        return available
    return min(available, max(limit - psutil.Process().memory_info().rss, 0))


def lift_data_limit() -> None:
    """Let this process map what it likes again, where it was limited to the memory that is free.

    Linux counts a private map of a file as memory of the process, though its pages are the file's.
    """
    if not sys.platform.startswith("linux"):
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def default_cache_bytes() -> int:
    """The default limit of cached results in bytes."""
    return int(total_memory() * DEFAULT_CACHE_SHARE)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of memory: bytes, or a share of whatever memory is meant.

    Attributes:
        number: of bytes.
        share: 0 to 1; where given, it is used instead of `number`.
    """

    number: int = 0
    share: float | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether it is no memory at all."""
        return not (self.number if self.share is None else self.share)

    def of(self, total: int) -> int:
        """Bytes, where `total` bytes are the whole."""
        return self.number if self.share is None else int(self.share * total)


def parse_amount(text: str) -> Amount:
    """An amount of memory as users write it: `4GB`, `500 MB`, `2.5` (gigabytes), `25%`.

    Raises:
        SettingsError: it is no such amount.
    """
    found = _AMOUNT.fullmatch(text.strip().lower())
    unit = found["unit"] if found else None
    if found is None or (unit != "%" and unit not in _UNITS):
        raise SettingsError(
            f"{text[:40]!r} is no amount of memory: write 4GB, 500MB, 0, or a share such as 25%"
        )
    number = float(found["number"])
    if unit == "%":
        return Amount(share=number / 100)
    return Amount(int(number * _UNITS[unit or ""]))


def parse_memory(text: str, *, total: int | None = None) -> int:
    """Bytes of main memory, see `parse_amount`.

    Args:
        text: the amount; a share is one of the machine's memory.
        total: the machine's memory in bytes; None queries the system.

    Raises:
        SettingsError: it is no such amount, or more than the machine has.
    """
    total = total_memory() if total is None else total
    amount = parse_amount(text).of(total)
    if amount > total:
        raise SettingsError(
            f"{text[:40]!r} is more than the {total / 1e9:.1f} GB that this machine has: "
            "write 4GB, 500MB, or a share such as 25%"
        )
    return amount
