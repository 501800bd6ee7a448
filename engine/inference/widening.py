"""Adapters that give a model further input channels, such as FLUX.1's Canny and Depth LoRAs.

The first projection gets columns of zeros, so that the model is the same until the adapter changes
them; all other weights are those of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from engine.adapters.names import place
from engine.adapters.read import Adapter
from engine.inference.adapters import denoiser_target
from engine.inference.values import Model
from engine.residency.handles import LazyWeights, PatchedWeights
from engine.residency.sources import Part, Patch, Patches, Source


@runtime_checkable
class Widens(Protocol):
    """A family whose models take further channels.

    Attributes:
        first_module: the name of its first projection.
    """

    first_module: str

    def widened(self, config: Any, columns: int) -> Any | None:
        """The configuration with so many columns of that projection; None if there is none."""
        ...


def widened(model: Model, adapter: Adapter) -> Model:
    """The model with as many input channels as the adapter needs; the same if it has them."""
    family = model.family
    columns = _columns(model, adapter) if isinstance(family, Widens) else None
    if columns is None or not isinstance(family, Widens):
        return model
    config = family.widened(model.config, columns)
    if config is None:
        return model
    name, base = f"{family.first_module}.weight", model.net.base
    before = base.sources[name]
    sources = {**base.sources, name: _Wide(before, columns)}
    net = LazyWeights(
        base.name,
        base.size,
        lambda: model.family.build(config),
        sources=sources,
        wants=base.wants,
        forget=base.forget,
    )
    patches = _of_first_columns(model.net.patches, name, before.shape[1])
    return replace(model, config=config, net=PatchedWeights(net, patches) if patches else net)


def _columns(model: Model, adapter: Adapter) -> int | None:
    """The columns that the adapter has for the model's first projection; None without one."""
    family = model.family
    assert isinstance(family, Widens)  # noqa: S101 - the caller looked
    target = denoiser_target(model)
    for parts in adapter.modules.values():
        down = parts.entries.get("down")
        where = place(parts.module)
        if down is None or where.is_text or len(down.shape) != 2:
            continue
        if target.find(where.name) == family.first_module:
            return down.shape[1]
    return None


def _of_first_columns(patches: Patches, name: str, columns: int) -> Patches:
    own: Mapping[str, tuple[Patch, ...]] = {
        name: tuple(_OfFirstColumns(patch, columns) for patch in patches.get(name, ()))
    }
    return MappingProxyType({**patches, **own}) if name in patches else patches


@dataclass(frozen=True, slots=True)
class _OfFirstColumns:
    """A patch of the weight as it was before it was widened."""

    patch: Patch
    columns: int

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        changed = weight.clone()
        changed[:, : self.columns] = self.patch.apply(weight[:, : self.columns])
        return changed


@dataclass(frozen=True, slots=True, eq=False)
class _Wide:
    """A matrix with columns of zeros after its own; see `engine.residency.sources.Source`."""

    source: Source
    columns: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.source.shape[0], self.columns)

    @property
    def dtype(self) -> torch.dtype:
        return self.source.dtype

    @property
    def parts(self) -> tuple[Part, ...]:
        return ((self.shape, self.dtype),) if self._is_plain else self.source.parts

    @property
    def is_compact(self) -> bool:
        return self.source.is_compact

    @property
    def is_made(self) -> bool:
        return self._is_plain or self.source.is_made

    def read_parts(self) -> tuple[Tensor, ...]:
        parts = self.source.read_parts()
        return (self._filled_up(parts[0]),) if self._is_plain else parts

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        values = self.source.unpack(parts, dtype)
        return values if self._is_plain else self._filled_up(values)

    @property
    def _is_plain(self) -> bool:
        return self.source.parts == ((self.source.shape, self.source.dtype),)

    def _filled_up(self, values: Tensor) -> Tensor:
        wide = values.new_zeros(self.shape)
        wide[:, : values.shape[1]] = values
        return wide
