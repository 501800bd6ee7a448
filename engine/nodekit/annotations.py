"""Annotations to inputs and outputs: `Annotated[int, Range(1, 100)] = 20` to an `InputSchema`.

Independent of nodes and of how they are run.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from engine.errors import NodeError
from engine.graph.dynamic import AUTOGROW, DYNAMIC_COMBO
from engine.graph.object_info import input_entry
from engine.graph.schema import ANY, COMBO, InputSchema, OutputSchema, Section
from engine.graph.sockets import MATCH
from engine.nodekit.markers import (
    Autogrow,
    Choice,
    DynamicCombo,
    FileChoice,
    InOptionalSection,
    ListOutput,
    MatchType,
    Names,
    Options,
    Range,
    Socket,
    Text,
)

_WIDGETS: Mapping[Any, str] = types.MappingProxyType(
    {int: "INT", float: "FLOAT", str: "STRING", bool: "BOOLEAN", Any: ANY, object: ANY}
)
_LISTS = (list, Sequence, tuple)
_TYPED = (Socket, Autogrow, MatchType, DynamicCombo)
"""Markers that say a type themselves, whatever Python's is."""


@dataclass(slots=True)
class _Reading:
    """What was read from the markers of one annotation so far."""

    type: str = ""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    choices: tuple[Any, ...] | None = None
    folder: str | None = None
    optional: bool = False
    is_list: bool = False
    tooltip: str | None = None
    match: str | None = None
    names: tuple[str, ...] = ()


def read_inputs(parameter: Parameter, annotation: Any, *, in_list: bool) -> list[InputSchema]:
    """The inputs that a parameter is: one, or one for each of the `Names` of `**ratios`.

    Args:
        parameter: as `inspect` sees it: name and default.
        annotation: its resolved annotation, markers included.
        in_list: the node takes every input as a list: `list[X]` and a one-element default are
            read as `X` and its element.

    Raises:
        NodeError: the annotation has no wire type.
    """
    reading = _Reading()
    _read(annotation, reading, in_list=in_list)
    if not reading.type:
        raise NodeError(
            f"parameter {parameter.name!r} is annotated {annotation!r}, which is no wire type; "
            "use int, float, str, bool or Annotated[..., Socket('TYPE')]"
        )
    default = parameter.default
    options: dict[str, Any] = {}
    if default is None:
        reading.optional = True
    elif default is not Parameter.empty:
        as_list = in_list and isinstance(default, list | tuple)
        options["default"] = default[0] if as_list else default
    section: Section = "optional" if reading.optional else "required"
    if section == "optional" and default is Parameter.empty:
        raise NodeError(f"the optional parameter {parameter.name!r} needs a default, e.g. None")
    return [
        InputSchema(
            name=name,
            type=reading.type,
            section=section,
            options=options | reading.options,
            choices=reading.choices,
            folder=reading.folder,
        )
        for name in reading.names or (parameter.name,)
    ]


def read_outputs(annotation: Any, names: Sequence[str] | None) -> tuple[OutputSchema, ...]:
    """The outputs of a return annotation: one, several (a tuple or NamedTuple) or none.

    `names` are the names the editor shows; without them a NamedTuple's fields, else the types.
    """
    if annotation is None or annotation is type(None):
        return ()
    fields = _fields(annotation)
    outputs: list[OutputSchema] = []
    for index, (name, each) in enumerate(fields):
        reading = _Reading()
        _read(each, reading, in_list=False)
        if not reading.type:
            raise NodeError(f"the output annotated {each!r} is no wire type")
        shown = names[index] if names else name or reading.type
        outputs.append(
            OutputSchema(reading.type, shown, reading.is_list, reading.tooltip, reading.match)
        )
    if names and len(names) != len(outputs):
        raise NodeError(f"{len(outputs)} outputs are annotated, but {len(names)} names given")
    return tuple(outputs)


def returns_several(annotation: Any) -> bool:
    """Whether a function so annotated returns one value per output, in a tuple."""
    return _is_tuple(annotation)


def _is_tuple(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, tuple)


def _fields(annotation: Any) -> list[tuple[str, Any]]:
    """Each output's own name, "" where it has none, and annotation."""
    if not _is_tuple(annotation):
        return [("", annotation)]
    if hasattr(annotation, "_fields"):
        hints = get_type_hints(annotation, include_extras=True)
        return [(name, hints[name]) for name in annotation._fields]
    return [("", each) for each in get_args(annotation)]


def _read(annotation: Any, reading: _Reading, *, in_list: bool) -> None:
    """Take what an annotation says into `reading`: its type first, then its markers in order."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *markers = get_args(annotation)
        if not any(isinstance(marker, _TYPED) for marker in markers):
            _read(inner, reading, in_list=in_list)
        for marker in markers:
            _mark(marker, reading)
    elif origin in (Union, types.UnionType):
        members = [each for each in get_args(annotation) if each is not type(None)]
        reading.optional = reading.optional or len(members) < len(get_args(annotation))
        if len(members) == 1:
            _read(members[0], reading, in_list=in_list)
        else:
            reading.type = ",".join(_alone(each) for each in members)
    elif origin is Literal:
        reading.type, reading.choices = COMBO, get_args(annotation)
    elif origin in _LISTS:
        reading.is_list = True
        _read(get_args(annotation)[0], reading, in_list=in_list)
    elif annotation in _WIDGETS:
        reading.type = _WIDGETS[annotation]


def _alone(annotation: Any) -> str:
    """The type of one member of a union."""
    reading = _Reading()
    _read(annotation, reading, in_list=False)
    return reading.type


def _mark(marker: object, reading: _Reading) -> None:
    """Take one marker into `reading`; markers of other libraries are ignored."""
    match marker:
        case Socket():
            reading.type, reading.tooltip = marker.type, marker.tooltip
        case Range():
            reading.options |= _range_options(marker, whole=reading.type == "INT")
        case Text():
            reading.options |= _text_options(marker)
        case Choice():
            reading.type, reading.choices = COMBO, marker.values
        case FileChoice():
            reading.type, reading.folder = COMBO, marker.folder
            reading.choices = marker.also or None
            if marker.upload:
                reading.options[marker.upload] = True
        case Autogrow():
            reading.type = AUTOGROW
            kind = marker.type
            matched = {"template": _template(kind)} if isinstance(kind, MatchType) else {}
            entry = [MATCH if isinstance(kind, MatchType) else kind, matched]
            reading.options["template"] = {
                "input": {"required": {marker.prefix: entry}},
                "min": marker.minimum,
                **(
                    {"names": list(marker.names)}
                    if marker.names
                    else {"prefix": marker.prefix, "max": marker.maximum}
                ),
            }
        case MatchType():
            reading.type, reading.match = MATCH, marker.template
            reading.options["template"] = _template(marker)
        case DynamicCombo():
            reading.type = DYNAMIC_COMBO
            reading.options["options"] = [
                {"key": key, "inputs": _described(fields)} for key, fields in marker.choices.items()
            ]
        case Names():
            reading.names = marker.values
        case Options():
            reading.options |= marker.values
        case InOptionalSection():
            reading.optional = True
        case ListOutput():
            reading.is_list = True
        case _:
            pass


def _template(marker: MatchType) -> dict[str, Any]:
    return {"template_id": marker.template, "allowed_types": marker.types}


def _described(fields: Any) -> dict[str, Any]:
    """The fields of a NamedTuple as inputs, in the form of `/object_info`."""
    hints = get_type_hints(fields, include_extras=True)
    found: dict[str, dict[str, Any]] = {"required": {}}
    for name in fields._fields:
        default = fields._field_defaults.get(name, Parameter.empty)
        parameter = Parameter(name, Parameter.KEYWORD_ONLY, default=default)
        for each in read_inputs(parameter, hints[name], in_list=False):
            found.setdefault(each.section, {})[each.name] = input_entry(each)
    return found


def _range_options(marker: Range, *, whole: bool) -> dict[str, Any]:
    def number(value: float) -> float:
        if whole:
            return int(value)
        # The incumbent's limits of 64 bits, which no float equals, stay as they are.
        return value if float(value) != value else float(value)

    options: dict[str, Any] = {"min": number(marker.minimum)}
    if marker.maximum is not None:
        options["max"] = number(marker.maximum)
    if marker.step is not None:
        options["step"] = number(marker.step)
    if marker.round is not None:
        options["round"] = marker.round
    if marker.control_after_generate:
        options["control_after_generate"] = True
    if marker.display is not None:
        options["display"] = marker.display
    return options


def _text_options(marker: Text) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if marker.multiline is not None:
        options["multiline"] = marker.multiline
    if marker.dynamic_prompts:
        options["dynamicPrompts"] = True
    if marker.placeholder is not None:
        options["placeholder"] = marker.placeholder
    return options
