"""A Node as a V1 class: what plugins find in `nodes.NODE_CLASS_MAPPINGS`, call and derive from.

The context is that of the node whose code makes the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any

from engine.graph.object_info import ListFolder, input_entry
from engine.graph.schema import NodeSchema
from engine.nodekit.context import CURRENT, RunningContext
from engine.nodekit.node import Node, Outcome
from engine.nodekit.v1 import V1Node


def v1_class(node: Node, *, list_folder: ListFolder | None = None) -> type:
    """A class with `INPUT_TYPES`, `RETURN_TYPES`, `FUNCTION` and so on, made from a node.

    Its function takes the inputs by name or in the order of the schema, and returns what a V1
    function returns. `list_folder` lists the choices of combos of files.
    """
    if isinstance(node, V1Node):
        return node.made_from
    schema = node.schema
    function = getattr(node, "__name__", "run")
    attributes: dict[str, Any] = {
        "__doc__": schema.description,
        "__module__": schema.python_module,
        "INPUT_TYPES": classmethod(_input_types(schema, list_folder)),
        "RETURN_TYPES": tuple(each.type for each in schema.outputs),
        "RETURN_NAMES": tuple(each.name for each in schema.outputs),
        "OUTPUT_IS_LIST": tuple(each.is_list for each in schema.outputs),
        "OUTPUT_TOOLTIPS": tuple(each.tooltip or "" for each in schema.outputs),
        "FUNCTION": function,
        "CATEGORY": schema.category,
        "DESCRIPTION": schema.description,
        "OUTPUT_NODE": schema.is_output,
        "INPUT_IS_LIST": schema.input_is_list,
        "DEPRECATED": schema.deprecated,
        "EXPERIMENTAL": schema.experimental,
        "NOT_IDEMPOTENT": schema.not_idempotent,
        function: _method(node),
    }
    if node.traits.fingerprints:
        attributes["IS_CHANGED"] = classmethod(_is_changed(node))
    return type(schema.class_type, (), attributes)


def _input_types(
    schema: NodeSchema, list_folder: ListFolder | None
) -> Callable[[type], dict[str, dict[str, Any]]]:
    def input_types(_: type) -> dict[str, dict[str, Any]]:
        sections: dict[str, dict[str, Any]] = {"required": {}}
        for each in schema.inputs:
            entry: Any = tuple(input_entry(each, list_folder))
            if each.section == "hidden":
                entry = each.type
            sections.setdefault(each.section, {})[each.name] = entry
        return sections

    return input_types


def _method(node: Node) -> Callable[..., Any]:
    order = [each.name for each in node.schema.inputs if each.section != "hidden"]
    hidden = {each.name for each in node.schema.inputs if each.section == "hidden"}

    def method(_: object, *args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(order, args, strict=False)), **kwargs}
        shown = {name: value for name, value in given.items() if name not in hidden}
        context = CURRENT.get().aside()
        answer = node.run(shown, context)
        return _later(answer, context) if isawaitable(answer) else _to_v1(answer, context)

    return method


async def _later(answer: Awaitable[Outcome], context: RunningContext) -> Any:
    return _to_v1(await answer, context)


def _to_v1(outcome: Outcome, context: RunningContext) -> Any:
    if outcome.expansion is not None:
        return {"expand": outcome.expansion.graph, "result": outcome.expansion.result}
    shown = {**context.shown, **(outcome.shown or {})}
    return {"ui": shown, "result": outcome.values} if shown else outcome.values


def _is_changed(node: Node) -> Callable[..., Any]:
    def is_changed(_: type, **inputs: Any) -> Any:
        return node.fingerprint_of(_known(node, inputs), CURRENT.get())

    return is_changed


def _known(node: Node, inputs: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {each.name for each in node.schema.inputs if each.section == "hidden"}
    return {name: value for name, value in inputs.items() if name not in hidden}
