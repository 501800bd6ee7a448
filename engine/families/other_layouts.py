"""Tensors of a denoiser in diffusers' layout, under the original names.

Where diffusers stores projections apart that the original joins, they are joined when they are
read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.weights.joined import joined
from engine.weights.state_dict import Entry, StateDict


def original_layout(
    weights: StateDict,
    names: Mapping[str, str | Rows],
    *,
    parameter: Callable[[str], str] = lambda name: name,
) -> StateDict:
    """The tensors whose modules are in `names`, under our names; all others are left out.

    Args:
        weights: under the others' names, without a prefix.
        names: the others' modules to ours, or to rows of ours, as `lora_names` has them.
        parameter: changes the full name of one of our tensors, such as a norm's.

    Raises:
        WeightsError: rows of a tensor are missing, or of another shape than the rest of it.
    """
    found: dict[str, Entry] = {}
    rows: dict[str, list[tuple[Rows, Entry]]] = {}
    for name, entry in weights.entries.items():
        module, _, kind = name.rpartition(".")
        ours = names.get(module)
        if isinstance(ours, Rows):
            rows.setdefault(parameter(f"{ours.module}.{kind}"), []).append((ours, entry))
        elif ours is not None:
            found[parameter(f"{ours}.{kind}")] = entry
    for name, parts in rows.items():
        found[name] = _joined(name, sorted(parts, key=lambda part: part[0].start))
    return replace(weights, entries=found)


def _joined(name: str, parts: list[tuple[Rows, Entry]]) -> Entry:
    reached = 0
    first = parts[0][1]
    for place, entry in parts:
        if place.start != reached or entry.shape != (place.stop - place.start, *first.shape[1:]):
            raise WeightsError(
                f"its rows {reached:,} and on of {name} are missing or have another shape; the "
                "file is incomplete"
            )
        reached = place.stop
    pieces = [_swapped(place, entry) if place.swapped else entry for place, entry in parts]
    if len(pieces) == 1:
        return pieces[0]
    if any(piece.form for piece in pieces):
        return joined(pieces)

    def read() -> Tensor:
        return torch.cat([piece.read() for piece in pieces])

    return Entry((reached, *first.shape[1:]), first.dtype, read, is_made=True)


def _swapped(place: Rows, entry: Entry) -> Entry:
    """A tensor whose halves are in the other order."""
    return Entry(entry.shape, entry.dtype, lambda: place.of(entry.read()), is_made=True)
