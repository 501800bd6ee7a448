"""What a V1 class declares, as a `NodeSchema`.

Reads `INPUT_TYPES`, `RETURN_TYPES` and similar attributes; never calls a node.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex, cast

from engine.errors import NodeError
from engine.graph.schema import COMBO, InputSchema, NodeSchema, OutputSchema, Section
from engine.graph.sockets import Wildcard, is_wildcard
from engine.nodekit.folder_list import FolderList

_SECTIONS: tuple[Section, ...] = ("required", "optional", "hidden")
_UNDECLARED = "\0an input that no class declares"


def read_v1_schema(
    made_from: Any, class_type: str, *, display_name: str | None, python_module: str
) -> NodeSchema:
    """Read a V1 class. Whatever `INPUT_TYPES` raises passes through.

    Raises:
        NodeError: an entry of `INPUT_TYPES` cannot be read.
    """
    declared: Mapping[str, Any] = made_from.INPUT_TYPES()
    outputs = _outputs(made_from)
    names, takes_all = _named(getattr(made_from, "VALIDATE_INPUTS", None))
    return NodeSchema(
        class_type=class_type,
        display_name=display_name or class_type,
        category=str(getattr(made_from, "CATEGORY", "sd")),
        inputs=_inputs(declared, class_type),
        outputs=outputs,
        description=str(getattr(made_from, "DESCRIPTION", "")),
        python_module=python_module,
        is_output=bool(getattr(made_from, "OUTPUT_NODE", False)),
        input_is_list=bool(getattr(made_from, "INPUT_IS_LIST", False)),
        deprecated=bool(getattr(made_from, "DEPRECATED", False)),
        experimental=bool(getattr(made_from, "EXPERIMENTAL", False)),
        not_idempotent=bool(getattr(made_from, "NOT_IDEMPOTENT", False)),
        flexible=any(_UNDECLARED in declared.get(section, {}) for section in _SECTIONS),
        any_slot=isinstance(outputs, TrickyOutputs),
        checks_input_types="input_types" in names,
        checks=frozenset({"*"}) if takes_all else names,
    )


def read_v1_input(name: str, section: Section, entry: Any) -> InputSchema:
    """One entry of `INPUT_TYPES`: `(TYPE,)`, `(TYPE, options)`, or for a hidden one `TYPE`.

    A type stays the very object it was, since its comparison may be overridden; one that equals
    every other becomes a `Wildcard`, which can also be looked up in a set.

    Raises:
        NodeError: the entry is none of these.
    """
    parts: Sequence[Any] = cast("Any", entry) if isinstance(entry, list | tuple) else (entry,)
    if not parts:
        raise NodeError(f"input {name!r} declares no type; expected (TYPE,) or (TYPE, options)")
    kind: Any = parts[0]
    given: Any = parts[1] if len(parts) > 1 else {}
    options = dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else {}
    if is_wildcard(kind):
        kind = Wildcard(str.__str__(kind))
    if isinstance(kind, str):
        listed: Any = options.get("options") if kind == COMBO else None
        if isinstance(listed, FolderList):
            del options["options"]
            return read_v1_input(name, section, (listed, options))
        choices = tuple(cast("Sequence[Any]", listed)) if isinstance(listed, list | tuple) else None
        return InputSchema(name, kind, section, options, choices)
    if isinstance(kind, FolderList) and kind.is_as_listed:
        around = (*kind.before, *kind.after)
        if kind.before:  # the first choice is what a new node has
            options.setdefault("default", kind.before[0])
        return InputSchema(name, COMBO, section, options, around or None, kind.folder)
    try:
        return InputSchema(name, COMBO, section, options, tuple(kind))
    except TypeError as error:
        raise NodeError(
            f"input {name!r} declares the type {kind!r}; expected a name or a list of choices"
        ) from error


class TrickyOutputs(tuple[OutputSchema, ...]):  # noqa: SLOT001 - a tuple's slots stay empty
    """Outputs of a class whose `RETURN_TYPES` also accepts indices that it does not list."""

    types: Any

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice) or index.__index__() < len(self):
            return super().__getitem__(index)
        found: Any = self.types[index]
        return OutputSchema(found, str(found))


def _inputs(declared: Mapping[str, Any], class_type: str) -> tuple[InputSchema, ...]:
    found: list[InputSchema] = []
    for section in _SECTIONS:
        entries: Mapping[str, Any] = declared.get(section) or {}
        for name, entry in entries.items():
            try:
                found.append(read_v1_input(name, section, entry))
            except NodeError as error:
                raise NodeError(f"{class_type}: {error}") from error
    return tuple(found)


def _outputs(made_from: Any) -> tuple[OutputSchema, ...]:
    types: Sequence[Any] = getattr(made_from, "RETURN_TYPES", ())
    names: Sequence[str] = getattr(made_from, "RETURN_NAMES", None) or ()
    lists: Sequence[bool] = getattr(made_from, "OUTPUT_IS_LIST", None) or ()
    tooltips: Sequence[str] = getattr(made_from, "OUTPUT_TOOLTIPS", None) or ()
    outputs: list[OutputSchema] = []
    for slot in range(len(types)):
        kind: Any = types[slot]
        if is_wildcard(kind):
            kind = Wildcard(str.__str__(kind))
        elif not isinstance(kind, str):
            kind = COMBO
        outputs.append(
            OutputSchema(
                type=kind,
                name=names[slot] if slot < len(names) else kind,
                is_list=bool(lists[slot]) if slot < len(lists) else False,
                tooltip=tooltips[slot] if slot < len(tooltips) else None,
            )
        )
    if type(types) in (tuple, list):
        return tuple(outputs)
    tricky = TrickyOutputs(outputs)
    tricky.types = types
    return tricky


def _named(function: Any) -> tuple[frozenset[str], bool]:
    """The parameters a function names, and whether it takes any other."""
    if function is None:
        return frozenset(), False
    parameters = inspect.signature(function).parameters.values()
    takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters)
    named = (each.name for each in parameters if each.kind is not each.VAR_KEYWORD)
    return frozenset(named), takes_all
