"""Other positions of tokens: each axis times a number, plus another one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from engine.errors import NodeError
from engine.inference.values import Model
from engine.nets.rope import AxisScale


@runtime_checkable
class ScalesPositions(Protocol):
    """A family whose networks can place tokens elsewhere."""

    def positions_scaled(
        self, net: nn.Module, time: AxisScale, rows: AxisScale, columns: AxisScale
    ) -> AbstractContextManager[None]:
        """Have a network use other positions inside the `with`."""
        ...


def with_scaled_positions(
    model: Model, time: AxisScale, rows: AxisScale, columns: AxisScale
) -> Model:
    """The model with positions `place * factor + shift` on each axis, instead of any set before.

    Raises:
        NodeError: the model is of a family whose positions cannot be changed.
    """
    family = model.family
    if not isinstance(family, ScalesPositions):
        raise NodeError(
            f"ScaleROPE changes the positions of Wan's models; the model is one of {family.name}, "
            "whose positions this version cannot change: take the node out"
        )
    scales = family.positions_scaled
    before = model.network.through

    def through(predict: Callable[..., Tensor]) -> Callable[..., Tensor]:
        inner = predict if before is None else before(predict)

        def scaled(net: nn.Module, *given: Any, **more: Any) -> Tensor:
            with scales(net, time, rows, columns):
                return inner(net, *given, **more)

        return scaled

    return replace(model, network=replace(model.network, through=through))
