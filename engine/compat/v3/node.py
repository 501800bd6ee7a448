"""`ComfyNode`: the base of V3 classes, which also answers the attributes of V1 classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from engine.compat.v3.schema import HiddenHolder, NodeOutput, Schema, as_output
from engine.compat.v3.sockets import sections_of
from engine.errors import NodeError

T = TypeVar("T")


class ClassProperty(Generic[T]):
    """A property that is read from a class; a subclass may have a plain attribute in its place."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __get__(self, instance: object, owner: type) -> T:
        return self._read(owner)


class ComfyNode:
    """A node of the V3 dialect: class methods `define_schema` and `execute`, no instance state.

    Optional class methods: `validate_inputs`, `fingerprint_inputs`, `check_lazy_status`. Each call
    is made on a class derived for it, whose `hidden` has the call's hidden values.
    """

    hidden: Any = HiddenHolder()
    RELATIVE_PYTHON_MODULE: str | None = None
    SCHEMA: Any = None

    @classmethod
    def define_schema(cls) -> Schema:
        """The node's schema. Every class has its own."""
        raise NodeError(f"{cls.__name__} has no define_schema; add a class method of that name")

    @classmethod
    def execute(cls, **inputs: Any) -> Any:
        """Run the node: its inputs by name, a `NodeOutput` back. Every class has its own."""
        raise NodeError(f"{cls.__name__} has no execute; add a class method of that name")

    @classmethod
    def validate_inputs(cls, **inputs: Any) -> bool | str:
        """True, or a sentence that says what is wrong with the constants."""
        return True

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> Any:
        """What the result depends on besides the inputs."""
        return None

    @classmethod
    def check_lazy_status(cls, **inputs: Any) -> list[str]:
        """The lazy inputs to evaluate: by default all that are None."""
        return [name for name, value in inputs.items() if value is None]

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        """The schema, completed and checked; made anew with each call, as lists may change."""
        schema = cls.define_schema()
        schema.finalize()
        schema.validate()
        return schema

    FINALIZE_SCHEMA = GET_SCHEMA

    @classmethod
    def GET_BASE_CLASS(cls) -> type:
        """The class that states the contract."""
        return ComfyNode

    @classmethod
    def PREPARE_CLASS_CLONE(cls, v3_data: Mapping[str, Any] | None) -> type:
        """A class derived for one call, with the hidden values of `v3_data`."""
        return type(cls.__name__, (cls,), {"hidden": HiddenHolder.from_v3_data(v3_data)})

    @classmethod
    def EXECUTE_NORMALIZED(cls, *args: Any, **inputs: Any) -> Any:
        """Run the node and return a NodeOutput, whatever `execute` returns."""
        answer = cls.execute(*args, **inputs)
        return _later(answer) if inspect.isawaitable(answer) else as_output(answer)

    @classmethod
    async def EXECUTE_NORMALIZED_ASYNC(cls, *args: Any, **inputs: Any) -> NodeOutput:
        """Run a node whose `execute` is a coroutine."""
        answer: Any = cls.execute(*args, **inputs)
        return as_output(await answer if inspect.isawaitable(answer) else answer)

    @classmethod
    def INPUT_TYPES(cls, include_hidden: bool = True, **_: Any) -> dict[str, dict[str, Any]]:
        """The inputs in the form of V1 classes."""
        schema = cls.GET_SCHEMA()
        sections: dict[str, dict[str, Any]] = {
            section: {name: tuple(entry) for name, entry in named.items()}
            for section, named in sections_of(schema.inputs).items()
        }
        if include_hidden and schema.hidden:
            kinds = [str(getattr(each, "value", each)) for each in schema.hidden]
            sections["hidden"] = {kind.lower(): (kind,) for kind in kinds}
        return sections

    @ClassProperty
    def FUNCTION(cls) -> str:
        """The name of the method that runs it."""
        waits = inspect.iscoroutinefunction(getattr(cls.execute, "__func__", cls.execute))
        return "EXECUTE_NORMALIZED_ASYNC" if waits else "EXECUTE_NORMALIZED"

    @ClassProperty
    def RETURN_TYPES(cls) -> tuple[str, ...]:
        """The types of its outputs."""
        return tuple(each.get_io_type() for each in cls.GET_SCHEMA().outputs)

    @ClassProperty
    def RETURN_NAMES(cls) -> tuple[str, ...]:
        """The names of its outputs."""
        return tuple(each.display_name or each.get_io_type() for each in cls.GET_SCHEMA().outputs)

    @ClassProperty
    def OUTPUT_IS_LIST(cls) -> tuple[bool, ...]:
        """Which outputs hand on each element separately."""
        return tuple(each.is_output_list for each in cls.GET_SCHEMA().outputs)

    @ClassProperty
    def OUTPUT_TOOLTIPS(cls) -> tuple[str, ...]:
        """What the editor shows for the outputs."""
        return tuple(each.tooltip or "" for each in cls.GET_SCHEMA().outputs)

    @ClassProperty
    def CATEGORY(cls) -> str:
        """The place in the editor's menu."""
        return cls.GET_SCHEMA().category

    @ClassProperty
    def DESCRIPTION(cls) -> str:
        """What the editor shows for the node."""
        return cls.GET_SCHEMA().description

    @ClassProperty
    def OUTPUT_NODE(cls) -> bool:
        """Whether running it has an effect."""
        return cls.GET_SCHEMA().is_output_node

    @ClassProperty
    def INPUT_IS_LIST(cls) -> bool:
        """Whether every input is a list."""
        return cls.GET_SCHEMA().is_input_list

    @ClassProperty
    def DEPRECATED(cls) -> bool:
        """Whether the editor hides it in menus."""
        return cls.GET_SCHEMA().is_deprecated

    @ClassProperty
    def EXPERIMENTAL(cls) -> bool:
        """Whether the editor marks it."""
        return cls.GET_SCHEMA().is_experimental

    @ClassProperty
    def API_NODE(cls) -> bool:
        """Whether it calls a paid service."""
        return cls.GET_SCHEMA().is_api_node

    @ClassProperty
    def NOT_IDEMPOTENT(cls) -> bool:
        """Whether it never shares a cached result."""
        return cls.GET_SCHEMA().not_idempotent


async def _later(answer: Any) -> NodeOutput:
    return as_output(await answer)
