"""Skip-layer guidance: away from what a transformer predicts without some of its blocks.

Stability AI published it with SD3.5 medium (https://github.com/Stability-AI/sd3.5); a form of the
spatio-temporal guidance of Hyung et al. 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from engine.diffusion.guidance import Predictions
from engine.inference.values import Model
from engine.nets.hooks import NetHooks, Place

BLOCK = "dit"
"""The kind of a hook in the place of a block."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of sampling, as noise levels from `start` down to `end`."""

    start: float
    end: float

    def has(self, sigma: float) -> bool:
        """Whether a noise level is in it."""
        return self.end <= sigma <= self.start


def interval(model: Model, start: float, end: float) -> Interval:
    """The noise levels of a model from one share of sampling to another."""
    to_sigma = model.parameterization.percent_to_sigma
    return Interval(to_sigma(start), to_sigma(end))


def guided_by_skipped_layers(
    model: Model, places: Sequence[Place], scale: float, within: Interval, rescaling: float = 0.0
) -> Model:
    """The model, guided away from its prediction without these blocks.

    Costs one more evaluation of the positive within the interval.

    Args:
        model: a transformer; blocks that it has not are ignored.
        places: of the blocks.
        scale: the weight of this guidance.
        within: when it acts.
        rescaling: how far the result's deviation is brought back to the positive's, 0 to 1.
    """

    def skipping(hooks: NetHooks) -> NetHooks:
        for place in places:
            hooks = hooks.with_replacement(BLOCK, place, _unchanged)
        return hooks

    def after(predictions: Predictions, denoised: Tensor) -> Tensor:
        if scale <= 0 or not within.has(float(predictions.sigma.flatten()[0])):
            return denoised
        positive = predictions.positive
        (worse,) = predictions.evaluate(predictions.names[0], hooks=skipping)
        found = denoised + scale * (positive - worse)
        if rescaling:
            factor = positive.std() / found.std()
            found = found * (rescaling * factor + (1.0 - rescaling))
        return found

    guidance = replace(model.guidance, after=(*model.guidance.after, after))
    return replace(model, guidance=guidance)


def negative_with_skipped_layers(model: Model, places: Sequence[Place], within: Interval) -> Model:
    """The model, whose negative is predicted without these blocks; costs nothing."""
    hooks = model.hooks
    for place in places:
        earlier = hooks.replacements.get((BLOCK, place))
        hooks = hooks.with_replacement(BLOCK, place, _SkippedByNegatives(within, earlier))
    return replace(model, hooks=hooks)


def _unchanged(inputs: Mapping[str, Any], extra: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tokens as they come."""
    del extra
    return inputs


@dataclass(frozen=True, slots=True)
class _SkippedByNegatives:
    """In the place of a block: rows of negative entries come out as they went in.

    Attributes:
        within: when it acts.
        earlier: what another patch put in this place.
    """

    within: Interval
    earlier: Any = None

    def __call__(self, inputs: Mapping[str, Any], extra: Mapping[str, Any]) -> Mapping[str, Any]:
        options = inputs["transformer_options"]
        unwanted = options["cond_or_uncond"]
        acts = any(unwanted) and self.within.has(float(options["sigmas"].flatten()[0]))
        if acts and all(unwanted):
            return inputs
        original = extra["original_block"]
        found = self.earlier(inputs, extra) if self.earlier else original(inputs)
        return _mixed(inputs, found, unwanted) if acts else found


def _mixed(
    given: Mapping[str, Any], found: Mapping[str, Any], unwanted: Sequence[int]
) -> dict[str, Any]:
    """What a block found, but for the rows of negative entries what it was given."""
    mixed: dict[str, Any] = {}
    for name, tokens in found.items():
        if not isinstance(tokens, Tensor):
            mixed[name] = tokens
            continue
        each = len(tokens) // len(unwanted)
        rows = torch.tensor(unwanted, dtype=torch.bool, device=tokens.device)
        rows = rows.repeat_interleave(each).reshape(-1, *(1 for _ in tokens.shape[1:]))
        mixed[name] = torch.where(rows, given[name], tokens)
    return mixed
