"""The memory of values in bytes, each buffer and object counted once.

Traverses containers, plain objects and closures. The caller's `Leaf` measures tensors.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

Parts = Mapping[int, int]
"""The bytes of each buffer or object of a value, by its address.

An address identifies a part for as long as something holds it.
"""
Leaf = Callable[[Any], "tuple[int, int] | None"]
"""The address and bytes of a value that is not traversed; None for any other."""
_MOST_PARTS = 500_000
"""A plugin's object may refer to half the program; parts beyond this are not counted."""
_WHOLE = (str, bytes, bytearray, int, float, complex, bool, type(None))
_SHARED = (type, types.ModuleType, types.BuiltinFunctionType)
"""What a result refers to but does not own."""


def buffer_leaf(value: Any) -> tuple[int, int] | None:
    """A value that has `nbytes`; of a view, the size of its base."""
    nbytes = getattr(value, "nbytes", None)
    if not isinstance(nbytes, int):
        return None
    while True:
        base = getattr(value, "base", None)
        base_bytes = getattr(base, "nbytes", None)
        if not isinstance(base_bytes, int):
            return id(value), nbytes
        value, nbytes = base, base_bytes


def parts_of(values: Iterable[Any], leaf: Leaf = buffer_leaf) -> dict[int, int]:
    """The parts of values and of all they contain, at any depth."""
    parts: dict[int, int] = {}
    waiting: list[Any] = list(values)
    while waiting and len(parts) < _MOST_PARTS:
        value = waiting.pop()
        if isinstance(value, _SHARED):
            continue
        address = id(value)
        if address in parts:
            continue
        if isinstance(value, _WHOLE):
            parts[address] = sys.getsizeof(value)
            continue
        found = leaf(value)
        if found is not None:
            parts[found[0]] = max(found[1], parts.get(found[0], 0))
            continue
        parts[address] = sys.getsizeof(value)
        waiting += _inner(value)
    return parts


def size_of(value: Any, leaf: Leaf = buffer_leaf) -> int:
    """The approximate size of a value in bytes."""
    return sum(parts_of([value], leaf).values())


def _inner(value: Any) -> list[Any]:
    """What a value contains."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(cast("Iterable[Any]", value))
    if isinstance(value, dict):
        contents = cast("dict[Any, Any]", value)
        return [*contents.keys(), *contents.values()]
    if isinstance(value, types.FunctionType):
        cells = value.__closure__ or ()
        return [*(value.__defaults__ or ()), *map(_cell, cells)]
    if isinstance(value, types.MethodType):
        return [value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    return _attributes(value)


def _cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _attributes(value: Any) -> list[Any]:
    """The values of an object's own attributes; properties are not called."""
    contents: list[Any] = list(getattr(value, "__dict__", {}).values())
    for kind in type(value).__mro__:
        slots: Any = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            slot = kind.__dict__.get(_mangled(kind, name))
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    contents.append(slot.__get__(value, kind))
                except AttributeError:  # not assigned
                    continue
    return contents


def _mangled(kind: type, name: str) -> str:
    private = name.startswith("__") and not name.endswith("__")
    return f"_{kind.__name__.lstrip('_')}{name}" if private else name
