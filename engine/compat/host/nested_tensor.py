"""`comfy.nested_tensor`: several tensors of different shapes that pass as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor


class NestedTensor:
    """Tensors that are changed together, as a video's latent and its sound's.

    Attributes:
        tensors: the parts.
        is_nested: True, which tells it from a tensor.
    """

    is_nested = True

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = list(tensors)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)([change(each) for each in self.tensors])

    def _with(self, other: Any, change: Callable[[Tensor, Any], Tensor]) -> Self:
        others = other.tensors if isinstance(other, NestedTensor) else [other] * len(self.tensors)
        pairs = zip(self.tensors, others, strict=False)
        return type(self)([change(mine, theirs) for mine, theirs in pairs])

    def copy(self) -> Self:
        """The same parts in a new value."""
        return self._each(lambda each: each)

    def clone(self) -> Self:
        """Copies of the parts."""
        return self._each(torch.clone)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The parts on another device or in another dtype."""
        return self._each(lambda each: each.to(*args, **kwargs))

    def new_ones(self, *args: Any, **kwargs: Any) -> Tensor:
        """Ones like the first part."""
        return self.tensors[0].new_ones(*args, **kwargs)

    def float(self) -> Self:
        """The parts in fp32."""
        return self._each(torch.Tensor.float)

    def cpu(self) -> Self:
        """The parts in main memory."""
        return self._each(torch.Tensor.cpu)

    def chunk(self, *args: Any, **kwargs: Any) -> list[Self]:
        """Each part in pieces, and the pieces together."""
        pieces = [each.chunk(*args, **kwargs) for each in self.tensors]
        return [type(self)(each) for each in zip(*pieces, strict=False)]

    def unbind(self) -> list[Tensor]:
        """The parts."""
        return self.tensors

    def size(self) -> torch.Size:
        """The shape of the first part."""
        return self.tensors[0].size()

    @property
    def shape(self) -> torch.Size:
        """The shape of the first part."""
        return self.tensors[0].shape

    @property
    def ndim(self) -> int:
        """The largest number of axes."""
        return max(each.ndim for each in self.tensors)

    @property
    def device(self) -> torch.device:
        """That of the first part."""
        return self.tensors[0].device

    @property
    def dtype(self) -> torch.dtype:
        """That of the first part."""
        return self.tensors[0].dtype

    @property
    def layout(self) -> torch.layout:
        """That of the first part."""
        return self.tensors[0].layout

    def __getitem__(self, key: Any) -> Self:
        return self._each(lambda each: each[key])

    def __add__(self, other: Any) -> Self:
        return self._with(other, lambda mine, theirs: mine + theirs)

    def __radd__(self, other: Any) -> Self:
        return self._with(other, lambda mine, theirs: theirs + mine)

    def __sub__(self, other: Any) -> Self:
        return self._with(other, lambda mine, theirs: mine - theirs)

    def __rsub__(self, other: Any) -> Self:
        return self._with(other, lambda mine, theirs: theirs - mine)

    def __mul__(self, other: Any) -> Self:
        return self._with(other, lambda mine, theirs: mine * theirs)

    def __rmul__(self, other: Any) -> Self:
        return self._with(other, lambda mine, theirs: theirs * mine)

    def __truediv__(self, other: Any) -> Self:
        return self._with(other, lambda mine, theirs: mine / theirs)

    def __repr__(self) -> str:
        return f"NestedTensor({[tuple(each.shape) for each in self.tensors]})"


def cat_nested(tensors: Sequence[NestedTensor], *args: Any, **kwargs: Any) -> NestedTensor:
    """The parts of several joined, first to first."""
    joined = zip(*(each.tensors for each in tensors), strict=False)
    return NestedTensor([torch.cat(parts, *args, **kwargs) for parts in joined])
