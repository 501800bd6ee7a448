"""Several tensors of a file as one, below each other: query, key and value as one projection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.forms import Form
from engine.weights.state_dict import Entry


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """The rows of several tensors, each in a form of its own.

    Attributes:
        forms: of each tensor, and the number of its parts.
    """

    forms: tuple[tuple[Form | None, int], ...]
    name: str = "joined rows"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `engine.weights.forms.Form`."""
        found: list[Tensor] = []
        start = 0
        for form, count in self.forms:
            own = parts[start : start + count]
            found.append(form.unpack(own, dtype) if form else own[0].to(dtype))
            start += count
        return torch.cat(found)


def joined(entries: Sequence[Entry]) -> Entry:
    """One entry with the rows of all, which stay in the forms of their file.

    Raises:
        WeightsError: they differ in more than their number of rows.
    """
    first = entries[0]
    if any(entry.shape[1:] != first.shape[1:] or not entry.shape for entry in entries):
        shapes = ", ".join(str(list(entry.shape)) for entry in entries)
        raise WeightsError(f"its tensors of the shapes {shapes} do not fit below each other")
    rows = sum(entry.shape[0] for entry in entries)
    stored = [part for entry in entries for part in entry.stored or (entry,)]
    forms = tuple((entry.form, len(entry.stored) or 1) for entry in entries)
    return Entry.packed(JoinedRows(forms), stored, (rows, *first.shape[1:]), first.dtype)
