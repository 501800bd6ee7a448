"""Schemas of nodes as JSON and back: for the committed catalog, and for what workers report.

Combos of files stay the name of their folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import msgspec

from engine.errors import CalotypeError
from engine.graph.prompt import is_list, is_mapping
from engine.graph.schema import InputSchema, NodeSchema, OutputSchema


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


def _plain(value: Any) -> Any:
    """A schema's fields that are not at their defaults, and the same of what is inside them."""
    if isinstance(value, NodeSchema | InputSchema | OutputSchema):
        return {
            each.name: _plain(given)
            for each in fields(value)
            if (given := getattr(value, each.name)) != _default(each)
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


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
