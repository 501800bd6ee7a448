"""The change of one tensor by an adapter, and the patch that residency applies on loading."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from engine.adapters.parts import Shape


class Change(Protocol):
    """One change of one tensor, at any strength."""

    def check(self, shape: Shape) -> None:
        """Raises `WeightsError` if it does not fit a tensor of that shape. Reads nothing."""
        ...

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """The changed weight, a new tensor. weight: float32, of a checked shape."""
        ...


class Delta(Protocol):
    """A difference that is added to a tensor in proportion to the strength."""

    def check(self, shape: Shape) -> None:
        """See `Change`."""
        ...

    def delta(self, weight: Tensor) -> Tensor:
        """The difference at strength 1, float32, in the shape of `weight`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """W + strength * delta."""

    delta: Delta

    def check(self, shape: Shape) -> None:
        """See `Change`."""
        self.delta.check(shape)

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """See `Change`."""
        return weight.add(self.delta.delta(weight), alpha=strength)


@dataclass(frozen=True, slots=True)
class AdapterPatch:
    """A change at a strength, stored in a handle. Equal patches make equal changes.

    Attributes:
        source: identifies the change and its file; patches are compared by it.
        strength: the factor of the change.
        change: the change.
    """

    source: Hashable
    strength: float
    change: Change = field(compare=False)

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        return self.change.changed(weight, self.strength)
