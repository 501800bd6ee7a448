"""Caches that leave out evaluations of a network where they would change little.

Zhou et al. 2025, "Less is Enough: Training-Free Video Diffusion Acceleration via Runtime-Adaptive
Caching" (EasyCache): the change of the output between two steps, relative to that of x, is nearly
constant. So the change of x tells how far the output would move; until the sum of these movements
reaches a threshold, a step takes x plus the last difference of output and x.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.diffusion.guidance import Guided
from engine.diffusion.regions import Region
from engine.inference.values import Model, PerRun, Start

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CacheRange:
    """When evaluations may be left out.

    Attributes:
        threshold: of the summed relative change of the output.
        start, end: shares of sampling, 0..1; before and after, every step is evaluated.
        verbose: each step that is left out is logged.
    """

    threshold: float
    start: float
    end: float
    verbose: bool = False


class ChangeEstimate:
    """Estimates how far an output has moved since it was last computed (the paper's eqs. 5 to 8).

    Sizes are mean absolute values. An x of another shape is that of another entry, as when a range
    of time ends or begins; nothing is known of it.
    """

    def __init__(self, range_: CacheRange, model: Model) -> None:
        to_sigma = model.parameterization.percent_to_sigma
        self._range = range_
        self._first, self._last = to_sigma(range_.start), to_sigma(range_.end)
        self._x: Tensor | None = None
        self._computed: tuple[Tensor, Tensor] | None = None
        self._rate: float | None = None
        self._moved = 0.0

    def leaves_out(self, x: Tensor, sigma: float) -> bool:
        """Whether the last output serves for x; called once for each evaluation, in order."""
        before, self._x = self._x, x
        if before is not None and before.shape != x.shape:
            self._computed = self._rate = None
            self._moved = 0.0
        if before is None or self._computed is None or self._rate is None:
            return False
        size = _size(self._computed[1])
        inside = self._first >= sigma > self._last
        if inside and size:
            self._moved += self._rate * _size(x - before) / size
            if self._moved < self._range.threshold:
                if self._range.verbose:
                    _LOGGER.warning("left out at sigma %g: moved by %.4f", sigma, self._moved)
                return True
        self._moved = 0.0
        return False

    def computed(self, x: Tensor, output: Tensor) -> None:
        """Record an output that was computed for x."""
        if self._computed is not None:
            change = _size(x - self._computed[0])
            self._rate = _size(output - self._computed[1]) / change if change else None
        self._computed = x, output


def _size(values: Tensor) -> float:
    return float(values.abs().mean())


def with_easy_cache(model: Model, range_: CacheRange) -> Model:
    """The model with a cache at each call of its network.

    A step is judged by its first entry; each entry has its own difference of output and x.
    """

    def start(model: Model, start: Start) -> Model:
        del start
        step = _Step(ChangeEstimate(range_, model))
        around = (*model.around_calls, lambda: _EntryCache(step))
        return replace(model, around_calls=around)

    return replace(model, per_run=(*model.per_run, start))


class _Step:
    """The decision of one step, shared by the calls of all evaluations."""

    def __init__(self, estimate: ChangeEstimate) -> None:
        self.number = 0
        self.left_out = False
        self._estimate = estimate
        self._sigma: float | None = None
        self._is_first = False

    def begin(self, x: Tensor, sigma: Tensor) -> None:
        """Decide at the first call of a step; x [B, C, ...] is that of its first entry."""
        level = float(sigma.flatten()[0])
        self._is_first = level != self._sigma
        if self._is_first:
            self._sigma = level
            self.number += 1
            self.left_out = self._estimate.leaves_out(x, level)

    def computed(self, x: Tensor, output: Tensor) -> None:
        """Record the first entry's output of a step."""
        if self._is_first:
            self._estimate.computed(x, output)


class _EntryCache:
    """An `AroundCall`: the last difference of output and x for each entry."""

    def __init__(self, step: _Step) -> None:
        self._step = step
        self._differences: dict[int, tuple[int, Region, Tensor]] = {}

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor,
        entries: Sequence[Region],
        evaluate: Callable[[], Tensor],
    ) -> Tensor:
        parts = x.chunk(len(entries))
        self._step.begin(parts[0], sigma)
        cached = [self._differences.get(id(entry)) for entry in entries]
        if self._step.left_out and all(
            each is not None and each[2].shape == part.shape
            for each, part in zip(cached, parts, strict=True)
        ):
            return torch.cat(
                [part + each[2] for part, each in zip(parts, cached, strict=True) if each]
            )
        output = evaluate()
        if output.shape != x.shape:
            return output
        results = output.chunk(len(entries))
        self._step.computed(parts[0], results[0])
        for entry, known, part, result in zip(entries, cached, parts, results, strict=True):
            # A second evaluation within a step may be of another x.
            if known is None or known[0] != self._step.number:
                self._differences[id(entry)] = self._step.number, entry, result - part
        return output


def with_lazy_cache(model: Model, range_: CacheRange) -> Model:
    """The model with a cache of its guided prediction, whatever its guidance evaluates."""
    return replace(model, per_run=(*model.per_run, _lazy(range_)))


def _lazy(range_: CacheRange) -> PerRun:
    def start(model: Model, start: Start) -> Model:
        del start
        estimate = ChangeEstimate(range_, model)
        last: list[Guided] = []

        def around(x: Tensor, sigma: Tensor, guide: Callable[[], Guided]) -> Guided:
            if estimate.leaves_out(x, float(sigma.flatten()[0])) and last:
                return x + last[0][0], x + last[0][1]
            guided, unguided = guide()
            estimate.computed(x, guided)
            last[:] = [(guided - x, unguided - x)]
            return guided, unguided

        guidance = replace(model.guidance, around=(*model.guidance.around, around))
        return replace(model, guidance=guidance)

    return start
