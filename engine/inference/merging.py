"""Merges models: mixes each tensor of one with that of the same name of another.

Nothing is copied: a mixture is the first model with patches that read the second one's file when a
tensor is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.inference.adapters import sources_of
from engine.inference.values import Clip, Model, TextPart
from engine.residency.handles import PatchedWeights, Weights
from engine.residency.sources import Patch, Patches, Source

Shares = tuple[float, float]
"""The factors of the first and of the second tensor in a mixture."""
SharesOf = Callable[[str], Shares]
"""The shares of the tensor of that name."""


@dataclass(frozen=True, slots=True)
class OtherTensor:
    """A tensor of another network, with its patches."""

    source: Source
    patches: tuple[Patch, ...] = ()

    def values(self, like: Tensor) -> Tensor:
        """The values in float32, on the device of `like`."""
        parts = [part.to(like.device) for part in self.source.read_parts()]
        values = self.source.unpack(parts, torch.float32)
        for patch in self.patches:
            values = patch.apply(values)
        return values


@dataclass(frozen=True, slots=True)
class Mixed:
    """The patch `own * W + share * other`.

    If the other one has more or fewer input channels, like an inpainting model, the common ones are
    mixed and the rest is unchanged.
    """

    other: OtherTensor
    own: float
    share: float

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        other = self.other.values(weight)
        if other.shape == weight.shape:
            return (weight * self.own).add_(other, alpha=self.share)
        common = min(weight.shape[1], other.shape[1])
        mixed = weight.clone()
        mixed[:, :common] *= self.own
        mixed[:, :common].add_(other[:, :common], alpha=self.share)
        return mixed


@dataclass(frozen=True, slots=True)
class Moved:
    """The patch `W + strength * (other - base)`: a whole model used as if it were a LoRA."""

    other: OtherTensor
    base: OtherTensor
    strength: float

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        way = self.other.values(weight) - self.base.values(weight)
        return weight.add(way, alpha=self.strength)


def mixed_model(first: Model, second: Model, shares: SharesOf) -> Model:
    """The first model, each tensor mixed with the second one's.

    Raises:
        NodeError: the models have different architectures.
    """
    return replace(first, net=mixed_weights(first.net, second.net, shares))


def mixed_clip(first: Clip, second: Clip, shares: SharesOf) -> Clip:
    """The first text encoders, each mixed with the second one's. Raises like `mixed_model`."""
    parts: dict[str, TextPart] = {}
    for name, part in first.parts.items():
        other = second.parts.get(name)
        if other is None or (other.weights.is_missing and not part.weights.is_missing):
            raise NodeError(
                f"the second text encoder has no {part.encoder.title}, the first has; "
                "merge text encoders of one family"
            )
        weights = part.weights
        if not weights.is_missing:
            weights = mixed_weights(weights, other.weights, shares)
        parts[name] = replace(part, weights=weights)
    return replace(first, parts=parts)


def mixed_weights(first: Weights, second: Weights, shares: SharesOf) -> Weights:
    """A handle on the mixture; tensors whose shares are (1, 0) are unchanged."""
    theirs = sources_of(second)
    patches: dict[str, tuple[Patch, ...]] = {}
    for name, source in _common(first, second, theirs).items():
        own, share = shares(name)
        if (own, share) != (1.0, 0.0):
            other = OtherTensor(source, tuple(second.patches.get(name, ())))
            patches[name] = (Mixed(other, own, share),)
    return PatchedWeights(first, patches) if patches else first


def moved_patches(base: Weights, other: Weights, strength: float) -> Patches:
    """Patches that move `base` towards another network by `strength`; ignores patches of `base`."""
    sources, theirs = sources_of(base), sources_of(other)
    return {
        name: (
            Moved(
                OtherTensor(source, tuple(other.patches.get(name, ()))),
                OtherTensor(sources[name]),
                strength,
            ),
        )
        for name, source in _common(base, other, theirs).items()
        if source.shape == sources[name].shape
    }


def by_prefix(ratios: Mapping[str, float]) -> SharesOf:
    """Shares by the longest prefix of a tensor's name; the first ratio is for all others."""
    default = next(iter(ratios.values()), 1.0)

    def shares(name: str) -> Shares:
        fitting = [prefix for prefix in ratios if name.startswith(prefix)]
        ratio = ratios[max(fitting, key=len)] if fitting else default
        return ratio, 1.0 - ratio

    return shares


def _common(first: Weights, second: Weights, theirs: Mapping[str, Source]) -> dict[str, Source]:
    """The second network's tensors whose names both have.

    Raises:
        NodeError: they have different architectures.
    """
    ours = sources_of(first)
    common = {name: theirs[name] for name in ours if name in theirs}
    differing = [name for name in common if not _mixable(ours[name].shape, common[name].shape)]
    if not common or differing or len(common) < len(ours) / 2:
        example = (
            f"{differing[0]} is {list(ours[differing[0]].shape)} here and "
            f"{list(theirs[differing[0]].shape)} there"
            if differing
            else f"they have {len(common):,} tensors in common of {len(ours):,}"
        )
        raise NodeError(
            f"{first.name} and {second.name} are built differently ({example}); "
            "merge models of one family"
        )
    return common


def _mixable(ours: tuple[int, ...], theirs: tuple[int, ...]) -> bool:
    if ours == theirs:
        return True
    return len(ours) == len(theirs) == 4 and (ours[0], ours[2:]) == (theirs[0], theirs[2:])
