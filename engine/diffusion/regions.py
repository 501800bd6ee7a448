"""Several conditionings at once, each with an area, a mask, a strength and a range of sigmas.

Every entry is evaluated on its own part of x and blended by weight, after MultiDiffusion (Bar-Tal
et al. 2023, eq. 5). Entries whose shapes agree share one call of the network. What an entry passes
to the network is in its `inputs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from engine.diffusion.conditioning import Input, Join, Role, Step, joinable, joined
from engine.errors import NodeError

Area = tuple[int, ...]
"""The sizes, then the offsets, along the dimensions of x behind [B, C]: (h, w, y, x)."""
Call = Callable[[Tensor, Tensor, Mapping[str, Tensor], "Sequence[Region]"], Tensor]
"""One call of the network: (x [N, C, ...], sigma [N], inputs, each [N, ...], the entries that share
the call, each with as many rows) to the denoised x."""

FEATHER = 8
"""Cells over which an area without a mask fades out towards the rest of the picture."""
SMALLEST = 8
"""Cells along a side of the area that a mask is cut to."""
NEARLY_NOTHING = 1e-37
"""The divisor where no entry applies."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One entry of a conditioning, ready for x of one shape.

    Attributes:
        inputs: the tensors passed to the network.
        area: the part of x it rules; None: all of it.
        mask: [1 or B, h, w] its weight at each cell there; None: 1 everywhere.
        strength: its weight relative to other entries.
        start, end: it is active while start >= sigma >= end.
        weight: the factor of its prediction, computed by `weighted`; None: 1 everywhere.
        role: positive or negative.
        networks: what else is evaluated for it, such as control networks and its own weights;
            entries share a call where these are the same objects.
        hooks: changes of the network's weights; entries share a call where these are equal.
        fills: its weight is what the other entries of its list leave below 1.
    """

    inputs: Mapping[str, Input]
    area: Area | None = None
    mask: Tensor | None = None
    strength: float = 1.0
    start: float = math.inf
    end: float = 0.0
    weight: Tensor | None = None
    role: Role = Role.POSITIVE
    networks: tuple[object, ...] = ()
    hooks: tuple[object, ...] = ()
    fills: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it covers all of x with equal weight."""
        return self.area is None and self.mask is None


def in_cells(area: Sequence[float | str] | None, size: Sequence[int]) -> Area | None:
    """An area in cells, from cells or from ("percentage", shares of `size`), cut to x.

    An area with fewer sides than x applies to the last axes, and to all of those before.

    Raises:
        NodeError: the area has more sides than x.
    """
    if area is None:
        return None
    is_share = area[0] == "percentage"
    numbers = [float(each) for each in area[1:]] if is_share else [int(each) for each in area]
    given = len(numbers) // 2
    before = len(size) - given
    if before < 0:
        raise NodeError(
            f"an area with {given} sides cannot be part of a latent with {len(size)}; this model "
            "takes no such areas"
        )
    sides, offsets = list(size[:before]), [0] * before
    for number, offset, side in zip(numbers[:given], numbers[given:], size[before:], strict=True):
        sides.append(max(1, round(number * side)) if is_share else int(number))
        offsets.append(round(offset * side) if is_share else int(offset))
    offsets = [min(offset, side - 1) for offset, side in zip(offsets, size, strict=True)]
    room = [side - offset for side, offset in zip(size, offsets, strict=True)]
    return (*(min(side, free) for side, free in zip(sides, room, strict=True)), *offsets)


_MODES: Mapping[int, str] = MappingProxyType({1: "linear", 2: "bilinear", 3: "trilinear"})


def fitted_mask(mask: Tensor, size: Sequence[int], rows: int) -> Tensor:
    """A mask at the size of x [rows, C, *size]: [1 or rows, *size].

    Args:
        mask: [..., *any size], one for all rows or one for each: fewer are repeated, extra ones are
            ignored. With three axes a mask [H, W] is for all frames, and [F, H, W] one for each
            frame.
        size: of x behind its channels, 1 to 3 axes.
        rows: of x.
    """
    axes = len(size)
    mask = mask.float()
    if mask.ndim < axes:
        mask = mask.reshape(*(1 for _ in range(axes - mask.ndim)), *mask.shape)
    mask = mask.reshape(-1, *mask.shape[-axes:])
    if tuple(mask.shape[1:]) != tuple(size):
        mask = functional.interpolate(
            mask[:, None], size=tuple(size), mode=_MODES[axes], align_corners=False
        )[:, 0]
    if len(mask) > 1:
        mask = mask.repeat(math.ceil(rows / len(mask)), *(1 for _ in size))[:rows]
    return mask


def bounds_of(mask: Tensor) -> Area:
    """The smallest area that holds all of a mask [B, ...], at least `SMALLEST` cells a side."""
    size = mask.shape[1:]
    found = mask.abs().amax(dim=0).nonzero()
    if not len(found):
        return (*(SMALLEST for _ in size), *(0 for _ in size))
    first = [int(each) for each in found.amin(dim=0)]
    last = [int(each) for each in found.amax(dim=0)]
    sides = (max(SMALLEST, end - start + 1) for start, end in zip(first, last, strict=True))
    return (*sides, *first)


def mirrored(ours: Sequence[Region], theirs: Sequence[Region]) -> list[Region]:
    """`theirs`, with a counterpart for every area of `ours`, so that guidance compares equal areas.

    The counterpart has the area, sigmas and strength of ours, and the inputs of the smallest of
    theirs that contains the area.
    """
    found = list(theirs)
    for our in ours:
        if our.area is None:
            continue
        holding = [other for other in found if _holds(other.area, our.area)]
        smallest = min(holding, key=_cells, default=None)
        if smallest is not None and smallest.area != our.area:
            found.append(replace(our, inputs=smallest.inputs, role=smallest.role))
    return found


def _holds(outer: Area | None, inner: Area) -> bool:
    if outer is None:
        return True
    count = len(inner) // 2
    return all(
        outer[count + side] <= inner[count + side]
        and outer[count + side] + outer[side] >= inner[count + side] + inner[side]
        for side in range(count)
    )


def _cells(region: Region) -> float:
    return math.inf if region.area is None else math.prod(region.area[: len(region.area) // 2])


def weighted(region: Region, size: Sequence[int]) -> Region:
    """The region with its weight [1 or B, 1, *sides of its area], for x of that `size`.

    A mask is the weight itself; an area without one fades towards its borders inside the picture.
    """
    if region.is_plain:
        alone = None if region.strength == 1.0 else torch.tensor(region.strength)
        return replace(region, weight=alone)
    count = len(size)
    area = region.area or (*size, *(0 for _ in size))
    if region.mask is not None:
        mask = region.mask
        for side in range(count):
            mask = mask.narrow(1 + side, area[count + side], area[side])
        return replace(region, weight=(mask * region.strength)[:, None])
    weight = torch.full((1, 1, *area[:count]), region.strength)
    for side in range(count):
        width = min(FEATHER, area[side] // 4)
        ramp = torch.arange(1, width + 1) / max(width, 1)
        shape = [-1 if dim == 2 + side else 1 for dim in range(2 + count)]
        if area[count + side] != 0:
            weight.narrow(2 + side, 0, width).mul_(ramp.reshape(shape))
        if area[side] + area[count + side] < size[side]:
            far = weight.narrow(2 + side, area[side] - width, width)
            far.mul_(ramp.flip(0).reshape(shape))
    return replace(region, weight=weight)


def moved(region: Region, device: torch.device, dtype: torch.dtype) -> Region:
    """The region on a device: the network's inputs in its dtype, the weight unchanged."""
    inputs = {name: each.to(device, dtype) for name, each in region.inputs.items()}
    weight = None if region.weight is None else region.weight.to(device)
    return replace(region, inputs=inputs, weight=weight)


class Evaluator:
    """Evaluates lists of regions on x, in as few calls as their shapes and the memory allow.

    One is created per run. It caches the inputs it stacked, since every step needs the same ones
    (except those that depend on the step), and the number of entries a call could hold.
    """

    def __init__(self, call: Call, sigmas: Tensor | None = None) -> None:
        """`call` evaluates the network; `sigmas` [steps + 1] are the run's."""
        self._call = call
        self._sigmas = torch.empty(0) if sigmas is None else sigmas.cpu()
        self._most: int | None = None
        self._stacked: dict[tuple[int, ...], dict[str, Tensor]] = {}
        self._filled: dict[tuple[int, ...], list[Region]] = {}

    def __call__(self, x: Tensor, sigma: Tensor, *lists: Sequence[Region]) -> tuple[Tensor, ...]:
        """The prediction of each list of regions for x [B, C, ...] at sigma [B]."""
        waiting = [
            (index, region)
            for index, regions in enumerate(lists)
            for region in self._complete(active(regions, sigma), x)
        ]
        parts: list[list[tuple[Region, Tensor]]] = [[] for _ in lists]
        while waiting:
            batch = [job for job in waiting if _together(waiting[0][1], job[1], x)][: self._most]
            try:
                found = self._evaluated([region for _, region in batch], x, sigma)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self._most = len(batch) // 2
                continue
            for (index, region), part in zip(batch, found, strict=True):
                parts[index].append((region, part))
            waiting = [job for job in waiting if job not in batch]
        return tuple(blended(x, each) for each in parts)

    def _complete(self, regions: list[Region], x: Tensor) -> list[Region]:
        """The regions, filling ones with their weights; computed once, as each step needs them."""
        if not any(region.fills for region in regions):
            return regions
        key = tuple(map(id, regions))
        if key not in self._filled:
            self._filled[key] = filled(regions, x)
        return self._filled[key]

    def _evaluated(self, batch: Sequence[Region], x: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
        crops = [cropped(x, region.area) for region in batch]
        stacked = torch.cat(crops) if len(crops) > 1 else crops[0]
        sigmas = sigma.expand(len(x)).repeat(len(batch))
        return self._call(stacked, sigmas, self._inputs(batch, len(x), sigma), batch).chunk(
            len(batch)
        )

    def _inputs(self, batch: Sequence[Region], rows: int, sigma: Tensor) -> dict[str, Tensor]:
        key = (rows, *map(id, batch))
        if key in self._stacked:
            return self._stacked[key]
        step = Step(sigma, self._sigmas)
        found: dict[str, Tensor] = {}
        for name in batch[0].inputs:
            found |= joined(name, [_input(region, name, step) for region in batch], rows)
        if all(each.at is None for region in batch for each in region.inputs.values()):
            self._stacked[key] = found
        return found


def filled(regions: Sequence[Region], x: Tensor) -> list[Region]:
    """Give filling regions the weight that the others leave below 1; drop them if that is 0."""
    others = [region for region in regions if not region.fills]
    lacking = torch.ones(1, 1, *x.shape[2:], device=x.device)
    for region in others:
        weight = 1.0 if region.weight is None else region.weight
        if isinstance(weight, Tensor) and weight.ndim and len(weight) > len(lacking):
            lacking = lacking.repeat(len(weight), *(1 for _ in lacking.shape[1:]))
        cropped(lacking, region.area).sub_(weight)
    lacking = lacking.clamp_(min=0.0)
    if not lacking.any():
        return others
    mask = lacking[:, 0]
    return [
        replace(region, area=None, mask=mask, weight=lacking) if region.fills else region
        for region in regions
    ]


def active(regions: Sequence[Region], sigma: Tensor) -> list[Region]:
    """The regions active at this sigma; reads it from the device only where needed."""
    if all(region.start == math.inf and region.end == 0.0 for region in regions):
        return list(regions)
    level = float(sigma.flatten()[0])
    return [region for region in regions if region.start >= level >= region.end]


def cropped(x: Tensor, area: Area | None) -> Tensor:
    """The part of x [B, C, ...] that an area names."""
    if area is None:
        return x
    count = len(area) // 2
    for side in range(count):
        x = x.narrow(2 + side, area[count + side], area[side])
    return x


def blended(x: Tensor, parts: Sequence[tuple[Region, Tensor]]) -> Tensor:
    """The mean of the parts by weight, at the size of x; 0 where no part applies."""
    if len(parts) == 1 and parts[0][0].is_plain:
        return parts[0][1]
    total = torch.zeros_like(x)
    weights = torch.full_like(x, NEARLY_NOTHING)
    for region, part in parts:
        weight = 1.0 if region.weight is None else region.weight
        cropped(total, region.area).add_(part * weight)
        cropped(weights, region.area).add_(weight)
    return total.div_(weights)


def _together(one: Region, other: Region, x: Tensor) -> bool:
    """Whether two regions can share a call."""
    if cropped(x, one.area).shape != cropped(x, other.area).shape:
        return False
    if one.inputs.keys() != other.inputs.keys():
        return False
    if len(one.networks) != len(other.networks) or one.hooks != other.hooks:
        return False
    same = all(ours is theirs for ours, theirs in zip(one.networks, other.networks, strict=True))
    return same and all(joinable(one.inputs[name], other.inputs[name]) for name in one.inputs)


def _input(region: Region, name: str, step: Step) -> Input:
    """An input of a region at a step, cut to its area where it has the shape of x."""
    found = region.inputs[name].at_step(step)
    if found.join is not Join.CROP_TO_AREA:
        return found
    return replace(found, value=cropped(found.value, region.area))
