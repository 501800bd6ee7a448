"""Hooks around a denoiser as a whole, as plugins use them; engine nodes need none of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from torch import Tensor

from engine.diffusion.regions import Call, Region
from engine.nets.hooks import NetHooks, Residuals


@dataclass(frozen=True, slots=True, eq=False)
class NetworkCall:
    """One call of a network.

    Attributes:
        x: [N, C, ...], noisy, as samplers have it.
        sigma: [N].
        inputs: of the network, each [N, ...].
        entries: the entries that share the call.
        hooks: called inside the network, with their options.
        control: what control networks add.
    """

    x: Tensor
    sigma: Tensor
    inputs: Mapping[str, Tensor]
    entries: Sequence[Region]
    hooks: NetHooks | None = None
    control: Residuals | None = None


AroundNetwork = Callable[[NetworkCall, Callable[[NetworkCall], Tensor]], Tensor]
"""Stands for a call of the network, and returns the clean image [N, C, ...]; the second argument
makes a call, of other sizes if need be."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkHooks:
    """Hooks around a denoiser.

    Attributes:
        around: hooks around each call of the network, the last added outermost.
        contexts: entered in this order for each run, with the weights on the device.
        through: makes what is called instead of the family's `predict`, from that.
    """

    around: tuple[AroundNetwork, ...] = ()
    contexts: tuple[Callable[[], AbstractContextManager[None]], ...] = ()
    through: Callable[[Callable[..., Tensor]], Callable[..., Tensor]] | None = None


class CallNetwork(Protocol):
    """Calls a network."""

    def __call__(self, made: NetworkCall, *, is_complete: bool = True) -> Tensor:
        """The clean image [N, C, ...]; hooks and control are made unless the call is complete."""
        ...


def surrounded(
    outer: NetworkHooks, call: CallNetwork, completed: Callable[[NetworkCall], NetworkCall]
) -> Call:
    """`call` with the hooks of `outer` around it, which get calls that `completed` completes."""
    hooked: Callable[[NetworkCall], Tensor] = call
    for hook in outer.around:
        hooked = partial(_swapped, hook, hooked)
    is_hooked = bool(outer.around) or outer.through is not None

    def made(
        x: Tensor, sigma: Tensor, inputs: Mapping[str, Tensor], entries: Sequence[Region]
    ) -> Tensor:
        plain = NetworkCall(x, sigma, inputs, entries)
        return hooked(completed(plain)) if is_hooked else call(plain, is_complete=False)

    return made


def _swapped(
    around: AroundNetwork, inner: Callable[[NetworkCall], Tensor], made: NetworkCall
) -> Tensor:
    return around(made, inner)
