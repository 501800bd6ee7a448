"""`comfy_api.latest.io`: every name of it, in one module."""

from __future__ import annotations

from typing import Any

from engine.compat.v3.dynamic import (
    AnyType,
    Autogrow,
    DynamicCombo,
    DynamicSlot,
    MatchType,
    MultiType,
)
from engine.compat.v3.node import ComfyNode
from engine.compat.v3.schema import Hidden, HiddenHolder, NodeOutput, Schema
from engine.compat.v3.sockets import (
    Custom,
    Input,
    Output,
    SocketType,
    WidgetInput,
    comfytype,
)
from engine.compat.v3.types import TYPES
from engine.compat.v3.widgets import (
    Boolean,
    BoundingBox,
    Color,
    Combo,
    ControlAfterGenerate,
    Curve,
    Float,
    FolderType,
    Int,
    MultiCombo,
    NumberDisplay,
    RemoteOptions,
    String,
    UploadType,
)

ComfyType = SocketType
ComfyTypeI = SocketType
ComfyTypeIO = SocketType
__all__ = [
    "AnyType",
    "Autogrow",
    "Boolean",
    "BoundingBox",
    "Color",
    "Combo",
    "ComfyNode",
    "ComfyType",
    "ComfyTypeI",
    "ComfyTypeIO",
    "ControlAfterGenerate",
    "Curve",
    "Custom",
    "DynamicCombo",
    "DynamicSlot",
    "Float",
    "FolderType",
    "Hidden",
    "HiddenHolder",
    "Input",
    "Int",
    "MatchType",
    "MultiCombo",
    "MultiType",
    "NodeOutput",
    "NumberDisplay",
    "Output",
    "RemoteOptions",
    "Schema",
    "String",
    "UploadType",
    "WidgetInput",
    "add_to_dict_v1",
    "comfytype",
    "is_class",
]
# Types without options of their own; `Image` and `Mask` are among them.
globals().update(TYPES)
__all__ += list(TYPES)  # pyright: ignore[reportUnsupportedDunderAll]


def is_class(found: Any) -> bool:
    """Whether it is a class."""
    return isinstance(found, type)


def add_to_dict_v1(declared: Input, sections: dict[str, Any]) -> None:
    """Add an input to the dict that `INPUT_TYPES` returns."""
    section = "optional" if declared.optional else "required"
    sections.setdefault(section, {})[declared.id] = (declared.get_io_type(), declared.as_dict())
