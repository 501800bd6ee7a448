"""The V3 types whose inputs depend on what is joined or chosen.

In a prompt their parts have dotted names, `images.image0`; the function receives a dict.
`engine.graph.dynamic` expands them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from engine.compat.v3.sockets import Input, Output, SocketType, comfytype, pruned, sections_of
from engine.errors import NodeError

MOST_INPUTS = 100
"""The highest number of inputs that one growing input may have."""


def _type_name(kind: Any) -> str:
    return str(getattr(kind, "io_type", kind))


class MultiType:
    """An input that takes several types: `MultiType.Input("x", types=[Image, Mask])`."""

    Type = Any
    io_type = "COMFY_MULTITYPED_V3"

    class Input(Input):
        """An input of several types; with an input in place of the id it has that one's field."""

        def __init__(
            self,
            id: Any,
            types: Sequence[Any],
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            lazy: bool | None = None,
            extra_dict: Any = None,
            raw_link: bool | None = None,
            advanced: bool | None = None,
            **unknown: Any,
        ) -> None:
            own: Any = id if isinstance(id, Input) else None
            self.input_override: Input | None = own
            if own is not None:
                display_name = display_name or own.display_name
                tooltip = tooltip or own.tooltip
                optional, lazy = optional or own.optional, lazy or own.lazy
            super().__init__(
                str(id) if own is None else own.id,
                display_name,
                optional,
                tooltip,
                lazy,
                extra_dict,
                raw_link,
                advanced,
                **unknown,
            )
            self._types = list(types)

        @property
        def io_types(self) -> list[Any]:
            """The types it takes; first that of the input it overrides."""
            return self._types

        def get_io_type(self) -> str:
            """All types, joined by commas."""
            names = [_type_name(each) for each in self._types]
            if self.input_override is not None:
                names.insert(0, self.input_override.get_io_type())
            return ",".join(dict.fromkeys(names))

        def as_dict(self) -> dict[str, Any]:
            """Its options, and those of the input it overrides."""
            if self.input_override is None:
                return super().as_dict()
            own = self.input_override
            widget = {"widgetType": own.get_io_type()} if hasattr(own, "default") else {}
            return widget | own.as_dict() | super().as_dict()


@comfytype("COMFY_MATCHTYPE_V3")
class MatchType(SocketType):
    """Inputs and outputs that share one type, which is whatever is joined first."""

    class Template:
        """What the inputs and outputs that share a type have in common."""

        def __init__(self, template_id: str, allowed_types: Any = None) -> None:
            kinds: Any = AnyType if allowed_types is None else allowed_types
            listed = kinds if isinstance(kinds, list | tuple) else [kinds]
            self.template_id = template_id
            self.allowed_types = cast("list[Any]", listed)

        def as_dict(self) -> dict[str, Any]:
            """The template as `/object_info` lists it."""
            allowed = ",".join(_type_name(each) for each in self.allowed_types)
            return {"template_id": self.template_id, "allowed_types": allowed}

    class Input(Input):
        """An input whose type is that of its template."""

        def __init__(
            self, id: str, template: MatchType.Template, *args: Any, **others: Any
        ) -> None:
            super().__init__(id, *args, **others)
            self.template = template

        def _options(self) -> dict[str, Any]:
            return {"template": self.template.as_dict()}

    class Output(Output):
        """An output whose type is that of its template."""

        def __init__(
            self,
            template: MatchType.Template,
            id: str | None = None,
            display_name: str | None = None,
            tooltip: str | None = None,
            is_output_list: bool = False,
            **unknown: Any,
        ) -> None:
            super().__init__(id, display_name, tooltip, is_output_list, **unknown)
            self.template = template


@comfytype("COMFY_AUTOGROW_V3")
class Autogrow(SocketType):
    """An input that becomes as many as are joined; the function receives them as a dict."""

    Type = dict[str, Any]

    class _Template:
        def __init__(self, input: Input, min: int) -> None:
            self.input = input
            self.min = min

        def as_dict(self) -> dict[str, Any]:
            described = sections_of([self.input])
            described.setdefault("optional", {})
            return {"input": described, "min": self.min}

    class TemplatePrefix(_Template):
        """Inputs named `prefix0`, `prefix1`, ... of which `min` are required."""

        def __init__(self, input: Input, prefix: str, min: int = 1, max: int = 10) -> None:
            if not 0 <= min <= max <= MOST_INPUTS:
                raise NodeError(
                    f"the growing input {prefix!r} has between {min} and {max} inputs; expected "
                    f"0 <= min <= max <= {MOST_INPUTS}"
                )
            super().__init__(input, min)
            self.prefix, self.max = prefix, max
            self.names = [f"{prefix}{index}" for index in range(max)]

        def as_dict(self) -> dict[str, Any]:
            """The template as `/object_info` lists it."""
            return super().as_dict() | {"prefix": self.prefix, "max": self.max}

    class TemplateNames(_Template):
        """Inputs of these names, of which the first `min` are required."""

        def __init__(self, input: Input, names: Sequence[str], min: int = 1) -> None:
            super().__init__(input, min)
            self.names = list(names)[:MOST_INPUTS]

        def as_dict(self) -> dict[str, Any]:
            """The template as `/object_info` lists it."""
            return super().as_dict() | {"names": self.names}

    class Input(Input):
        """The input that grows."""

        def __init__(self, id: str, template: Any, *args: Any, **others: Any) -> None:
            super().__init__(id, *args, **others)
            self.template = template

        def _options(self) -> dict[str, Any]:
            return {"template": self.template.as_dict()}

        def get_all(self) -> list[Any]:
            """This input and its pattern."""
            return [self, self.template.input]


@comfytype("COMFY_DYNAMICCOMBO_V3")
class DynamicCombo(SocketType):
    """A combo whose choice decides which further inputs there are."""

    Type = dict[str, Any]

    class Option:
        """A choice and the inputs that it adds."""

        def __init__(self, key: str, inputs: Sequence[Input]) -> None:
            self.key, self.inputs = key, list(inputs)

        def as_dict(self) -> dict[str, Any]:
            """The choice as `/object_info` lists it."""
            return {"key": self.key, "inputs": sections_of(self.inputs)}

    class Input(Input):
        """The combo; the function receives `{id: key, name: value, ...}`."""

        def __init__(
            self,
            id: str,
            options: Sequence[DynamicCombo.Option],
            *args: Any,
            **others: Any,
        ) -> None:
            super().__init__(id, *args, **others)
            self.options = list(options)

        def _options(self) -> dict[str, Any]:
            return {"options": [each.as_dict() for each in self.options]}

        def get_all(self) -> list[Any]:
            """This input and those of all choices."""
            return [self, *(one for each in self.options for one in each.inputs)]


@comfytype("COMFY_DYNAMICSLOT_V3")
class DynamicSlot(SocketType):
    """An input that adds further ones when something is joined to it."""

    Type = dict[str, Any]

    class Input(Input):
        """The slot; the function receives `{id: value, name: value, ...}`."""

        def __init__(self, slot: Input, inputs: Sequence[Input], *args: Any, **others: Any) -> None:
            others.setdefault("optional", True)
            super().__init__(slot.id, *args, **others)
            self.slot, self.inputs = slot, list(inputs)

        def _options(self) -> dict[str, Any]:
            return pruned(
                {
                    "slotType": self.slot.get_io_type(),
                    "inputs": sections_of(self.inputs),
                    "forceInput": True,
                }
            )

        def get_all(self) -> list[Any]:
            """This input, its slot and those it adds."""
            return [self, self.slot, *self.inputs]


AnyType: Any = comfytype("*")(type("AnyType", (SocketType,), {"__doc__": "Any type."}))
