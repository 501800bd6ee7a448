"""Changes of some rows of a tensor: of one of several projections that our network stores as one.

Other programs store the query, key and value projections of a transformer apart; the networks whose
original layout joins them have one matrix. An adapter of one projection changes its rows only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.adapters.change import Change
from engine.adapters.parts import Shape
from engine.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows [start, stop) of a module's tensors, which are a module of its own elsewhere.

    Attributes:
        module: ours.
        start, stop: the rows, counted from 0.
        swapped: whether the others have the two halves of these rows in the other order, as
            diffusers has scale and shift of a last modulation.
    """

    module: str
    start: int
    stop: int
    swapped: bool = False

    def shape(self, whole: Shape) -> Shape:
        """The shape of these rows of a tensor.

        Raises:
            WeightsError: the tensor has fewer rows.
        """
        if not whole or self.stop > whole[0]:
            raise WeightsError(
                f"{self.module} has {whole[0] if whole else 0:,} rows, and rows {self.start:,} to "
                f"{self.stop:,} are to be changed"
            )
        return (self.stop - self.start, *whole[1:])

    def of(self, tensor: Tensor) -> Tensor:
        """These rows in the others' order; a view where the order is ours."""
        return self._in_order(tensor[self.start : self.stop])

    def put(self, tensor: Tensor, rows: Tensor) -> Tensor:
        """A copy of `tensor` with these rows, which are in the others' order; the rest is equal."""
        changed = tensor.clone()
        changed[self.start : self.stop] = self._in_order(rows)
        return changed

    def _in_order(self, rows: Tensor) -> Tensor:
        return torch.cat(rows.chunk(2)[::-1]) if self.swapped else rows


@dataclass(frozen=True, slots=True, eq=False)
class OfRows:
    """A change of some rows; the other rows remain as they are, bit for bit."""

    change: Change
    rows: Rows

    def check(self, shape: Shape) -> None:
        """See `Change`."""
        self.change.check(self.rows.shape(shape))

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """See `Change`."""
        return self.rows.put(weight, self.change.changed(self.rows.of(weight), strength))
