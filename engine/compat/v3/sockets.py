"""Types of inputs and outputs in the V3 dialect: `Type.Input`, `Type.Output`, `comfytype`.

Plugins declare a node by objects of these classes; `engine.nodekit.v3` reads them. A keyword that
is not known here is stored and passed on, since plugins may be newer than this list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, cast


def pruned(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without those that are None."""
    return {name: value for name, value in options.items() if value is not None}


def plain(value: Any) -> Any:
    """The value of an enumeration's member; anything else as it is."""
    return value.value if isinstance(value, Enum) else value


class Socket:
    """What inputs and outputs have in common: an id and the type they belong to."""

    io_type: Any = "*"
    Parent: ClassVar[Any] = None

    def get_io_type(self) -> str:
        """The wire type, such as `"IMAGE"` or `"IMAGE,MASK"`."""
        return plain(self.io_type)


class Input(Socket):
    """An input that takes a link.

    Args:
        id: the keyword the node's function receives it as.
        display_name: the name the editor shows.
        optional: the node also runs without it.
        tooltip: what the editor shows for it.
        lazy: it is evaluated only when `check_lazy_status` requests it.
        extra_dict: further options, passed on as they are.
        raw_link: the function gets the link itself, `[node id, slot]`.
        advanced: the editor hides it among the advanced ones.
        unknown: any newer keyword; stored as an attribute, and passed on as an option.
    """

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
        **unknown: Any,
    ) -> None:
        self.id = id
        self.display_name = display_name
        self.optional = optional
        self.tooltip = tooltip
        self.lazy = lazy
        self.extra_dict: dict[str, Any] = dict(extra_dict or {})
        self.rawLink = raw_link
        self.advanced = advanced
        self.unknown = unknown
        for name, value in unknown.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """The options as `/object_info` lists them."""
        options = {
            "display_name": self.display_name,
            "tooltip": self.tooltip,
            "lazy": self.lazy,
            "rawLink": self.rawLink,
            "advanced": self.advanced,
        }
        return pruned(options | self._options() | self.unknown) | self.extra_dict

    def _options(self) -> dict[str, Any]:
        return {}

    def get_all(self) -> list[Input]:
        """This input, and those it may add."""
        return [self]

    def validate(self) -> None:
        """Nothing to check for an ordinary input."""


class WidgetInput(Input):
    """An input with a field in the editor, which holds a constant."""

    default_widget: ClassVar[str | None] = None

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        socketless: bool | None = None,
        widget_type: str | None = None,
        force_input: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__(
            id, display_name, optional, tooltip, lazy, extra_dict, raw_link, advanced, **unknown
        )
        self.default = default
        self.socketless = socketless
        self.widget_type = widget_type or self.default_widget
        self.force_input = force_input

    def _options(self) -> dict[str, Any]:
        return super()._options() | {
            "default": plain(self.default),
            "socketless": self.socketless,
            "widgetType": self.widget_type,
            "forceInput": self.force_input,
        }


class Output(Socket):
    """An output: `Output(id, display_name, tooltip, is_output_list)`."""

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
        **unknown: Any,
    ) -> None:
        self.id = id
        self.display_name = display_name or id
        self.tooltip = tooltip
        self.is_output_list = is_output_list
        for name, value in unknown.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """What is declared, without what is not."""
        return pruned(
            {
                "display_name": self.display_name,
                "tooltip": self.tooltip,
                "is_output_list": self.is_output_list,
            }
        )

    def validate(self) -> None:
        """Nothing to check for an ordinary output."""


class SocketType:
    """A wire type: a namespace of its `Input`, `Output` and the annotation `Type`."""

    Type: Any = Any
    io_type: Any = "*"
    Parent: ClassVar[Any] = None
    Input: Any = Input
    Output: Any = Output


def comfytype(io_type: str, **_: Any) -> Callable[[type], type]:
    """A class decorator that makes a type: its own `Input` and `Output` get that wire type.

    What the class lacks of them is made: a plain `Input` and a plain `Output`.
    """

    def decorate(declared: type) -> type:
        made: Any = declared
        made.io_type = io_type
        bases: tuple[tuple[str, type], ...] = (("Input", Input), ("Output", Output))
        for name, base in bases:
            found: Any = vars(declared).get(name) or getattr(declared, name, None)
            if found is None or "io_type" not in vars(found) or found.io_type != io_type:
                parent: Any = base if found is None else found
                found = type(name, (parent,), {"__doc__": parent.__doc__})
                setattr(made, name, found)
            found.io_type = io_type
            found.Parent = made
        if not hasattr(made, "Type"):
            made.Type = Any
        return made

    return decorate


def made_type(name: str, io_type: str, annotation: Any = Any, widget: bool = False) -> Any:
    """A type of that name without options of its own."""
    attributes: dict[str, Any] = {"Type": annotation, "__doc__": f"The type {io_type}."}
    if widget:
        attributes["Input"] = type("Input", (WidgetInput,), {"io_type": io_type})
    return comfytype(io_type)(type(name, (SocketType,), attributes))


def Custom(io_type: str) -> Any:
    """A type of a plugin's own, by its name on wires; fresh with each call."""
    return made_type("CustomType", io_type)


def entry_of(declared: Input) -> tuple[Any, dict[str, Any]]:
    """An input as `INPUT_TYPES` states one: `(type, options)`."""
    return declared.get_io_type(), declared.as_dict()


def sections_of(inputs: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Inputs as `INPUT_TYPES` states them, by section; `optional` only where there are any."""
    sections: dict[str, dict[str, Any]] = {"required": {}}
    for each in cast("Sequence[Input]", inputs):
        section = "optional" if each.optional else "required"
        kind, options = entry_of(each)
        sections.setdefault(section, {})[each.id] = [kind, options]
    return sections
