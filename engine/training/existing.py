"""Reads an adapter file in any naming as the initial state of a training."""

from __future__ import annotations

from collections.abc import Mapping

from engine.adapters.algorithms.table import WEIGHT
from engine.adapters.explain import complaints
from engine.adapters.names import DENOISER
from engine.adapters.parts import Parts
from engine.adapters.read import Adapter
from engine.errors import WeightsError
from engine.inference.adapters import matched_with
from engine.inference.values import Model

Existing = Mapping[str, Parts]
"""The parts in a file by the names of the denoiser's layers."""


def existing_parts(adapter: Adapter, model: Model) -> tuple[Existing, list[str]]:
    """The parts in a file for a denoiser's layers, and sentences about parts that are left out.

    Raises:
        WeightsError: the file has nothing for these layers.
    """
    matched = matched_with(adapter, model, None)
    said = complaints(adapter, matched, model.family.name)
    found: dict[str, Parts] = {}
    for each in matched.found:
        layer, _, tensor = each.tensor.rpartition(".")
        if each.part == DENOISER and tensor == WEIGHT:
            found[layer] = adapter.modules[str(each.source[1])]
    if not found:
        raise WeightsError(said[0] if said else f"{adapter.name} changes no layer of this model")
    if matched.left_out:
        said.append(
            f"{adapter.name}: {matched.left_out:,} tensors are for text encoders, which are not "
            "trained; the finished file does not have them"
        )
    return found, said
