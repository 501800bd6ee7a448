"""How a model's network is computed: its dtype."""

from __future__ import annotations

from dataclasses import replace

import torch

from engine.inference.values import Model
from engine.residency.handles import LazyWeights, PatchedWeights, Weights


def computed_in(model: Model, dtype: torch.dtype) -> Weights:
    """The model's weights, with their patches, to be computed in another dtype.

    They are loaded apart from those in the first dtype.
    """
    base = model.net.base
    _ = base.sources  # a missing part is refused here
    made = LazyWeights(
        base.name,
        base.size,
        lambda: model.family.build(model.config),
        sources=base.sources,
        wants=replace(base.wants, dtype=dtype),
        forget=base.forget,
    )
    return PatchedWeights(made, model.net.patches) if model.net.patches else made
