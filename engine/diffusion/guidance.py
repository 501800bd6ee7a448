"""Guidance: combines a network's conditional and unconditional predictions for the sampler.

Plain classifier-free guidance, its rescaled and projected forms, guidance by two texts, and the
hooks with which a model changes any of these. Predictions are clean images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

ChangeOfHooks = Callable[[Any], Any]
"""From the hooks of the network's plain evaluation (`engine.nets.hooks.NetHooks`, which this
package may not import) to those of another one. The same function always makes the same change."""


class Evaluate(Protocol):
    """Evaluates the network at one step."""

    def __call__(
        self, *names: str, x: Tensor | None = None, hooks: ChangeOfHooks | None = None
    ) -> tuple[Tensor, ...]:
        """The clean image predicted for each named conditioning, in as few calls as possible.

        Args:
            names: of the guider's conditionings, and of those that `Guidance` adds.
            x: instead of the step's, of the same shape.
            hooks: changes the network's hooks for this evaluation.
        """
        ...


def no_evaluation(
    *names: str, x: Tensor | None = None, hooks: ChangeOfHooks | None = None
) -> tuple[Tensor, ...]:
    """The `Evaluate` of predictions that were made without a network; raises `LookupError`."""
    del x, hooks
    raise LookupError(f"there is no network to evaluate {', '.join(names)} with")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """The predictions of one evaluation.

    Attributes:
        x, sigma: the input: [B, C, ...] and [B].
        positive, negative: the clean images predicted for the positive and for the negative prompt.
        scale: the weight of guidance.
        evaluate: evaluates the network again at this step.
        names: of the conditionings behind `positive` and `negative`; equal where the negative was
            not evaluated.
    """

    x: Tensor
    sigma: Tensor
    positive: Tensor
    negative: Tensor
    scale: float
    evaluate: Evaluate = no_evaluation
    names: tuple[str, str] = ("positive", "negative")


Before = Callable[[Predictions], Predictions]
"""Changes predictions before they are combined."""
Combine = Callable[[Predictions], Tensor]
"""Combines predictions to one clean image."""
After = Callable[[Predictions, Tensor], Tensor]
"""Changes the combined clean image."""
Scales = Callable[[float, float], float]
"""The weight of guidance at a step, from sigma and the weight so far."""
Guided = tuple[Tensor, Tensor]
"""The guided clean image and that of the negative alone."""
Around = Callable[[Tensor, Tensor, Callable[[], Guided]], Guided]
"""Stands for a guided evaluation of x at sigma; the third argument makes it."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """A model's guidance settings. Frozen; a patch adds to it with `replace`.

    Attributes:
        before: factories of hooks, called once per run, so that a hook may keep state between
            steps.
        combine: used instead of `classifier_free`.
        after: hooks on the result, in the order added.
        always_negative: the negative is evaluated even at scale 1.
        around: hooks around the whole evaluation, the last added outermost.
        conditionings: values of CONDITIONING wires that hooks evaluate in addition to the guider's,
            by names.
        scales: change the weight of guidance by the step, one after another.
    """

    before: tuple[Callable[[], Before], ...] = ()
    combine: Combine | None = None
    after: tuple[After, ...] = ()
    always_negative: bool = False
    around: tuple[Around, ...] = ()
    conditionings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scales: tuple[Scales, ...] = ()

    def started(self) -> Hooks:
        """The hooks of one run."""
        before = tuple(make() for make in self.before)
        combine = self.combine or classifier_free
        return Hooks(before, combine, self.after, self.always_negative, self.around, self.scales)


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of one run, see `Guidance`."""

    before: tuple[Before, ...] = ()
    combine: Combine | None = None
    after: tuple[After, ...] = ()
    always_negative: bool = False
    around: tuple[Around, ...] = ()
    scales: tuple[Scales, ...] = ()

    def scale_at(self, sigma: Tensor, scale: float) -> float:
        """The weight of guidance at this step."""
        for change in self.scales:
            scale = change(float(sigma.max()), scale)
        return scale

    def skips_negative(self, scale: float) -> bool:
        """Whether the negative prediction has no effect and need not be evaluated."""
        return math.isclose(scale, 1.0) and not self.always_negative

    def guide(self, predictions: Predictions) -> Tensor:
        """The guided clean image of complete predictions."""
        for hook in self.before:
            predictions = hook(predictions)
        return self.finish(predictions, (self.combine or classifier_free)(predictions))

    def finish(self, predictions: Predictions, denoised: Tensor) -> Tensor:
        """The clean image after the hooks on the result."""
        for hook in self.after:
            denoised = hook(predictions, denoised)
        return denoised


def guided(
    evaluate: Evaluate, x: Tensor, sigma: Tensor, scale: float, hooks: Hooks, *, both: bool = False
) -> tuple[Tensor, Tensor]:
    """(guided, unguided) from the conditionings "positive" and "negative".

    At scale 1 the negative is not evaluated, unless a hook or the caller needs `both`; then the
    second is the positive prediction.
    """
    scale = hooks.scale_at(sigma, scale) if hooks.scales else scale
    if hooks.skips_negative(scale) and not both:
        return unguided(evaluate, x, sigma, hooks, scale)
    positive, negative = evaluate("positive", "negative")
    return hooks.guide(Predictions(x, sigma, positive, negative, scale, evaluate)), negative


def unguided(
    evaluate: Evaluate, x: Tensor, sigma: Tensor, hooks: Hooks, scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The same from one conditioning, "positive"."""
    (positive,) = evaluate("positive")
    alone = Predictions(x, sigma, positive, positive, scale, evaluate, ("positive", "positive"))
    return hooks.finish(alone, positive), positive


def doubly_guided(
    evaluate: Evaluate,
    x: Tensor,
    sigma: Tensor,
    *,
    scale: float,
    middle_scale: float,
    nested: bool,
    hooks: Hooks,
    both: bool = False,
) -> tuple[Tensor, Tensor]:
    """(guided, unguided) from "positive", "middle" and "negative".

    Brooks et al. 2023, "InstructPix2Pix", eq. 3: `middle_scale` weights the step from the negative
    to the middle, `scale` that from the middle to the positive. `nested`: the step from the
    negative to the combination of middle and positive by `scale`. A prediction that a scale of 1
    cancels is not evaluated, as in `guided`.
    """
    if not nested and not both and hooks.skips_negative(middle_scale):
        if math.isclose(scale, 1.0):
            return unguided(evaluate, x, sigma, hooks)
        positive, middle = evaluate("positive", "middle")
        predictions = Predictions(
            x, sigma, middle, middle, middle_scale, evaluate, ("middle", "middle")
        )
        return hooks.finish(predictions, middle) + scale * (positive - middle), middle
    positive, middle, negative = evaluate("positive", "middle", "negative")
    if nested:
        pair = ("positive", "middle")
        inner = hooks.guide(Predictions(x, sigma, positive, middle, scale, evaluate, pair))
        return negative + middle_scale * (inner - negative), negative
    pair = ("middle", "negative")
    outer = hooks.guide(Predictions(x, sigma, middle, negative, middle_scale, evaluate, pair))
    return outer + scale * (positive - middle), negative


def classifier_free(predictions: Predictions) -> Tensor:
    """Ho & Salimans 2022, "Classifier-Free Diffusion Guidance", eq. 6 for clean images."""
    positive, negative = predictions.positive, predictions.negative
    return negative + (positive - negative) * predictions.scale


def rescaled(multiplier: float) -> Combine:
    """Guidance that keeps the contrast of the unguided prediction.

    Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", eqs. 15 and 16,
    on v-predictions (Salimans & Ho 2022), regardless of what the network predicts.
    """

    def combine(predictions: Predictions) -> Tensor:
        x = predictions.x
        sigma = predictions.sigma.reshape(-1, *(1 for _ in x.shape[1:]))
        total = sigma**2 + 1.0
        to_v = total.sqrt() / sigma
        scaled = x / total
        # Differences from x, as in the incumbent: at zero SNR, where x is thousands of times larger
        # than the picture, the rounding is visible.
        positive = (scaled - (x - (x - predictions.positive))) * to_v
        negative = (scaled - (x - (x - predictions.negative))) * to_v
        plain = negative + predictions.scale * (positive - negative)
        dims = tuple(range(1, x.ndim))
        kept = positive.std(dim=dims, keepdim=True) / plain.std(dim=dims, keepdim=True)
        blend = multiplier * (plain * kept) + (1.0 - multiplier) * plain
        return x - (x - (scaled - blend / to_v))

    return combine


def projected(eta: float, norm_threshold: float, momentum: float) -> Callable[[], Before]:
    """Adaptive projected guidance, which does not oversaturate.

    Sadat et al. 2024, "Eliminating Oversaturation and Artifacts of High Guidance Scales",
    algorithm 1: the step from negative to positive, averaged over time (`momentum`), no longer
    than `norm_threshold` (0: any length), its part along the positive weighed by `eta`. The
    result is positive + scale * step.
    """

    def make() -> Before:
        running: list[Tensor] = []

        def before(predictions: Predictions) -> Predictions:
            positive, negative = predictions.positive, predictions.negative
            if predictions.scale == 0:
                return predictions
            dims = tuple(range(1, positive.ndim))
            step = positive - negative
            if momentum:
                if running:
                    step = momentum * running.pop() + step
                running.append(step)
            if norm_threshold > 0:
                norm = torch.linalg.vector_norm(step, dim=dims, keepdim=True)
                step = step * (norm_threshold / norm).clamp(max=1.0)
            length = torch.linalg.vector_norm(positive, dim=dims, keepdim=True)
            along = positive / length.clamp(min=1e-12)
            parallel = (step * along).sum(dim=dims, keepdim=True) * along
            step = (step - parallel) + eta * parallel
            # Plain guidance of this pair gives positive + scale * step.
            changed = negative + step + (positive - negative) / predictions.scale
            return replace(predictions, positive=changed)

        return before

    return make
