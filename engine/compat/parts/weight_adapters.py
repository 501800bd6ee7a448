"""Adapters of single tensors as plugins make and pass them: `comfy.weight_adapter`.

Their arithmetic is that of `engine.adapters.algorithms`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.adapters.algorithms.table import BIAS, WEIGHT, changes
from engine.adapters.change import Change
from engine.adapters.parts import Parts
from engine.adapters.read import adapter_of
from engine.errors import WeightsError
from engine.weights.state_dict import StateDict


class WeightAdapterBase:
    """A change of one tensor.

    Attributes:
        name: the algorithm's.
        loaded_keys: names of the tensors in the file.
        weights: the tensors, in the algorithm's order; absent ones are None.
    """

    name: ClassVar[str] = "base"
    parts: ClassVar[tuple[str, ...]] = ()
    """The meaning of each item of `weights`, by the names in `engine.adapters.parts`."""

    def __init__(self, loaded_keys: Any, weights: Any) -> None:
        self.loaded_keys = set(loaded_keys or ())
        self.weights = weights
        self._change: Change | None = None

    def __getitem__(self, index: int) -> Any:
        """(name, weights), which older plugins take an adapter to be."""
        return (self.name, self.weights)[index]

    @classmethod
    def of_parts(cls, parts: Parts, loaded_keys: Any) -> WeightAdapterBase:
        """The adapter of one module of a file."""
        read = {part: entry.read() for part, entry in parts.entries.items()}
        found = [read.get(part) for part in cls.parts]
        weights = [float(v) if v is not None and v.ndim == 0 else v for v in found]
        return cls(loaded_keys, tuple(weights))

    @classmethod
    def load(
        cls,
        x: str,
        lora: Mapping[str, Tensor],
        alpha: float | None,
        dora_scale: Tensor | None,
        loaded_keys: set[str] | None = None,
    ) -> WeightAdapterBase | None:
        """The adapter of module `x` in a file's tensors; None if it is of another algorithm."""
        del alpha, dora_scale
        parts = modules_of(lora).get(x)
        if parts is None or kind_of(parts) is not cls:
            return None
        names = {name for name in lora if name.startswith(x)}
        (loaded_keys if loaded_keys is not None else set[str]()).update(names)
        return cls.of_parts(parts, names)

    def _as_change(self) -> Change:
        """The engine's form of the same change. Raises `WeightsError` if parts are missing."""
        if self._change is None:
            named = dict(zip(self.parts, self.weights, strict=False))
            tensors = {
                part: each if isinstance(each, Tensor) else torch.tensor(float(each))
                for part, each in named.items()
                if each is not None and part != "reshape_weight"
            }
            parts = Parts(self.name, StateDict.of(tensors).entries)
            found = [change for tensor, change in changes(parts) if tensor == WEIGHT]
            if not found:
                raise WeightsError(f"a {self.name} adapter without its matrices")
            self._change = found[0]
        return self._change

    def calculate_weight(
        self,
        weight: Tensor,
        key: str,
        strength: float,
        strength_model: float,
        offset: Any,
        function: Callable[[Tensor], Tensor],
        intermediate_dtype: torch.dtype = torch.float32,
        original_weight: Any = None,
    ) -> Tensor:
        """The changed weight; unchanged, with a line in the log, if the adapter does not fit."""
        del strength_model, offset, intermediate_dtype, original_weight
        try:
            change = self._as_change()
            change.check(tuple(weight.shape))
            changed = change.changed(weight.float(), strength)
        except WeightsError as error:
            logging.getLogger(__name__).warning("%s: %s", key, error)
            return weight
        if function is not None:
            changed = weight.float() + function(changed - weight.float())
        return changed.to(weight.dtype)

    def to(self, device: Any = None, dtype: Any = None) -> WeightAdapterBase:
        """Itself: tensors are moved when they are used."""
        del device, dtype
        return self

    def to_train(self) -> Any:
        """Refused: use Train LoRA."""
        raise NotImplementedError(f"training a {self.name} adapter is only possible with TrainLora")


class LoRAAdapter(WeightAdapterBase):
    """LoRA and LoCon."""

    name = "lora"
    parts = ("up", "down", "alpha", "mid", "dora_scale", "reshape_weight")


class LoHaAdapter(WeightAdapterBase):
    """LoHa."""

    name = "loha"
    parts = (
        "hada_w1_a",
        "hada_w1_b",
        "alpha",
        "hada_w2_a",
        "hada_w2_b",
        "hada_t1",
        "hada_t2",
        "dora_scale",
    )


class LoKrAdapter(WeightAdapterBase):
    """LoKr."""

    name = "lokr"
    parts = (
        "lokr_w1",
        "lokr_w2",
        "alpha",
        "lokr_w1_a",
        "lokr_w1_b",
        "lokr_w2_a",
        "lokr_w2_b",
        "lokr_t2",
        "dora_scale",
    )


class GLoRAAdapter(WeightAdapterBase):
    """GLoRA."""

    name = "glora"
    parts = ("a1", "a2", "b1", "b2", "alpha", "dora_scale")


class OFTAdapter(WeightAdapterBase):
    """OFT."""

    name = "oft"
    parts = ("oft_blocks", "rescale", "alpha", "dora_scale")


class BOFTAdapter(WeightAdapterBase):
    """BOFT."""

    name = "boft"
    parts = ("oft_blocks", "rescale", "alpha", "dora_scale")


class EngineAdapter(WeightAdapterBase):
    """An algorithm that plugins have no class for, such as IA3."""

    name = "other"

    @classmethod
    def of_change(cls, change: Change, loaded_keys: Any) -> EngineAdapter:
        """The adapter of a change."""
        made = cls(loaded_keys, ())
        made._change = change
        return made


adapters: Sequence[type[WeightAdapterBase]] = [
    LoRAAdapter,
    LoHaAdapter,
    LoKrAdapter,
    GLoRAAdapter,
    OFTAdapter,
    BOFTAdapter,
]
adapter_maps: Mapping[str, type[WeightAdapterBase]] = {
    "LoRA": LoRAAdapter,
    "LoHa": LoHaAdapter,
    "LoKr": LoKrAdapter,
    "OFT": OFTAdapter,
    "BOFT": BOFTAdapter,
    "GLoRA": GLoRAAdapter,
}


def modules_of(tensors: Mapping[str, Tensor]) -> Mapping[str, Parts]:
    """The modules of an adapter's tensors, by their names in the file; none if it is no adapter."""
    try:
        return adapter_of(StateDict.of(dict(tensors)), identity=id(tensors)).modules
    except WeightsError:
        return {}


def kind_of(parts: Parts) -> type[WeightAdapterBase] | None:
    """The class of a module's algorithm, by its parts."""
    names = set(parts.entries)
    if {"up", "down"} <= names and not names - set(LoRAAdapter.parts) - {"up_bias"}:
        return LoRAAdapter
    if any(name.startswith("hada_") for name in names):
        return LoHaAdapter
    if any(name.startswith("lokr_") for name in names):
        return LoKrAdapter
    if {"a1", "b1"} <= names:
        return GLoRAAdapter
    if "oft_blocks" in names:
        return BOFTAdapter if len(parts.entries["oft_blocks"].shape) == 4 else OFTAdapter
    return None


def of_change(parts: Parts, tensor: str, change: Change) -> Any:
    """One change of a file's module in the form that plugins pass to `add_patches`."""
    entries = parts.entries
    keys = set(entries)
    if tensor == BIAS or not keys - {"diff", "diff_b", "w_norm", "b_norm", "set_weight"}:
        for part in ("diff", "w_norm") if tensor == WEIGHT else ("diff_b", "b_norm"):
            if part in entries:
                return ("diff", (entries[part].read(),))
        if "set_weight" in entries and tensor == WEIGHT:
            return ("set", (entries["set_weight"].read(),))
        return EngineAdapter.of_change(change, keys)
    kind = kind_of(parts)
    if kind is None:
        return EngineAdapter.of_change(change, keys)
    made = kind.of_parts(parts, keys)
    made._change = change
    return made
