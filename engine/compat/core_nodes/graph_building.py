"""`comfy_execution.graph_utils`: graphs that a node returns to run in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, cast

from engine.nodekit.context import CURRENT, RunningContext
from engine.nodekit.node import Blocked

ExecutionBlocker = Blocked
"""A value that will not come, as plugins make one: `ExecutionBlocker("why")`."""

_BUILT: ContextVar[tuple[RunningContext, int]] = ContextVar("calotype_graphs_built")
"""The call that last made a builder, and how many it made: names repeat from run to run."""


def is_link(value: Any) -> bool:
    """Whether it is a link in a prompt: `[node id, output]`."""
    if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
        return False
    node, slot = cast("list[Any]", value)
    return isinstance(node, str) and isinstance(slot, int | float)


class GraphBuilder:
    """Collects the nodes of a graph; `finalize` gives it in API form.

    Ids get a prefix, so that they are none of the running graph's, and no other builder's of the
    same call. The executor puts the running node's id before it.
    """

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = self.alloc_prefix() if prefix is None else prefix
        self.nodes: dict[str, Node] = {}
        self.id_gen = 1
        self._short: dict[str, str] = {}

    @classmethod
    def set_default_prefix(cls, prefix_root: str, call_index: int, graph_index: int = 0) -> None:
        """Accepted; prefixes follow the running node by themselves."""

    @classmethod
    def alloc_prefix(
        cls,
        root: str | None = None,
        call_index: int | None = None,
        graph_index: int | None = None,
    ) -> str:
        """A prefix that no other builder of this call has."""
        context = CURRENT.get(None)
        before = _BUILT.get(None)
        count = before[1] if before is not None and before[0] is context else 0
        if context is not None:
            _BUILT.set((context, count + 1))
        if root is None and call_index is None and graph_index is None:
            return f"graph{count}."
        call = (context.call if context else 0) if call_index is None else call_index
        name = (context.node_id if context else "") if root is None else root
        return f"{name}.{call}.{count if graph_index is None else graph_index}."

    def node(self, class_type: str, id: str | None = None, **inputs: Any) -> Node:
        """Add a node; `id` is its name in this graph, and a repeated one is the same node."""
        if id is None:
            id = str(self.id_gen)  # noqa: A001
            self.id_gen += 1
        name = f"{self.prefix}{self._shortened(id)}"
        found = self.nodes.get(name)
        if found is None:
            found = self.nodes[name] = Node(name, class_type, inputs)
        return found

    def lookup_node(self, id: str) -> Node | None:
        """The node of that name in this graph, or None."""
        return self.nodes.get(f"{self.prefix}{self._short.get(id, id)}")

    def finalize(self) -> dict[str, dict[str, Any]]:
        """The graph in API form: what a node returns under `expand`."""
        return {name: node.serialize() for name, node in self.nodes.items()}

    def replace_node_output(self, node_id: str, index: int, new_value: Any) -> None:
        """Have all inputs that take an output take something else, or nothing where it is None."""
        old = [f"{self.prefix}{self._short.get(node_id, node_id)}", index]
        for node in self.nodes.values():
            for name in [name for name, value in node.inputs.items() if value == old]:
                node.set_input(name, new_value)

    def remove_node(self, id: str) -> None:
        """Remove a node of this graph."""
        del self.nodes[f"{self.prefix}{self._short.get(id, id)}"]

    def _shortened(self, id: str) -> str:
        """A name without that of an expansion: a loop that copies its nodes would lengthen them."""
        if id not in self._short and "." in id:
            taken = {
                *self._short.values(),
                *(name.removeprefix(self.prefix) for name in self.nodes),
            }
            short = id.rpartition(".")[2]
            self._short[id] = id if short in taken else short
        return self._short.get(id, id)


class Node:
    """A node of a graph that is being built."""

    def __init__(self, id: str, class_type: str, inputs: Mapping[str, Any]) -> None:
        self.id = id
        self.class_type = class_type
        self.inputs = dict(inputs)
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        """A link to an output."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        """Set an input to a constant or a link; None removes it."""
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        """An input's constant or link, or None."""
        return self.inputs.get(key)

    def set_override_display_id(self, override_display_id: str) -> None:
        """The node of the user's prompt on which the editor shows this one's progress."""
        self.override_display_id = override_display_id

    def serialize(self) -> dict[str, Any]:
        """The node in API form."""
        found: dict[str, Any] = {"class_type": self.class_type, "inputs": self.inputs}
        if self.override_display_id is not None:
            found["override_display_id"] = self.override_display_id
        return found


def add_graph_prefix(
    graph: Mapping[str, Mapping[str, Any]], outputs: Sequence[Any], prefix: str
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """A graph with a prefix before all its ids, in links too, and its outputs likewise."""

    def renamed(value: Any) -> Any:
        if is_link(value) and value[0] in graph:
            return [f"{prefix}{value[0]}", value[1]]
        return value

    added: dict[str, Any] = {}
    for name, node in graph.items():
        inputs = {key: renamed(value) for key, value in node.get("inputs", {}).items()}
        added[f"{prefix}{name}"] = {**node, "inputs": inputs}
    return added, tuple(renamed(each) for each in outputs)
