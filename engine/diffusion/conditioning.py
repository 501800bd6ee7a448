"""The tensors that a conditioning entry passes to a network, and how entries share a call.

Entries of a batch may differ in length, or cover only a part of the picture. Each input declares
how it may be batched, because that depends on the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional

MOST_REPEATS = 4
"""The maximum number of times a short text is repeated to share a call with a long one."""


class Role(StrEnum):
    """Whether an entry is a positive or a negative prompt."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The position of one network call within a run.

    Attributes:
        sigma: [B] or [1] of the call, on the device.
        sigmas: [steps + 1] of the run, falling, on the CPU; empty where there is no run.
    """

    sigma: Tensor
    sigmas: Tensor

    @property
    def level(self) -> float:
        """The sigma as a number; synchronises with the device."""
        return float(self.sigma.flatten()[0])

    @property
    def index(self) -> int:
        """The index of the step of the call, from 0; calls within one step share it."""
        # Levels that differ only by rounding are the same level.
        reached = int((self.sigmas >= self.level * (1 - 1e-5)).sum())
        return min(max(reached - 1, 0), max(len(self.sigmas) - 2, 0))


class Join(StrEnum):
    """How an input of one entry shares a call with the same input of another.

    Attributes:
        SAME: only with the same shape.
        PAD_WITH_MASK: texts [., T, D] of different lengths are padded with zeros, and a mask [., T]
            named `<name>_mask` marks the tokens that count.
        REPEAT: texts of different lengths are repeated to a common length. Correct for
            cross-attention only: softmax attention over a repeated text is attention over the text.
        CROP_TO_AREA: has the shape of x [., C, ...] and is cut to the entry's area as x is.
        WHOLE: describes the whole picture, whatever the area; shared only with the same shape.
    """

    SAME = "same"
    PAD_WITH_MASK = "pad_with_mask"
    REPEAT = "repeat"
    CROP_TO_AREA = "crop_to_area"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One tensor that an entry passes to the network.

    Attributes:
        value: [1, ...], or [B, ...] with a row for each latent of the batch.
        join: see `Join`.
        at: the value at a step, of the same shape; None if it is the same at every step.
        frame_axis: the axis with an item for each frame, of one that has not the shape of x. With
            `WHOLE` the items are the frames' numbers within their part of the video.
    """

    value: Tensor
    join: Join = Join.SAME
    at: Callable[[Step], Tensor] | None = None
    frame_axis: int | None = None

    def to(self, device: torch.device, dtype: torch.dtype) -> Input:
        """The input on a device; floating-point values in `dtype`."""

        def moved(value: Tensor) -> Tensor:
            return value.to(device, dtype if value.is_floating_point() else value.dtype)

        return self.each(moved)

    def each(self, change: Callable[[Tensor], Tensor]) -> Input:
        """The input with changed values, at every step."""
        at = self.at
        later = None if at is None else lambda step: change(at(step))
        return replace(self, value=change(self.value), at=later)

    def at_step(self, step: Step) -> Input:
        """The input with its value at a step."""
        return self if self.at is None else replace(self, value=self.at(step), at=None)


def joinable(one: Input, other: Input) -> bool:
    """Whether two inputs can be rows of one tensor."""
    ours, theirs = one.value, other.value
    if one.join is not other.join:
        return False
    if one.join is Join.CROP_TO_AREA:
        return ours.shape[1] == theirs.shape[1]
    if ours.shape[1:] == theirs.shape[1:]:
        return True
    if one.join not in (Join.REPEAT, Join.PAD_WITH_MASK):
        return False
    if ours.ndim != 3 or theirs.ndim != 3 or ours.shape[2] != theirs.shape[2]:
        return False
    if one.join is Join.PAD_WITH_MASK:
        return True
    common = math.lcm(ours.shape[1], theirs.shape[1])
    return common // min(ours.shape[1], theirs.shape[1]) <= MOST_REPEATS


def joined(name: str, inputs: Sequence[Input], rows: int) -> dict[str, Tensor]:
    """The inputs of several entries as one tensor, `rows` rows each, with a mask where needed.

    A batch with fewer rows is repeated from its start; of one with more, the first rows are used.
    """
    join, values = inputs[0].join, [each.value for each in inputs]
    lengths = {value.shape[1] for value in values} if values[0].ndim == 3 else set[int]()
    masks: list[Tensor] = []
    if join is Join.REPEAT and len(lengths) > 1:
        length = math.lcm(*lengths)
        values = [value.repeat(1, length // value.shape[1], 1) for value in values]
    elif join is Join.PAD_WITH_MASK and len(lengths) > 1:
        length = max(lengths)
        masks = [
            (torch.arange(length, device=value.device) < value.shape[1]).expand(rows, length)
            for value in values
        ]
        values = [functional.pad(value, (0, 0, 0, length - value.shape[1])) for value in values]
    stacked = {name: torch.cat([_rows(value, rows) for value in values])}
    if masks:
        stacked[f"{name}_mask"] = torch.cat(masks)
    return stacked


def _rows(value: Tensor, rows: int) -> Tensor:
    if len(value) == rows:
        return value
    if len(value) == 1:
        return value.expand(rows, *value.shape[1:])
    return value.repeat(math.ceil(rows / len(value)), *(1 for _ in value.shape[1:]))[:rows]
