"""Dynamic inputs: those that multiply as they are used, and those that depend on a choice.

In a prompt and in a saved workflow their names are dotted, `images.image0` or `format.codec`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from engine.graph.schema import ANY, COMBO, InputSchema, NodeSchema, Section

AUTOGROW = "COMFY_AUTOGROW_V3"
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
DYNAMIC_SLOT = "COMFY_DYNAMICSLOT_V3"
DYNAMIC_TYPES = frozenset({AUTOGROW, DYNAMIC_COMBO, DYNAMIC_SLOT})
VALUED_TYPES = frozenset({DYNAMIC_COMBO, DYNAMIC_SLOT})
"""Those that have a value of their own besides their parts."""


def concrete_inputs(schema: NodeSchema, given: Mapping[str, Any]) -> tuple[InputSchema, ...]:
    """The inputs the node has when it is given these, in order; dynamic ones written out.

    A dynamic combo stays, as the combo of its keys, before the inputs its chosen key adds; a
    dynamic slot, as a slot of its type, before those it adds once it is joined. Of inputs that
    multiply, the required ones and the given ones exist.
    """
    if all(each.type not in DYNAMIC_TYPES for each in schema.inputs):
        return schema.inputs
    return tuple(_expand(schema.inputs, given))


def iterate_inputs(schema: NodeSchema, given: Mapping[str, Any]) -> Iterator[InputSchema]:
    """The same, one by one: what the caller adds to `given` on the way decides what follows."""
    return _expand(schema.inputs, given)


def nested(
    arguments: Mapping[str, Any], parents: Collection[str], valued: Collection[str]
) -> dict[str, Any]:
    """Arguments with `images.image0` and its like gathered into a dict `images`.

    Args:
        arguments: by name, dotted ones included.
        parents: the names of the dynamic inputs.
        valued: those of them that have a value of their own; it is put under their own name.
    """
    gathered: dict[str, Any] = {name: {} for name in parents}
    for name, value in arguments.items():
        parent, _, child = name.partition(".")
        if parent not in parents:
            gathered[name] = value
        elif child:
            _put(gathered[parent], child, value)
        elif parent in valued:
            gathered[parent][parent] = value
        else:
            gathered[parent] = value
    return gathered


def _put(into: dict[str, Any], name: str, value: Any) -> None:
    """Put a value under a name; a dotted one into a dict in the dict.

    A combo inside a combo has its own value under its own name, as at the top.
    """
    parent, _, child = name.partition(".")
    if not child:
        into[parent] = value
        return
    inner = into.get(parent)
    if not isinstance(inner, dict):
        inner = into[parent] = {} if parent not in into else {parent: inner}
    _put(cast("dict[str, Any]", inner), child, value)


def read_inputs(described: Mapping[str, Any]) -> Iterator[InputSchema]:
    """Inputs from the form `{"required": {name: [type, options]}, "optional": ...}`."""
    sections: tuple[Section, ...] = ("required", "optional")
    for section in sections:
        for name, entry in described.get(section, {}).items():
            yield read_entry(name, entry, section)


def read_entry(name: str, entry: Any, section: Section) -> InputSchema:
    """One input from `[type, options]`, where the type may be the list of a combo's choices."""
    kind = entry[0]
    options: dict[str, Any] = dict(entry[1]) if len(entry) > 1 and entry[1] else {}
    if isinstance(kind, list | tuple):
        choices = tuple(cast("list[Any]", kind))
        return InputSchema(name, COMBO, section, options, choices=choices)
    if kind == COMBO and isinstance(options.get("options"), list | tuple):
        return InputSchema(name, COMBO, section, options, choices=tuple(options.pop("options")))
    return InputSchema(name, kind, section, options)


def _expand(inputs: Iterable[InputSchema], given: Mapping[str, Any]) -> Iterator[InputSchema]:
    for each in inputs:
        if each.type == AUTOGROW:
            yield from _expand(_grown(each, given), given)
        elif each.type == DYNAMIC_COMBO:
            yield from _expand(_chosen(each, given), given)
        elif each.type == DYNAMIC_SLOT:
            yield from _expand(_joined(each, given), given)
        else:
            yield each


def _grown(parent: InputSchema, given: Mapping[str, Any]) -> Iterator[InputSchema]:
    template = parent.options["template"]
    pattern = next(read_inputs(template["input"]))
    names: list[str] = list(template.get("names") or ())
    if not names:
        prefix = template.get("prefix") or pattern.name
        names = [f"{prefix}{index}" for index in range(int(template.get("max", 100)))]
    fewest = int(template.get("min", 1)) if parent.section == "required" else 0
    for index, name in enumerate(names):
        dotted = f"{parent.name}.{name}"
        section: Section = "required" if index < fewest else "optional"
        if section == "required" or dotted in given:
            yield replace(pattern, name=dotted, section=section)


def _chosen(parent: InputSchema, given: Mapping[str, Any]) -> Iterator[InputSchema]:
    described = list(parent.options.get("options", ()))
    keys = tuple(option["key"] for option in described)
    options = {name: value for name, value in parent.options.items() if name != "options"}
    if keys:
        options.setdefault("default", keys[0])
    yield InputSchema(parent.name, COMBO, parent.section, options, choices=keys)
    chosen = given.get(parent.name, options.get("default"))
    for option in described:
        if option["key"] == chosen:
            for child in read_inputs(option["inputs"]):
                yield replace(child, name=f"{parent.name}.{child.name}")


def _joined(parent: InputSchema, given: Mapping[str, Any]) -> Iterator[InputSchema]:
    extra = {"slotType", "inputs"}
    options = {name: value for name, value in parent.options.items() if name not in extra}
    kind = str(parent.options.get("slotType", ANY))
    yield InputSchema(parent.name, kind, parent.section, options)
    if given.get(parent.name) is not None:
        for child in read_inputs(parent.options.get("inputs", {})):
            yield replace(child, name=f"{parent.name}.{child.name}")
