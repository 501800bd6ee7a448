"""Multiplies the projections of attentions by constants, as patches of their weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from engine.inference.adapters import sources_of
from engine.inference.values import Clip, Model
from engine.residency.handles import PatchedWeights, Weights
from engine.residency.sources import Patch

Factor = Callable[[str], float]
"""The factor of the tensor of that name."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """The patch `factor * W`."""

    factor: float

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        return weight * self.factor


def scaled_model(model: Model, factor: Factor) -> Model:
    """The model with each tensor of its network multiplied by its factor."""
    return replace(model, net=_scaled(model.net, factor))


def scaled_clip(clip: Clip, factor: Factor) -> Clip:
    """The text encoders with each tensor multiplied by its factor."""
    parts = {
        name: part
        if part.weights.is_missing
        else replace(part, weights=_scaled(part.weights, factor))
        for name, part in clip.parts.items()
    }
    return replace(clip, parts=parts)


def by_module(attention: str, factors: Mapping[str, float]) -> Factor:
    """Factors of the projections of every attention of a name.

    Args:
        attention: its name, such as `attn1`.
        factors: by the name of the projection in it, such as `to_q` or `to_out.0`; its weight and
            its bias are multiplied.
    """

    def factor(name: str) -> float:
        for projection, value in factors.items():
            if name.endswith(tuple(f".{attention}.{projection}.{p}" for p in ("weight", "bias"))):
                return value
        return 1.0

    return factor


def _scaled(weights: Weights, factor: Factor) -> Weights:
    factors = {name: factor(name) for name in sources_of(weights)}
    patches: dict[str, tuple[Patch, ...]] = {
        name: (Scaled(value),) for name, value in factors.items() if value != 1.0
    }
    return PatchedWeights(weights, patches) if patches else weights
