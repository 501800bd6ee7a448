"""Changes of weights in the forms that plugins pass to `add_patches`, as patches of our handles.

A value is a tuple, a list or an adapter object; `engine.compat.parts.lora.calculate_weight` says
which. It is evaluated by `comfy.lora.calculate_weight`, looked up at each use, because plugins
replace that function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from torch import Tensor

from engine.residency.sources import Patch

Key = Any
"""The name of a tensor, or (name, (axis, start, length)), or that with a function of the change."""


@dataclass(frozen=True, slots=True)
class HostPatch:
    """One value of `add_patches` as a patch of one tensor. Equal ones have the same value.

    Attributes:
        key: the tensor's name, for messages.
        strength: the factor of the change.
        strength_model: the factor of the weight before the change.
        identity: of the value, in place of comparing tensors.
        value: the change.
        offset: (axis, start, length) of the part that is changed; None: all of it.
        function: applied to the change before it is added.
    """

    key: str
    strength: float
    strength_model: float
    identity: int
    value: Any = field(compare=False)
    offset: tuple[int, int, int] | None = None
    function: Callable[[Tensor], Tensor] | None = None

    @property
    def listed(self) -> tuple[Any, ...]:
        """The patch in the form of `ModelPatcher.patches`."""
        return (self.strength, self.value, self.strength_model, self.offset, self.function)

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        calculate = import_module("comfy.lora").calculate_weight
        return calculate([self.listed], weight.clone(), self.key)


def split_key(key: Key) -> tuple[str, tuple[int, int, int] | None, Any]:
    """(name, part, function) of a key of `add_patches`."""
    if isinstance(key, str):
        return key, None, None
    name, offset, *rest = key
    return str(name), None if offset is None else tuple(offset), rest[0] if rest else None


def host_patches(
    patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0
) -> dict[str, tuple[Patch, ...]]:
    """Patches by tensor name from an argument of `add_patches`; names are unchanged."""
    found: dict[str, tuple[Patch, ...]] = {}
    for key, value in patches.items():
        name, offset, function = split_key(key)
        patch = HostPatch(
            name,
            float(strength_patch),
            float(strength_model),
            id(value),
            value,
            offset,
            function,
        )
        found[name] = (*found.get(name, ()), patch)
    return found
