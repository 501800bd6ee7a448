"""A Bloom filter (Bloom 1970) of prompt ids: says that an id is new without asking the database."""

from __future__ import annotations

from collections.abc import Iterable

_BITS = 1 << 21
"""256 kB: of 10,000 ids, one new one in 10,000 is taken for a known one; of 100,000, one in 120."""


class IdFilter:
    """Ids that were added, and few others. Ids are never removed."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS >> 3)

    def add(self, ids: Iterable[str]) -> None:
        """Add these."""
        bits = self._bits
        for each in ids:
            for place in _places(each):
                bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, name: str) -> bool:
        """False only where it was never added."""
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in _places(name))


def _places(name: str) -> tuple[int, int]:
    number = hash(name)
    return number % _BITS, (number >> 32) % _BITS
