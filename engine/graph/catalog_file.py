"""Schemas of nodes as JSON and back: for the committed catalog, and for what workers report.

Combos of files stay the name of their folder.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, SupportsIndex, cast

import msgspec

from engine.errors import CalotypeError, error_text
from engine.graph.prompt import is_list, is_mapping
from engine.graph.schema import ANY, InputSchema, NodeSchema, OutputSchema
from engine.graph.sockets import Wildcard, is_wildcard
from engine.json_text import replace_lone_surrogates

_WILD = "\0"
"""Ends a type that equals every other, in the JSON of plugins' schemas."""
_LARGEST = sys.float_info.max


def write_catalog(catalog: Mapping[str, NodeSchema]) -> str:
    """A catalog as JSON, a line for each node, in the order of their names; defaults left out."""
    lines = [
        json.dumps(_plain(catalog[name]), ensure_ascii=False, allow_nan=False)
        for name in sorted(catalog)
    ]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def read_catalog(path: Path) -> Mapping[str, NodeSchema]:
    """The schemas that `write_catalog` wrote, by class.

    Raises:
        CalotypeError: the file is missing or not of that form.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[NodeSchema])
    except (OSError, msgspec.MsgspecError) as error:
        raise CalotypeError(
            f"{path.name}: cannot be read ({error}); write it with tools/write_catalog.py"
        ) from error
    return MappingProxyType({each.class_type: each for each in found})


def pack_catalog(catalog: Mapping[str, NodeSchema]) -> tuple[bytes, dict[str, str]]:
    """The schemas of plugins' nodes as JSON, whatever their options hold.

    Infinities become the largest number, and values that JSON does not have their text. A type
    that equals every other is marked, see `read_pack_catalog`.

    Returns:
        the JSON, and the classes that cannot be written, each with the reason.
    """
    lines: list[str] = []
    left_out: dict[str, str] = {}
    for name in sorted(catalog):
        try:
            schema = _json_value(_plain(replace(catalog[name], class_type=name)))
            line = json.dumps(schema, ensure_ascii=False, allow_nan=False)
            msgspec.json.decode(line, type=NodeSchema)
        except Exception as error:  # noqa: BLE001 - a plugin's value may raise anything
            left_out[name] = f"{type(error).__name__}: {error_text(error)}"
        else:
            lines.append(line)
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    return text.encode("utf-8", "replace"), left_out


def read_pack_catalog(content: bytes) -> dict[str, NodeSchema]:
    """The schemas that `pack_catalog` wrote, by class; a class that cannot be read is left out.

    Raises:
        CalotypeError: it is no list of schemas at all.
    """
    try:
        lines = msgspec.json.decode(content, type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise CalotypeError(f"the catalog of plugins cannot be read ({error})") from error
    found: dict[str, NodeSchema] = {}
    for line in lines:
        with suppress(msgspec.MsgspecError):
            schema = msgspec.json.decode(line, type=NodeSchema)
            found[schema.class_type] = _with_tricks(schema)
    return found


class _AnySlot(tuple[OutputSchema, ...]):  # noqa: SLOT001 - a tuple's slots stay empty
    """Outputs of a class that accepts links from slots it does not declare."""

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice) or index.__index__() < len(self):
            return super().__getitem__(index)
        return OutputSchema(ANY, ANY)


def _with_tricks(schema: NodeSchema) -> NodeSchema:
    """A schema that was read, with what plugins override in the classes of types and tuples."""
    inputs = schema.inputs
    if any(each.type.endswith(_WILD) for each in inputs):
        inputs = tuple(replace(each, type=_read_type(each.type)) for each in inputs)
    outputs = schema.outputs
    if any(each.type.endswith(_WILD) for each in outputs):
        outputs = tuple(replace(each, type=_read_type(each.type)) for each in outputs)
    if schema.any_slot:
        outputs = _AnySlot(outputs)
    return replace(schema, inputs=inputs, outputs=outputs)


def _read_type(text: str) -> str:
    return Wildcard(text.removesuffix(_WILD)) if text.endswith(_WILD) else text


def _json_value(value: Any) -> Any:
    """A value that JSON has, as near as possible to this one."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return replace_lone_surrogates(str.__str__(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return None if math.isnan(value) else max(-_LARGEST, min(float(value), _LARGEST))
    if is_mapping(value):
        return {str(key): _json_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_value(each) for each in cast("Iterable[Any]", value)]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a number of an array
        return _json_value(value.item())
    return str(value)


def _plain(value: Any) -> Any:
    """A schema's fields that are not at their defaults, and the same of what is inside them."""
    if isinstance(value, NodeSchema | InputSchema | OutputSchema):
        return {
            each.name: _plain(given)
            for each in fields(value)
            if (given := _own(value, each.name)) != _default(each)
        }
    if is_mapping(value):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(cast("frozenset[str]", value))
    if isinstance(value, tuple):
        return [_plain(each) for each in cast("tuple[Any, ...]", value)]
    if is_list(value):
        return [_plain(each) for each in value]
    return value


def _own(schema: object, name: str) -> Any:
    """A field; of a type, the text, since a plugin may override its comparison."""
    value = getattr(schema, name)
    if isinstance(value, str) and type(value) is not str:
        return str.__str__(value) + (_WILD if name == "type" and is_wildcard(value) else "")
    return value


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
