"""Classes made from built-in nodes, of the V1 or the V3 dialect, to be called and derived from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from engine.compat.core_nodes.calling import bound, call, context_of_call
from engine.compat.core_nodes.methods import old_methods, v1_methods
from engine.compat.host.state import host
from engine.compat.v3.node import ClassProperty, ComfyNode
from engine.compat.v3.schema import Hidden, NodeOutput, Schema
from engine.compat.v3.sockets import Input, Output
from engine.graph.object_info import input_entry
from engine.graph.schema import InputSchema
from engine.nodekit.contract import FunctionNode
from engine.nodekit.folder_list import FolderList
from engine.nodekit.node import Node, Outcome


def list_folder(kind: str) -> list[str]:
    """The names of a folder's files, as the combos of the built-in nodes list them."""
    return host().files.list(kind)


def entry_of(each: InputSchema) -> tuple[Any, ...]:
    """An input as `INPUT_TYPES` states it; a combo of files is listed now, and stays current."""
    entry = list(input_entry(each, list_folder))
    if each.folder and isinstance(entry[0], list):
        names = list_folder(each.folder)
        added = cast("list[str]", entry[0])[len(names) :]
        entry[0] = FolderList(each.folder, names, after=added)
    return tuple(entry)


class CoreNode:
    """A built-in node as a V1 class. `node` is the node it was made from."""

    node: Node
    order: tuple[str, ...] = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """The inputs; a new dict each time, so that a subclass may change it."""
        sections: dict[str, dict[str, Any]] = {"required": {}}
        for each in cls.node.schema.inputs:
            entry: Any = each.type if each.section == "hidden" else entry_of(each)
            sections.setdefault(each.section, {})[each.name] = entry
        return sections

    @ClassProperty
    def RETURN_TYPES(cls) -> tuple[str, ...]:
        """The types of the outputs."""
        return cls.output_types()

    @ClassProperty
    def RETURN_NAMES(cls) -> tuple[str, ...]:
        """The names of the outputs; none for a subclass with outputs of its own."""
        cls.has_these_outputs("RETURN_NAMES")
        return tuple(each.name for each in cls.node.schema.outputs)

    @ClassProperty
    def OUTPUT_IS_LIST(cls) -> tuple[bool, ...]:
        """Which outputs hand on each element separately."""
        cls.has_these_outputs("OUTPUT_IS_LIST")
        return tuple(each.is_list for each in cls.node.schema.outputs)

    @ClassProperty
    def OUTPUT_TOOLTIPS(cls) -> tuple[str, ...]:
        """What the editor shows for the outputs."""
        cls.has_these_outputs("OUTPUT_TOOLTIPS")
        return tuple(each.tooltip or "" for each in cls.node.schema.outputs)

    @ClassProperty
    def CATEGORY(cls) -> str:
        """The place in the editor's menu."""
        return cls.node.schema.category

    @ClassProperty
    def DESCRIPTION(cls) -> str:
        """What the editor shows for the node."""
        return cls.node.schema.description

    @ClassProperty
    def OUTPUT_NODE(cls) -> bool:
        """Whether running it has an effect."""
        return cls.node.schema.is_output

    @ClassProperty
    def INPUT_IS_LIST(cls) -> bool:
        """Whether every input is a list."""
        return cls.node.schema.input_is_list

    @ClassProperty
    def DEPRECATED(cls) -> bool:
        """Whether the editor hides it in menus."""
        return cls.node.schema.deprecated

    @ClassProperty
    def EXPERIMENTAL(cls) -> bool:
        """Whether the editor marks it."""
        return cls.node.schema.experimental

    @classmethod
    def output_types(cls) -> tuple[str, ...]:
        """The types of the built-in node's outputs."""
        return tuple(each.type for each in cls.node.schema.outputs)

    @classmethod
    def has_these_outputs(cls, name: str) -> None:
        """Raise AttributeError for a subclass that has other outputs."""
        if cls.output_types() != cls.RETURN_TYPES:
            raise AttributeError(f"{cls.__name__} has outputs of its own, and no {name}")

    @classmethod
    def argument_order(cls) -> tuple[str, ...]:
        """The arguments in the order of the method."""
        return cls.order or tuple(each.name for each in cls.node.schema.inputs)


def as_v1(node: Node, outcome: Outcome) -> Any:
    """What a V1 function returns; what is shown only of a node that is there to show it."""
    if outcome.expansion is not None:
        return {"expand": outcome.expansion.graph, "result": outcome.expansion.result}
    if not node.schema.is_output:
        return outcome.values
    return {"ui": dict(outcome.shown or {}), "result": outcome.values}


def v1_core_class(node: FunctionNode[..., Any], own: type | None = None) -> type:
    """A V1 class of a built-in node.

    Args:
        node: the node.
        own: a class with methods and attributes that go before the made ones.
    """
    class_type = node.class_type
    method, order = v1_methods().get(class_type, (node.__name__, ()))
    attributes: dict[str, Any] = {
        "__module__": "nodes",
        "__doc__": None,
        "node": node,
        "order": order,
        "FUNCTION": method,
        method: _v1_method(node, class_type),
    }
    if node.traits.fingerprints:
        attributes["IS_CHANGED"] = classmethod(_is_changed(node))
    if node.traits.checks:
        attributes["VALIDATE_INPUTS"] = classmethod(_validate_inputs(node))
    made = type(class_type, (CoreNode,), attributes)
    return made if own is None else type(class_type, (own, made), {"__module__": "nodes"})


def _v1_method(node: Node, class_type: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Plugins also call it of the class, with an object of their own for `self`.
        maker: Any = self if isinstance(self, CoreNode) else _class_of(node)
        given = bound(class_type, maker.argument_order(), args, kwargs)
        answer = call(node, given)
        return _later_v1(node, answer) if inspect.isawaitable(answer) else as_v1(node, answer)

    return method


def _class_of(node: Node) -> Any:
    method = v1_methods().get(node.class_type)
    order = method[1] if method else ()
    return type("Unbound", (CoreNode,), {"node": node, "order": order})


async def _later_v1(node: Node, answer: Any) -> Any:
    return as_v1(node, await answer)


def _is_changed(node: Node) -> Callable[..., Any]:
    def is_changed(_: type, **inputs: Any) -> Any:
        return node.fingerprint_of(_visible(node, inputs), context_of_call())

    return is_changed


def _validate_inputs(node: Node) -> Callable[..., Any]:
    names = sorted(node.schema.checks) or [
        each.name for each in node.schema.inputs if each.section != "hidden"
    ]

    def validate_inputs(_: type, **inputs: Any) -> Any:
        complaint = node.complaint(_visible(node, inputs), {}, context_of_call())
        return True if complaint is None else complaint

    parameter = inspect.Parameter
    signature = inspect.Signature(
        [
            parameter("cls", parameter.POSITIONAL_OR_KEYWORD),
            *(parameter(name, parameter.KEYWORD_ONLY, default=None) for name in names),
        ]
    )
    cast("Any", validate_inputs).__signature__ = signature
    return validate_inputs


def _visible(node: Node, inputs: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {each.name for each in node.schema.inputs if each.section == "hidden"}
    return {name: value for name, value in inputs.items() if name not in hidden}


class DeclaredInput(Input):
    """An input of a built-in node, as V3 schemas hold it."""

    def __init__(self, each: InputSchema) -> None:
        super().__init__(each.name, optional=each.section == "optional")
        self.schema = each
        self.io_type = each.type

    def as_dict(self) -> dict[str, Any]:
        """The options as `/object_info` lists them."""
        options = dict(self.schema.options)
        if self.schema.choices is not None or self.schema.folder:
            entry = entry_of(self.schema)
            choices = entry[0] if isinstance(entry[0], list) else entry[1].get("options", [])
            options |= {"multiselect": False, "options": choices}
        return options


def v3_core_class(node: FunctionNode[..., Any], own: type | None = None) -> type:
    """A V3 class of a built-in node; its former methods, if it had any, do the same.

    Args:
        node: the node.
        own: a class with methods and attributes that go before the made ones.
    """
    attributes: dict[str, Any] = {
        "__module__": "nodes",
        "node": node,
        "define_schema": classmethod(_define_schema(node)),
        "execute": classmethod(_execute(node, ())),
    }
    old = old_methods().get(node.class_type)
    if old is not None:
        attributes[old[0]] = classmethod(_execute(node, old[1]))
    name = "".join(node.class_type.split())
    made = type(name, (ComfyNode,), attributes)
    return made if own is None else type(name, (own, made), {"__module__": "nodes"})


def _define_schema(node: Node) -> Callable[[type], Schema]:
    def define_schema(_: type) -> Schema:
        schema = node.schema
        return Schema(
            node_id=schema.class_type,
            display_name=schema.display_name,
            category=schema.category,
            inputs=[DeclaredInput(each) for each in schema.inputs if each.section != "hidden"],
            outputs=[_declared_output(each) for each in schema.outputs],
            hidden=[
                Hidden(each.type)
                for each in schema.inputs
                if each.section == "hidden" and each.type in {kind.value for kind in Hidden}
            ],
            description=schema.description,
            is_input_list=schema.input_is_list,
            is_output_node=schema.is_output,
            is_deprecated=schema.deprecated,
            is_experimental=schema.experimental,
            not_idempotent=schema.not_idempotent,
        )

    return define_schema


def _declared_output(each: Any) -> Output:
    declared = Output(display_name=each.name, tooltip=each.tooltip, is_output_list=each.is_list)
    declared.io_type = each.type
    return declared


def _execute(node: Node, order: tuple[str, ...]) -> Callable[..., Any]:
    def execute(_: type, *args: Any, **kwargs: Any) -> Any:
        names = order or tuple(each.name for each in node.schema.inputs if each.section != "hidden")
        answer = call(node, bound(node.class_type, names, args, kwargs))
        return _later_v3(answer) if inspect.isawaitable(answer) else as_v3(answer)

    return execute


async def _later_v3(answer: Any) -> NodeOutput:
    return as_v3(await answer)


def as_v3(outcome: Outcome) -> NodeOutput:
    """What a V3 function returns."""
    if outcome.expansion is not None:
        return NodeOutput(*outcome.expansion.result, expand=outcome.expansion.graph)
    return NodeOutput(*outcome.values, ui=outcome.shown)
