"""A guider's network as samplers call it: guidance, its hooks, further evaluations, masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor

from engine.diffusion.context_windows import EvaluatesRegions
from engine.diffusion.guidance import ChangeOfHooks, Guided, Hooks
from engine.diffusion.parameterization import Parameterization
from engine.diffusion.regions import Region
from engine.families.family import Run
from engine.inference.values import Guider, MaskAt, Model, Start


def started_model(
    model: Model, run: Run, sigmas: Tensor, batch_index: Sequence[int] | None = None
) -> Model:
    """The model as its patches change it for one run; see `Model.per_run`."""
    start = Start(run, sigmas, batch_index)
    for change in model.per_run:
        model = change(model, start)
    return model


@dataclass(frozen=True, slots=True, eq=False)
class Inpainting:
    """Replaces x outside a mask, see Lugmayr et al. 2022 (RePaint), eq. 8.

    Attributes:
        mask: [1 or B, 1, ...]: 1 where the sampler paints, 0 where `clean` is preserved.
        clean, noise: the latent and the noise the run started from.
        mask_at: the mask of a step, from `mask` and sigma; None: the same at every step.
        keeps_clean: see `LatentFormat`.
    """

    mask: Tensor
    clean: Tensor
    noise: Tensor
    mask_at: MaskAt | None = None
    keeps_clean: bool = False

    def at(self, sigma: Tensor) -> Inpainting:
        """This with the mask of a step."""
        if self.mask_at is None:
            return self
        return replace(self, mask=self.mask_at(self.mask, sigma), mask_at=None)

    def noised(self, x: Tensor, sigma: Tensor, parameterization: Parameterization) -> Tensor:
        """The x inside the mask; outside, the latent with the noise of sigma, or without any."""
        if self.keeps_clean:
            outside = self.clean
        else:
            outside = parameterization.add_noise(sigma[:1], self.noise, self.clean)
        return x * self.mask + outside * (1.0 - self.mask)

    def kept(self, denoised: Tensor) -> Tensor:
        """The clean image with the latent outside the mask."""
        return denoised * self.mask + self.clean * (1.0 - self.mask)


class Evaluators:
    """The evaluators of a run, one for each change of the network's hooks."""

    def __init__(self, make: Callable[[ChangeOfHooks | None], EvaluatesRegions]) -> None:
        """`make` makes the evaluator with changed hooks, or with the plain ones."""
        self._make = make
        self._made: dict[ChangeOfHooks | None, EvaluatesRegions] = {}

    def of(self, change: ChangeOfHooks | None = None) -> EvaluatesRegions:
        """The evaluator with changed hooks, or with the plain ones."""
        if change not in self._made:
            self._made[change] = self._make(change)
        return self._made[change]


@dataclass(frozen=True, slots=True, eq=False)
class OtherNetwork:
    """The network of a second model in a run, see `DualModelGuider`.

    Attributes:
        named: the conditionings that it predicts, by name, on the device.
        first, second: entered around each evaluation of the guider's model, and of this one: they
            put that model's weights in their places.
    """

    evaluators: Evaluators
    named: Mapping[str, Sequence[Region]]
    first: Callable[[], AbstractContextManager[object]] = nullcontext
    second: Callable[[], AbstractContextManager[object]] = nullcontext

    def evaluated(
        self, names: Sequence[str], x: Tensor, sigma: Tensor, change: ChangeOfHooks | None
    ) -> tuple[Tensor, ...]:
        """Its predictions for these conditionings."""
        if not names:
            return ()
        with self.second():
            return self.evaluators.of(change)(x, sigma, *(self.named[name] for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class GuidedNetwork:
    """A guider's network as the `GuidedDenoiser` that samplers call.

    Attributes:
        guider: combines predictions.
        hooks: the run's.
        named: the conditionings by name, on the device.
        inpainting: replaces x where the latent stays.
        other: the network of another model, and the conditionings that it predicts.
    """

    guider: Guider
    hooks: Hooks
    parameterization: Parameterization
    evaluators: Evaluators
    named: Mapping[str, Sequence[Region]]
    inpainting: Inpainting | None = None
    other: OtherNetwork | None = None

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The guided clean image."""
        return self._guide(x, sigma, both=False)[0]

    def with_unguided(self, x: Tensor, sigma: Tensor) -> Guided:
        """The guided clean image and that of the negative alone."""
        return self._guide(x, sigma, both=True)

    def _evaluated(
        self, names: Sequence[str], x: Tensor, sigma: Tensor, change: ChangeOfHooks | None
    ) -> tuple[Tensor, ...]:
        lists = [self.named[name] for name in names]
        return self.evaluators.of(change)(x, sigma, *lists) if lists else ()

    def _guide(self, x: Tensor, sigma: Tensor, *, both: bool) -> Guided:
        painting = None if self.inpainting is None else self.inpainting.at(sigma)
        if painting is not None:
            x = painting.noised(x, sigma, self.parameterization)
        step_x = x

        def evaluate(
            *names: str, x: Tensor | None = None, hooks: ChangeOfHooks | None = None
        ) -> tuple[Tensor, ...]:
            at = step_x if x is None else x
            if self.other is None:
                return self._evaluated(names, at, sigma, hooks)
            others = [name for name in names if name in self.other.named]
            mine = [name for name in names if name not in self.other.named]
            with self.other.first():
                found = dict(zip(mine, self._evaluated(mine, at, sigma, hooks), strict=True))
            found |= zip(others, self.other.evaluated(others, at, sigma, hooks), strict=True)
            return tuple(found[name] for name in names)

        guide = partial(self.guider.guide, evaluate, x, sigma, self.hooks, both=both)
        for around in self.hooks.around:
            guide = partial(around, x, sigma, guide)
        guided, unguided = guide()
        if painting is not None:
            guided = painting.kept(guided)
        return guided, unguided
