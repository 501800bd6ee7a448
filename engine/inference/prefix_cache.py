"""Caches of keys and values that are the same at every step, computed at the first of a run only.

Those of Qwen-Image 2.1's prompt and pictures depend neither on the time nor on the picture (Qwen
Team 2026), nor do those of references of the FLUX.2 models that are trained for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import torch
from torch import Tensor

from engine.diffusion.regions import Region
from engine.errors import NodeError
from engine.families.flux2.family import Flux2Family
from engine.families.flux2.network import REFERENCES_APART
from engine.families.qwen_image21.family import QwenImage21Family
from engine.families.qwen_image21.network import PREFIX, KeyValue
from engine.inference.values import Model, Start
from engine.machine import available_memory

MOST_ROWS = 4
"""Prefixes of a run that are held; further ones are computed at every step."""
SHARE_OF_FREE = 0.5
"""Of the memory that is free when a prefix is first computed, so much may hold it."""
PICTURE_AXES = 4
GROUP = 32
"""Numbers that share a scale."""


class Where(StrEnum):
    """Where keys and values are held: on the device while there is room, there, in RAM, nowhere."""

    AUTO = "auto"
    GPU = "gpu"
    CPU = "cpu"
    OFF = "off"


class Precision(StrEnum):
    """How keys and values are held."""

    DEFAULT = "default"
    INT8 = "int8"
    INT4 = "int4"


def with_prefix_cache(model: Model, where: Where, precision: Precision) -> Model:
    """The model with a cache for each run, in the place of any that it has.

    Raises:
        NodeError: the model is of another family.
    """
    if not isinstance(model.family, QwenImage21Family):
        raise NodeError(
            f"this cache is for Qwen-Image 2.1, whose text does not depend on the step; the model "
            f"is one of {model.family.name}: connect it without this node"
        )
    others = tuple(each for each in model.per_run if not isinstance(each, _Starts))
    if where is Where.OFF:
        return replace(model, per_run=others)
    return replace(model, per_run=(*others, _Starts(PREFIX, where, precision)))


def with_references_apart(model: Model) -> Model:
    """The model with references that attend to themselves only, and a cache of them for each run.

    Raises:
        NodeError: the model is of another family.
    """
    if not isinstance(model.family, Flux2Family):
        raise NodeError(
            "FluxKVCache is for FLUX.2 models that are trained for it (klein 9B KV); the model is "
            f"one of {model.family.name}: connect it without this node"
        )
    others = tuple(each for each in model.per_run if not isinstance(each, _Starts))
    started = _Starts(REFERENCES_APART, Where.AUTO, Precision.DEFAULT)
    return replace(model, per_run=(*others, started))


@dataclass(frozen=True, slots=True)
class _Starts:
    """A `PerRun` that gives each run a cache of its own."""

    kind: str
    where: Where
    precision: Precision

    def __call__(self, model: Model, start: Start) -> Model:
        del start
        cache = RunCache(self.where, self.precision)
        around = (*model.around_calls, lambda: cache.around)
        return replace(model, hooks=model.hooks.with_patch(self.kind, cache), around_calls=around)


@dataclass(slots=True, eq=False)
class _Row:
    """The keys and values of one prefix; see `engine.families.qwen_image21.network.PrefixRow`."""

    given: Sequence[Tensor]
    blocks: int
    where: torch.device
    precision: Precision
    stored: dict[int, tuple[_Stored, _Stored]] = field(
        default_factory=dict[int, tuple["_Stored", "_Stored"]]
    )

    @property
    def is_complete(self) -> bool:
        return len(self.stored) == self.blocks

    def read(self, block: int) -> KeyValue:
        key, value = self.stored[block]
        return key.read(), value.read()

    def write(self, block: int, pair: KeyValue) -> None:
        key, value = (_Stored.of(each, self.where, self.precision) for each in pair)
        self.stored[block] = key, value


class RunCache:
    """The prefixes of one run, see `engine.families.qwen_image21.network.PrefixCache`."""

    def __init__(self, where: Where, precision: Precision) -> None:
        self._where, self._precision = where, precision
        self._rows: list[_Row] = []
        self._is_used = True

    def around(
        self,
        x: Tensor,
        sigma: Tensor,
        entries: Sequence[Region],
        evaluate: Callable[[], Tensor],
    ) -> Tensor:
        """An `AroundCall`: entries whose hooks change the weights at some steps use no cache."""
        del x, sigma
        self._is_used = not any(entry.hooks for entry in entries)
        return evaluate()

    def __call__(self, given: Sequence[Tensor], blocks: int) -> _Row | None:
        """The row of a prefix made of these tensors, or a new one if there is room for it."""
        if not self._is_used:
            return None
        for row in self._rows:
            if len(row.given) == len(given) and all(map(_equal, row.given, given)):
                if not row.is_complete:  # of a call that was stopped
                    row.stored.clear()
                return row
        device = self._room(given, blocks)
        if device is None or len(self._rows) >= MOST_ROWS:
            return None
        self._rows.append(_Row(given, blocks, device, self._precision))
        return self._rows[-1]

    def _room(self, given: Sequence[Tensor], blocks: int) -> torch.device | None:
        """Where keys and values of a prefix are to be held; None if nowhere.

        The network's tokens are as wide as those of its text encoder.
        """
        like = given[0]
        cells = sum(each.shape[-2] * each.shape[-1] for each in given if each.ndim == PICTURE_AXES)
        numbers = len(like) * (like.shape[1] + cells) * like.shape[2]
        bits = {Precision.INT8: 9, Precision.INT4: 5}.get(self._precision, 8 * like.itemsize)
        needed = 2 * blocks * numbers * bits // 8
        on_cuda = like.device.type == "cuda"
        if self._where is not Where.CPU and on_cuda:
            free = torch.cuda.mem_get_info(like.device)[0]
            if needed < SHARE_OF_FREE * free:
                return like.device
            if self._where is Where.GPU:
                return None
        fits = needed < SHARE_OF_FREE * available_memory()
        return torch.device("cpu") if fits else None


def _equal(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.shape == other.shape and bool(torch.equal(one, other)))


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor [B, P, C], plain or as small whole numbers with a scale for each `GROUP`."""

    values: Tensor
    scales: Tensor | None
    device: torch.device
    dtype: torch.dtype
    halves: bool = False

    @classmethod
    def of(cls, plain: Tensor, where: torch.device, precision: Precision) -> _Stored:
        """Store a tensor; a view of it is copied, so that the whole is not kept alive."""
        if precision is Precision.DEFAULT:
            held = plain.to(where, copy=True)
            return cls(held.contiguous(), None, plain.device, plain.dtype)
        most = 127 if precision is Precision.INT8 else 7
        groups = plain.float().unflatten(-1, (-1, GROUP))
        scales = groups.abs().amax(dim=-1, keepdim=True).clamp_min(1e-12) / most
        whole = (groups / scales).round_().to(torch.int8).flatten(-2)
        halves = precision is Precision.INT4
        if halves:
            whole = (whole[..., 0::2] & 15) | (whole[..., 1::2] << 4)
        scales = scales.to(plain.dtype)
        return cls(whole.to(where), scales.to(where), plain.device, plain.dtype, halves)

    def read(self) -> Tensor:
        """The tensor, on its device."""
        values = self.values.to(self.device, non_blocking=True)
        if self.scales is None:
            return values
        if self.halves:
            low, high = (values << 4) >> 4, values >> 4
            values = torch.stack((low, high), dim=-1).flatten(-2)
        scales = self.scales.to(self.device, non_blocking=True)
        return (values.unflatten(-1, (-1, GROUP)).to(self.dtype) * scales).flatten(-2)
