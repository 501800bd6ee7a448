"""The hooks of one run: those of its model and of its entries, and the weights that they bring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import torch
from torch import Tensor, nn

from engine.diffusion.conditioning import Role, Step
from engine.diffusion.guidance import ChangeOfHooks
from engine.diffusion.regions import Region
from engine.errors import NodeError
from engine.inference.values import Model
from engine.nets.hooks import Hook, NetHooks
from engine.residency.handles import Weights
from engine.residency.manager import Residency


@dataclass(frozen=True, slots=True, eq=False)
class HookStart:
    """What a hook with weights gets when a run starts.

    Attributes:
        module: the module of its weights, with values on the device for the whole run.
        device, dtype: that the module computes with.
        model: that is sampled.
        shape: of x in the run; a call may have a part of it.
    """

    module: nn.Module
    device: torch.device
    dtype: torch.dtype
    model: Model
    shape: Sequence[int]


class WeightedHook(ABC):
    """A hook (see `NetHooks`) that runs a network of its own.

    Frozen, as the model or the conditioning that holds it. Its weights stay on the device with the
    denoiser's during a run, and `started` makes the function that the denoiser calls.
    """

    @property
    @abstractmethod
    def weights(self) -> Weights:
        """Its weights."""

    @abstractmethod
    def check(self, model: Model) -> None:
        """Raise `NodeError` if it was made for another model; called before anything is loaded."""

    @abstractmethod
    def room_for(self, model: Model, shape: Sequence[int], dtype_bytes: int) -> int:
        """Bytes that it needs beside the denoiser's own for a call on x of `shape`."""

    @abstractmethod
    def started(self, start: HookStart) -> Hook:
        """The function for one run; called once, with the weights on the device."""

    def __call__(self, *_: object) -> None:
        """Refuse: without a run its weights have no values."""
        raise NodeError(
            f"{self.weights.name}: it works only while sampling; take the model from before it"
        )


def _collected(model: Model, hooks: Iterator[NetHooks]) -> dict[int, WeightedHook]:
    """The hooks with weights, each once, by `id`; raises `NodeError` if one does not fit."""
    found = {
        id(hook): hook for each in hooks for hook in each.all if isinstance(hook, WeightedHook)
    }
    for hook in found.values():
        hook.check(model)
    return found


class HookRun:
    """The hooks of one run's calls."""

    def __init__(
        self,
        model: Model,
        named: Mapping[str, Sequence[Region]],
        residency: Residency,
        shape: Sequence[int] = (),
    ) -> None:
        """Collect the hooks of a model, and of regions by the name of their conditioning.

        `shape` is that of x in the run.

        Raises:
            NodeError: a hook was made for another model.
        """
        regions = (region for many in named.values() for region in many)
        of_entries = (hooks for region in regions for hooks in _own(region))
        self._model, self._shape = model, shape
        self._weighted = _collected(model, iter((model.hooks, *of_entries)))
        self._residency = residency
        self._started: dict[int, Hook] = {}
        self._change: ChangeOfHooks | None = None

    def changed(self, change: ChangeOfHooks) -> Self:
        """The same run's hooks for another evaluation; `change` adds none with weights."""
        other = copy(self)
        other._change = change  # noqa: SLF001 - of the same class
        return other

    @property
    def weights(self) -> tuple[Weights, ...]:
        """The weights of all of them, each once."""
        return tuple({each.weights.base: each.weights for each in self._weighted.values()}.values())

    def room_for(self, shape: Sequence[int]) -> int:
        """Bytes that the hooks need beside weights for a call on x of `shape`.

        One is computed at a time.
        """
        return max(
            (
                hook.room_for(self._model, shape, self._residency.dtype_of(hook.weights).itemsize)
                for hook in self._weighted.values()
            ),
            default=0,
        )

    def for_call(
        self, x: Tensor, step: Step, entries: Sequence[Region], *, always: bool = False
    ) -> NetHooks | None:
        """The hooks of one call with its `transformer_options`; None if there are none.

        Args:
            x: [N, C, ...], noisy.
            step: of the call.
            entries: the entries that share the call, and so their own hooks.
            always: give the options even if there are no hooks.
        """
        hooks = self._model.hooks
        for own in _own(entries[0]) if entries else ():
            hooks = hooks.plus(own)
        if self._change is not None:
            hooks = self._change(hooks)
        if hooks.is_empty and not always:
            return None
        if self._weighted:
            hooks = hooks.each(self._start)
        unwanted = [int(region.role is Role.NEGATIVE) for region in entries]
        return hooks.with_options(
            {
                "sigmas": step.sigma,
                "sample_sigmas": step.sigmas,
                "step": step,
                "cond_or_uncond": unwanted,
                "uuids": [UUID(int=id(region)) for region in entries],
                "original_shape": list(x.shape),
                "areas": [region.area for region in entries],
            }
        )

    def _start(self, hook: Hook) -> Hook:
        if not isinstance(hook, WeightedHook):
            return hook
        if id(hook) not in self._started:
            weights = hook.weights
            start = HookStart(
                weights.module,
                self._residency.device,
                self._residency.dtype_of(weights),
                self._model,
                self._shape,
            )
            self._started[id(hook)] = hook.started(start)
        return self._started[id(hook)]


def _own(region: Region) -> list[NetHooks]:
    """The hooks that an entry brings."""
    return [each for each in region.networks if isinstance(each, NetHooks)]
