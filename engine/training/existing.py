"""What an adapter file of any naming gives a training to begin with."""

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
"""By the names of the denoiser's layers."""


def existing_parts(adapter: Adapter, model: Model) -> tuple[Existing, list[str]]:
    """What a file holds for the layers of a denoiser, and sentences about what is left out of it.

    Raises:
        WeightsError: it holds nothing for them.
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
