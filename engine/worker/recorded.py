"""The metadata of a run's files: what the client sent along, and the record of the run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.files import Files
from engine.record.record import KEYWORD


def without_metadata(files: Files) -> Files:
    """The same folders, for a run whose files are to carry no workflow."""
    found = copy.copy(files)
    found.embed_metadata = False
    return found


class RecordedExtra(Mapping[str, Any]):
    """What the client sent, with the record under `KEYWORD`.

    The record is made when a node first asks for it: a run that saves nothing makes none.
    """

    def __init__(self, sent: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> None:
        self._sent = {key: value for key, value in sent.items() if key != KEYWORD}
        self._make = make
        self._made: Mapping[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        """A value; the record is made on first use."""
        if key != KEYWORD:
            return self._sent[key]
        if self._made is None:
            self._made = self._make()
        return self._made

    def __iter__(self) -> Iterator[str]:
        """The keys, the record's last."""
        yield from self._sent
        yield KEYWORD

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._sent) + 1
