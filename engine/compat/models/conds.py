# pyright: basic
"""The inputs of a network from one entry of a conditioning (`comfy.conds`)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

MOST_REPEATS = 4
"""How often a short text is repeated to share a call with a long one."""


class CONDRegular:
    """A tensor [1 or B, ...] that shares a call with others of its shape."""

    def __init__(self, cond: Any) -> None:
        self.cond = cond

    def _copy_with(self, cond: Any) -> Any:
        return self.__class__(cond)

    def process_cond(self, batch_size: int, device: Any = None, **kwargs: Any) -> Any:
        """The same with a row for each of the batch."""
        return self._copy_with(_repeated(self.cond, batch_size, device))

    def can_concat(self, other: Any) -> bool:
        """Whether both can be rows of one tensor."""
        return self.cond.shape == other.cond.shape

    def concat(self, others: list[Any]) -> Tensor:
        """This and the others as rows of one tensor."""
        return torch.cat([self.cond, *(each.cond for each in others)])

    def size(self) -> list[int]:
        """Its shape."""
        return list(self.cond.size())


class CONDNoiseShape(CONDRegular):
    """A tensor of the latent's shape, which is cut to an entry's area as the latent is."""

    def process_cond(
        self, batch_size: int, device: Any = None, area: Any = None, **kwargs: Any
    ) -> Any:
        """The part in the area (sizes, then offsets, of the axes after the channels)."""
        data = self.cond
        if area is not None:
            axes = len(area) // 2
            for axis in range(axes):
                data = data.narrow(axis + 2, area[axes + axis], area[axis])
        return self._copy_with(_repeated(data, batch_size, device))


class CONDCrossAttn(CONDRegular):
    """A text [B, T, D]; shorter ones are repeated to a common length."""

    def can_concat(self, other: Any) -> bool:
        """Whether the lengths have a small enough common multiple."""
        ours, theirs = self.cond.shape, other.cond.shape
        if ours == theirs:
            return True
        if ours[0] != theirs[0] or ours[2] != theirs[2]:
            return False
        common = math.lcm(ours[1], theirs[1])
        return common // min(ours[1], theirs[1]) <= MOST_REPEATS

    def concat(self, others: list[Any]) -> Tensor:
        """All texts as rows, repeated to their common length."""
        texts = [self.cond, *(each.cond for each in others)]
        length = math.lcm(*(text.shape[1] for text in texts))
        return torch.cat([text.repeat(1, length // text.shape[1], 1) for text in texts])


class CONDConstant(CONDRegular):
    """A value that is the same for all rows; entries with another value get a call of their own."""

    def process_cond(self, batch_size: int, device: Any = None, **kwargs: Any) -> Any:
        """The same."""
        return self._copy_with(self.cond)

    def can_concat(self, other: Any) -> bool:
        """Whether the values are equal."""
        return self.cond == other.cond

    def concat(self, others: list[Any]) -> Any:
        """The value."""
        return self.cond

    def size(self) -> list[int]:
        """That of one number."""
        return [1]


class CONDList(CONDRegular):
    """A list of tensors, such as reference latents."""

    def process_cond(self, batch_size: int, device: Any = None, **kwargs: Any) -> Any:
        """Each with a row for each of the batch."""
        return self._copy_with([_repeated(each, batch_size, device) for each in self.cond])

    def can_concat(self, other: Any) -> bool:
        """Whether the lists have tensors of the same shapes."""
        if len(self.cond) != len(other.cond):
            return False
        return all(a.shape == b.shape for a, b in zip(self.cond, other.cond, strict=True))

    def concat(self, others: list[Any]) -> list[Tensor]:
        """Item by item."""
        lists = [self.cond, *(each.cond for each in others)]
        return [torch.cat(items) for items in zip(*lists, strict=True)]

    def size(self) -> list[int]:
        """The shape of one tensor with all the numbers."""
        return [1, sum(each.numel() for each in self.cond)]


def _repeated(tensor: Tensor, rows: int, device: Any) -> Tensor:
    tensor = tensor.to(device) if device is not None else tensor
    if tensor.shape[0] >= rows:
        return tensor[:rows]
    return tensor.repeat(math.ceil(rows / tensor.shape[0]), *(1,) * (tensor.ndim - 1))[:rows]
