"""Writes web/src/api/types.ts: what the server says, as TypeScript, from the Python that says it.

Run it with no arguments after a change to `engine/server/messages.py`, `engine/graph/schema.py` or
`engine/forecast/forecast.py`; `--check` writes nothing and fails where the file is out of date.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import msgspec

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "web" / "src" / "api" / "types.ts"
HEADER = """/**
 * What the server says. Made by tools/write_types.py; change the Python instead:
 * engine/server/messages.py, engine/forecast/forecast.py and engine/graph/schema.py.
 */
"""
_PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "unknown",
}


def typescript(kind: Any) -> str:
    """A Python annotation as a TypeScript type."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, given = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{each}"' for each in given)
    if origin in (Union, types.UnionType):
        return " | ".join(typescript(each) for each in given if each is not msgspec.UnsetType)
    if origin is not None and issubclass(origin, Mapping):
        return f"Record<{typescript(given[0])}, {typescript(given[1])}>"
    if origin is frozenset or (origin is not None and issubclass(origin, Sequence)):
        element = typescript(given[0])
        return f"({element})[]" if " " in element else f"{element}[]"
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or _is_struct(kind)):
        return kind.__name__
    raise TypeError(f"no TypeScript for {kind!r}: teach tools/write_types.py")


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def interface(kind: type[Any]) -> str:
    """A struct or dataclass as a TypeScript interface."""
    hints = typing.get_type_hints(kind)
    unset = msgspec.UnsetType
    lines = [
        f"  {name}{'?' if unset in typing.get_args(hint) else ''}: {typescript(hint)};"
        for name, hint in hints.items()
    ]
    summary = (kind.__doc__ or "").strip().splitlines()[0]
    return "\n".join([f"/** {summary} */", f"export interface {kind.__name__} {{", *lines, "}"])


def parts_of(kind: type[Any]) -> list[type[Any]]:
    """The structs that a struct's fields are made of, and itself, each before its users."""
    found: list[type[Any]] = []

    def look(hint: Any) -> None:
        for each in typing.get_args(hint):
            look(each)
        if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or _is_struct(hint)):
            for inner in typing.get_type_hints(hint).values():
                look(inner)
            if hint not in found:
                found.append(hint)

    look(kind)
    return found


def written() -> str:
    """The whole file."""
    from engine.forecast.forecast import Plan  # noqa: PLC0415
    from engine.graph.schema import NodeSchema  # noqa: PLC0415 - the path is set by main()
    from engine.server.messages import MESSAGES  # noqa: PLC0415

    kinds: list[type[Any]] = []
    for root in (*MESSAGES.values(), NodeSchema, Plan):
        kinds += [each for each in parts_of(root) if each not in kinds]
    members = [
        f'  | {{ type: "{name}"; data: {kind.__name__} }}' for name, kind in MESSAGES.items()
    ]
    union = "/** Every frame of text that the socket brings. */\nexport type ServerMessage =\n"
    return "\n\n".join([HEADER.rstrip(), *map(interface, kinds), union + "\n".join(members) + ";"])


def main() -> int:
    """Write the file, or with `--check` compare it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true")
    asked = arguments.parse_args()
    sys.path.insert(0, str(ROOT))
    text = written() + "\n"
    if not asked.check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{TARGET.relative_to(ROOT)} is out of date: run tools/write_types.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
