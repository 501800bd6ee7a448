# pyright: basic
"""Weights of the engine's networks that plugins read while the network is not used.

Outside of a run a network's tensors may be on the meta device, or laid out for a processor. A layer
that a plugin looks into then answers with the tensor as its file has it. During a run it answers
with what is computed.
"""

from __future__ import annotations

import weakref
from typing import Any

from torch import nn

from engine.residency.handles import Weights
from engine.residency.manager import current

_HANDLE, _NAME = "_calotype_handle", "_calotype_name"


class Stored:
    """The first base of such layers' classes."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)  # type: ignore[misc]
        if not isinstance(found, nn.Parameter):
            return found
        handle = self.__dict__[_HANDLE]()
        if handle is None or not (found.is_meta or not found.is_contiguous()):
            return found
        if current().is_used(handle):
            return found
        prefix = self.__dict__[_NAME]
        source = handle.sources.get(f"{prefix}.{name}" if prefix else name)
        if source is None:
            return nn.Parameter(found.contiguous(), requires_grad=False)
        return nn.Parameter(
            source.unpack(source.read_parts(), source.dtype).contiguous(), requires_grad=False
        )


def readable(handle: Weights) -> nn.Module:
    """A handle's network, whose layers' weights can be read at any time."""
    net = handle.base.module
    if _HANDLE in net.__dict__:
        return net
    kinds: dict[type, type] = {}
    reference = weakref.ref(handle.base)
    for name, layer in net.named_modules():
        layer.__dict__[_HANDLE], layer.__dict__[_NAME] = reference, name
        kind = type(layer)
        if layer is not net and any(True for _ in layer.parameters(recurse=False)):
            if kind not in kinds:
                body = {"__module__": kind.__module__}
                kinds[kind] = type(kind.__name__, (Stored, kind), body)
            layer.__class__ = kinds[kind]
    return net
