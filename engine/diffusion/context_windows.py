"""Context windows: a long video is predicted in overlapping parts, which are blended at each step.

The blending is MultiDiffusion's (Bar-Tal et al. 2023, eq. 5) along one axis. Which windows a step
has, and how their items are weighed, is after AnimateDiff's long videos; the noise after FreeNoise
(Qiu et al. 2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input, Join, Step
from engine.diffusion.regions import Evaluator, Region
from engine.errors import NodeError

Window = tuple[int, ...]
"""The indices of the items of one window, along the axis."""
LEAST = 1e-37
"""The weight at the ends of a ramp, so that no item has none."""
_FRACTION_BITS = 64


class Schedule(StrEnum):
    """Which windows a step has.

    Attributes:
        STATIC: the same at every step, one after another; the last one ends at the end.
        UNIFORM: other ones at each step, also of items farther apart; none runs over the end.
        LOOPED: the same, over the end to the start.
        BATCHED: one after another without an overlap; the last one may be shorter.
    """

    STATIC = "standard_static"
    UNIFORM = "standard_uniform"
    LOOPED = "looped_uniform"
    BATCHED = "batched"


class Fuse(StrEnum):
    """How the items of a window are weighed.

    Attributes:
        PYRAMID: rising to the middle and falling from it.
        RELATIVE: by the distance from the middle, down to a hundredth.
        FLAT: equally.
        OVERLAP_LINEAR: rising and falling over the overlaps only.
    """

    PYRAMID = "pyramid"
    RELATIVE = "relative"
    FLAT = "flat"
    OVERLAP_LINEAR = "overlap-linear"


@dataclass(frozen=True, slots=True)
class ContextWindows:
    """The windows of a model.

    Attributes:
        length: items of a window; a latent with no more of them has no windows.
        overlap: items that neighbours share, fewer than `length`.
        schedule: which windows a step has.
        stride: of uniform schedules: windows of items 1, 2, 4 ... apart, up to 2^(stride - 1).
        closed_loop: of `LOOPED`: the end continues at the start.
        fuse: how windows are blended.
        dim: the axis of x [B, C, ...]: 0 where rows are frames, 2 for the frames of a video.
        free_noise: the noise of later windows is that of the first one, in another order.
    """

    length: int
    overlap: int
    schedule: Schedule = Schedule.STATIC
    stride: int = 1
    closed_loop: bool = False
    fuse: Fuse = Fuse.PYRAMID
    dim: int = 0
    free_noise: bool = False

    def length_in(self, shape: Sequence[int]) -> int:
        """The most items along the axis that one call has, for x of that shape."""
        return min(shape[self.dim], self.length) if self.dim < len(shape) else 0

    def split(self, count: int, step: int) -> list[Window]:
        """The windows of a step, for that many items. Every item is in one of them."""
        found = list(_SCHEDULES[self.schedule](self, count, step))
        missing = sorted(set(range(count)) - {index for window in found for index in window})
        if missing:  # of strides and overlaps that leave gaps
            found += [
                tuple(missing[start : start + self.length])
                for start in range(0, len(missing), self.length)
            ]
        return found

    def weights(self, window: Window, count: int) -> Tensor:
        """The weight of each item of a window, float32, of `count` items in all."""
        return _WEIGHTS[self.fuse](self, window, count)

    def shuffled(self, noise: Tensor, seed: int) -> Tensor:
        """The noise of a run [B, C, ...], with that of later windows from earlier ones.

        FreeNoise, section 4.1: behind the first window each part is a permutation of the part one
        window before it.
        """
        count = noise.shape[self.dim] if self.dim < noise.ndim else 0
        if not self.free_noise or count <= self.length:
            return noise
        generator = torch.Generator().manual_seed(seed)
        order = list(range(count))
        for start in range(0, count - self.length, self.length - self.overlap):
            place = start + self.length
            many = min(self.length - self.overlap, count - place)
            for to, source in enumerate(torch.randperm(many, generator=generator).tolist()):
                order[place + to] = order[start + source]
        return noise.index_select(self.dim, torch.tensor(order, device=noise.device))


def _static(windows: ContextWindows, count: int, step: int) -> Iterator[Window]:
    del step
    for start in range(0, count, windows.length - windows.overlap):
        last = start + windows.length >= count
        first = max(0, count - windows.length) if last else start
        yield tuple(range(first, min(first + windows.length, count)))
        if last:
            return


def _batched(windows: ContextWindows, count: int, step: int) -> Iterator[Window]:
    del step
    for start in range(0, count, windows.length):
        yield tuple(range(start, min(start + windows.length, count)))


def _looped(windows: ContextWindows, count: int, step: int) -> Iterator[Window]:
    """Windows whose start moves with the step, through a sequence that covers all evenly."""
    share = _halving(step)
    moved = round(count * share)
    most = min(windows.stride, math.ceil(math.log2(count / windows.length)) + 1)
    for apart in (1 << power for power in range(most)):
        end = count + moved - (0 if windows.closed_loop else windows.overlap)
        span = windows.length * apart
        for start in range(int(share * apart) + moved, end, span - windows.overlap):
            yield tuple(index % count for index in range(start, start + span, apart))


def _uniform(windows: ContextWindows, count: int, step: int) -> Iterator[Window]:
    """The same, where a window over the end is moved before it, and one begins at the start."""
    plain = replace(windows, closed_loop=False)
    found = list(_looped(plain, count, step))
    place = 0
    while place < len(found):
        window = found[place]
        over = next((n for n in range(1, len(window)) if window[n] < window[n - 1]), None)
        if over is not None:
            from_start = [(index - window[0]) % count for index in window]
            room = count - 1 - max(from_start)
            found[place] = tuple(index + room for index in from_start)
            first = window[over]
            if first not in found[(place + 1) % len(found)]:
                end = min(first + windows.length, count)
                found.insert(place + 1, tuple(range(first, end)))
        place += 1
    return iter(dict.fromkeys(found))


def _halving(step: int) -> float:
    """The van der Corput sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8 ..."""
    bits = f"{step:0{_FRACTION_BITS}b}"[::-1]
    return int(bits, 2) / (1 << _FRACTION_BITS)


_SCHEDULES: Mapping[Schedule, Callable[[ContextWindows, int, int], Iterator[Window]]] = (
    MappingProxyType(
        {
            Schedule.STATIC: _static,
            Schedule.UNIFORM: _uniform,
            Schedule.LOOPED: _looped,
            Schedule.BATCHED: _batched,
        }
    )
)


def _pyramid(windows: ContextWindows, window: Window, count: int) -> Tensor:
    del windows, count
    rising = torch.arange(1, len(window) + 1, dtype=torch.float32)
    return torch.minimum(rising, rising.flip(0))


def _relative(windows: ContextWindows, window: Window, count: int) -> Tensor:
    del windows, count
    index = torch.tensor(window, dtype=torch.float32)
    middle, half = (window[0] + window[-1]) / 2, (window[-1] - window[0] + 1e-2) / 2
    return (1 - (index - middle).abs() / half).clamp(min=1e-2)


def _flat(windows: ContextWindows, window: Window, count: int) -> Tensor:
    del windows, count
    return torch.ones(len(window))


def _overlap_linear(windows: ContextWindows, window: Window, count: int) -> Tensor:
    found = torch.ones(len(window))
    many = min(windows.overlap, len(window))
    ramp = torch.linspace(LEAST, 1.0, many)
    if min(window) > 0:
        found[:many] = ramp
    if many and max(window) < count - 1:
        found[-many:] = ramp.flip(0)
    return found


_WEIGHTS: Mapping[Fuse, Callable[[ContextWindows, Window, int], Tensor]] = MappingProxyType(
    {
        Fuse.PYRAMID: _pyramid,
        Fuse.RELATIVE: _relative,
        Fuse.FLAT: _flat,
        Fuse.OVERLAP_LINEAR: _overlap_linear,
    }
)


class WindowedEvaluator:
    """An `Evaluator` that is called for one window after another."""

    def __init__(
        self,
        windows: ContextWindows,
        make: Callable[[], Evaluator],
        sigmas: Tensor,
        on_window: Callable[[Window | None], None],
    ) -> None:
        """Take what a run needs.

        Args:
            windows: how x is split.
            make: an evaluator of the network.
            sigmas: [steps + 1] of the run.
            on_window: called before each window with its rows where rows are split, and at the
                end with None.
        """
        self._windows, self._make, self._sigmas = windows, make, sigmas
        self._on_window = on_window
        self._whole = make()
        self._cut: dict[Window, dict[int, tuple[Region, Region]]] = {}
        self._evaluators: dict[Window, Evaluator] = {}

    def __call__(self, x: Tensor, sigma: Tensor, *lists: Sequence[Region]) -> tuple[Tensor, ...]:
        """The prediction of each list of regions for x [B, C, ...] at sigma [B].

        Raises:
            NodeError: x has no such axis, or an entry has an area along it.
        """
        dim, windows = self._windows.dim, self._windows
        if dim == 1 or dim >= x.ndim:
            raise NodeError(
                f"dim of the context windows is {dim}; the latent has the axes "
                f"{', '.join(str(n) for n in range(x.ndim) if n != 1)} to split (0: its rows)"
            )
        count = x.shape[dim]
        if count <= windows.length:
            return self._whole(x, sigma, *lists)
        totals = [torch.zeros_like(x) for _ in lists]
        summed = torch.zeros(count)
        step = Step(sigma, self._sigmas).index
        self._forget_others(split := windows.split(count, step))
        for window in split:
            index = torch.tensor(window, device=x.device)
            weights = windows.weights(window, count)
            summed.index_add_(0, torch.tensor(window), weights)
            self._on_window(window if dim == 0 else None)
            found = self._of_window(window, x.index_select(dim, index), sigma, lists, x)
            weights = weights.to(x).reshape(-1, *(1 for _ in x.shape[dim + 1 :]))
            for total, part in zip(totals, found, strict=True):
                total.index_add_(dim, index, part * weights)
        self._on_window(None)
        summed = summed.to(x).reshape(-1, *(1 for _ in x.shape[dim + 1 :]))
        return tuple(total / summed for total in totals)

    def _forget_others(self, split: Sequence[Window]) -> None:
        """Drop what was cut for windows that this step has not."""
        for window in set(self._cut) - set(split):
            del self._cut[window]
            del self._evaluators[window]

    def _of_window(
        self,
        window: Window,
        part: Tensor,
        sigma: Tensor,
        lists: Sequence[Sequence[Region]],
        x: Tensor,
    ) -> tuple[Tensor, ...]:
        if window not in self._evaluators:
            self._evaluators[window], self._cut[window] = self._make(), {}
        known = self._cut[window]
        for region in (each for many in lists for each in many):
            if id(region) not in known:
                known[id(region)] = region, _cut(region, window, self._windows.dim, x)
        if self._windows.dim == 0 and len(sigma) == len(x):
            sigma = sigma[list(window)]
        cut = [[known[id(region)][1] for region in many] for many in lists]
        return self._evaluators[window](part, sigma, *cut)


EvaluatesRegions = Evaluator | WindowedEvaluator
"""What evaluates lists of regions, as a whole or in windows."""


def in_windows(
    windows: ContextWindows | None,
    make: Callable[[], Evaluator],
    sigmas: Tensor,
    on_window: Callable[[Window | None], None],
) -> EvaluatesRegions:
    """What `make` makes, or the same in windows, where there are some."""
    return make() if windows is None else WindowedEvaluator(windows, make, sigmas, on_window)


def _cut(region: Region, window: Window, dim: int, x: Tensor) -> Region:
    """A region for one window of x."""
    count = x.shape[dim]
    inputs = {
        name: each.each(lambda value, each=each: _cut_value(each, value, window, dim, x))
        for name, each in region.inputs.items()
    }
    area = region.area
    if area is not None and dim >= 2:
        sides = len(area) // 2
        if (area[dim - 2], area[sides + dim - 2]) != (count, 0):
            raise NodeError(
                "a conditioning has an area along the axis of the context windows; take the area "
                "or the windows out, or give it a mask"
            )
        area = (*area[: dim - 2], len(window), *area[dim - 1 :])
    mask, weight = region.mask, region.weight
    if mask is not None:  # [1 or B, ...], without channels
        mask = _picked(mask, 0 if dim == 0 else dim - 1, window, count)
    if weight is not None and weight.ndim:
        weight = _picked(weight, dim, window, count)
    return replace(region, inputs=inputs, area=area, mask=mask, weight=weight)


def _cut_value(given: Input, value: Tensor, window: Window, dim: int, x: Tensor) -> Tensor:
    """An input's value for one window."""
    is_frames = dim == 0 or (dim == 2 and x.ndim == 5)
    axis = given.frame_axis
    if axis is not None and is_frames and value.shape[axis] == x.shape[dim]:
        if given.join is Join.WHOLE:
            return value.narrow(axis, 0, len(window))
        return _picked(value, axis, window, x.shape[dim])
    if dim == 0:
        return _picked(value, 0, window, x.shape[0])
    return _picked(value, dim, window, x.shape[dim]) if given.join is Join.CROP_TO_AREA else value


def _picked(value: Tensor, axis: int, window: Window, count: int) -> Tensor:
    """The items of a window along an axis; fewer rows than x has are repeated from the start."""
    has = value.shape[axis] if axis < value.ndim else 1
    if has == 1 or (axis != 0 and has != count):
        return value
    return value.index_select(axis, torch.tensor(window, device=value.device) % has)
