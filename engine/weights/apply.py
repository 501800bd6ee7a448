"""Puts weights into a module that was built on the meta device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.weights.state_dict import StateDict

SHOWN = 5


def fill(
    module: nn.Module,
    state: StateDict,
    *,
    dtype: torch.dtype | None = None,
    origin: str | None = None,
) -> nn.Module:
    """Give every parameter and persistent buffer of `module` its tensor from `state`.

    Tensors are views of the file; with `dtype`, floating-point ones of another dtype are converted.
    Nothing is filled unless everything fits: a missing, misshapen or unexpected tensor raises a
    `WeightsError` that lists the first of each. Returns `module`, frozen and in evaluation mode.

    Args:
        module: on the meta device.
        state: exactly the module's own names.
        dtype: None keeps what the file holds.
        origin: the name of the source in messages; the file's name by default.
    """
    check(module, state, origin=origin)
    slots = _slots(module)
    converted: dict[int, Tensor] = {}
    for name in slots:
        owner, attribute, current = slots[name]
        if id(current) not in converted:
            converted[id(current)] = _ready(state[name], current, dtype)
        _assign(owner, attribute, converted[id(current)])
    unfilled = [
        name
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
        if tensor.is_meta
    ]
    if unfilled:
        raise WeightsError(
            f"{origin or state.origin}: no values for {_list(unfilled)}; the network cannot run."
        )
    return module.eval()


def check(module: nn.Module, state: StateDict, *, origin: str | None = None) -> None:
    """Compare names and shapes without reading a tensor; raises the `WeightsError` of `fill`."""
    expected = {name: tuple(slot[2].shape) for name, slot in _slots(module).items()}
    found = state.shapes
    complaints: list[str] = []
    missing = [f"{name} {_shape(expected[name])}" for name in expected if name not in found]
    if missing:
        complaints.append(f"missing {_list(missing)}")
    misshapen = [
        f"{name}: found {_shape(found[name])}, expected {_shape(shape)}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if misshapen:
        complaints.append(f"of another shape {_list(misshapen)}")
    unexpected = [f"{_safe(name)} {_shape(found[name])}" for name in found if name not in expected]
    if unexpected:
        complaints.append(f"not part of the network {_list(unexpected)}")
    if complaints:
        raise WeightsError(
            f"{origin or state.origin}: the weights do not fit: {'; '.join(complaints)}. "
            "Nothing was loaded."
        )


def without_padding(module: nn.Module, state: StateDict) -> StateDict:
    """The tensors without rows and columns that only fill up packed blocks."""
    entries = dict(state.entries)
    for name, slot in _slots(module).items():
        if name in entries:
            entries[name] = entries[name].fitted(slot[2].shape)
    return replace(state, entries=entries)


Slot = tuple[nn.Module, str, Tensor]


def _slots(module: nn.Module) -> dict[str, Slot]:
    """Every attribute that holds a persistent tensor, by name; tied tensors once per name."""
    slots: dict[str, Slot] = {}
    for prefix, owner in module.named_modules(remove_duplicate=False):
        transient = owner._non_persistent_buffers_set  # noqa: SLF001 - torch offers no other way
        held = {**owner._parameters, **owner._buffers}  # noqa: SLF001
        for attribute, tensor in held.items():
            if tensor is not None and attribute not in transient:
                slots[f"{prefix}.{attribute}" if prefix else attribute] = (owner, attribute, tensor)
    return slots


def _ready(tensor: Tensor, current: Tensor, dtype: torch.dtype | None) -> Tensor:
    if dtype is not None and tensor.is_floating_point():
        tensor = tensor.to(dtype)
    if isinstance(current, nn.Parameter):
        return nn.Parameter(tensor, requires_grad=False)
    return tensor


def _assign(owner: nn.Module, attribute: str, tensor: Tensor) -> None:
    if isinstance(tensor, nn.Parameter):
        owner.register_parameter(attribute, tensor)
    else:
        owner._buffers[attribute] = tensor  # noqa: SLF001 - keeps the buffer persistent


def _safe(name: str) -> str:
    """A name from a file, safe to print on a terminal."""
    return (name if name.isprintable() else ascii(name))[:200]


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _list(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN:,} more" if len(items) > SHOWN else ""
    return f"({len(items)}): {', '.join(items[:SHOWN])}{more}"
