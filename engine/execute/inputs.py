"""Links to values, and lists mapped over a call.

Every input arrives as a list. A node that does not take lists is called once for each element of
the longest one; shorter ones repeat their last element; where one is empty there is no call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import NodeError
from engine.graph.dynamic import DYNAMIC_TYPES, VALUED_TYPES, nested
from engine.graph.prompt import BadLink, Link, PromptNode
from engine.graph.schema import NodeSchema
from engine.nodekit.node import Blocked, Node, Traits

Inputs = dict[str, list[Any]]
"""Every input of one node, as a list each."""


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """What is needed to run nodes of a class, read from its schema.

    Attributes:
        declared: constants of other names are not passed; None: all are.
        lazy: inputs to evaluate only when the node requests them.
        raw: inputs that receive the link itself.
        nested: inputs whose dotted parts are passed as one dict.
        chosen: those of `nested` that also hold a choice themselves.
        lists: for each output whether its elements are passed on separately.
        by_id: its results are not shared with other nodes.
        sees_graph: it is given the graph or links in it, and may expand to nodes that link there.
    """

    node: Node
    schema: NodeSchema
    traits: Traits
    declared: frozenset[str] | None
    lazy: frozenset[str]
    raw: frozenset[str]
    nested: frozenset[str]
    chosen: frozenset[str]
    lists: tuple[bool, ...]
    by_id: bool
    sees_graph: bool

    def is_lazy(self, name: str) -> bool:
        """Whether that input, or all of the dotted ones it is one of, is evaluated on request."""
        return name in self.lazy or ("." in name and _parent(name) in self.lazy)


def read_info(node: Node) -> ClassInfo:
    """What is needed to run nodes of this class."""
    schema, traits = node.schema, node.traits
    names = frozenset(each.name for each in schema.inputs)
    raw = frozenset(each.name for each in schema.inputs if each.options.get("rawLink"))
    return ClassInfo(
        node=node,
        schema=schema,
        traits=traits,
        declared=None if schema.flexible else names,
        lazy=frozenset(each.name for each in schema.inputs if each.lazy),
        raw=raw,
        nested=frozenset(each.name for each in schema.inputs if each.type in DYNAMIC_TYPES),
        chosen=frozenset(each.name for each in schema.inputs if each.type in VALUED_TYPES),
        lists=tuple(each.is_list for each in schema.outputs),
        by_id=traits.knows_id or schema.not_idempotent,
        sees_graph=bool(raw) or any(each.type == "DYNPROMPT" for each in schema.inputs),
    )


def is_current(info: ClassInfo, node: Node) -> bool:
    """Whether reading the class again would give the same."""
    return info.node is node and info.schema is node.schema and info.traits == node.traits


def gather(
    node: PromptNode,
    info: ClassInfo,
    outputs: Mapping[str, tuple[list[Any], ...]],
    asked: Collection[str] = (),
) -> Inputs:
    """Every input's values; `[None]` for a lazy link that was not requested.

    Raises:
        NodeError: a source returned fewer outputs than the link needs.
    """
    gathered: Inputs = {}
    declared = info.declared
    for name, value in node.inputs.items():
        if type(value) is Link:
            if name in info.raw:
                gathered[name] = [[value.node, value.slot]]
            else:
                source = outputs.get(value.node)
                if source is None or (info.is_lazy(name) and name not in asked):
                    gathered[name] = [None]
                elif value.slot < len(source):
                    gathered[name] = source[value.slot]
                else:
                    raise NodeError(
                        f"input {name} wants output {value.slot} of node {value.node}, which "
                        f"gave {len(source)} values; link it to another output"
                    )
        elif declared is None or name in declared or _parent(name) in info.nested:
            gathered[name] = [value.received if type(value) is BadLink else value]
    return gathered


def constants(node: PromptNode) -> dict[str, Any]:
    """Every input's literal; None for links."""
    return {name: None if type(value) is Link else value for name, value in node.inputs.items()}


def calls(inputs: Inputs, info: ClassInfo) -> Iterator[dict[str, Any]]:
    """The arguments of each call there is to make."""
    if info.schema.input_is_list:
        # Copies: a node that empties its lists must not empty cached results.
        copies = {name: list(values) for name, values in inputs.items()}
        yield nested(copies, info.nested, info.chosen) if info.nested else copies
        return
    longest, shortest = 1, 1
    for values in inputs.values():
        count = len(values)
        longest = max(longest, count)
        shortest = min(shortest, count)
    if not shortest:
        return
    for index in range(longest):
        chosen = {
            name: values[index] if index < len(values) else values[-1]
            for name, values in inputs.items()
        }
        yield nested(chosen, info.nested, info.chosen) if info.nested else chosen


def blocked(arguments: Mapping[str, Any], info: ClassInfo) -> Blocked | None:
    """The blocker among these arguments, or None."""
    for value in arguments.values():
        if isinstance(value, Blocked):
            return value
        if info.schema.input_is_list and isinstance(value, list):
            for element in value:  # pyright: ignore[reportUnknownVariableType]
                if isinstance(element, Blocked):
                    return element
    return None


def _parent(name: str) -> str:
    return name.partition(".")[0]
