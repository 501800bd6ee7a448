"""Stores weights in fewer bytes than their file does, at a user's request."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.weights.state_dict import Entry, StateDict


def stored_in(weights: StateDict, dtype: torch.dtype) -> StateDict:
    """The same tensors with every plain floating-point one rounded to `dtype` when it is read.

    Vectors too, as a file in that dtype has them and as ComfyUI rounds, though they take little.
    Tensors that the file has packed, or in no more bytes, are unchanged.
    """
    entries = {
        name: _rounded(entry, dtype) if _shrinks(entry, dtype) else entry
        for name, entry in weights.entries.items()
    }
    return replace(weights, entries=entries)


def _shrinks(entry: Entry, dtype: torch.dtype) -> bool:
    plain = entry.form is None and entry.dtype.is_floating_point
    return plain and entry.dtype.itemsize > dtype.itemsize


def _rounded(entry: Entry, dtype: torch.dtype) -> Entry:
    largest = torch.finfo(dtype).max
    return Entry(
        entry.shape,
        dtype,
        lambda: entry.read().float().clamp(-largest, largest).to(dtype),
        is_made=True,
    )
