"""From an input of a saved workflow back to the node that feeds it.

Resolves what has no place in a prompt: reroutes, primitives, muted and bypassed nodes, the borders
of subgraphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import WorkflowError
from engine.graph.group_nodes import group_definition
from engine.graph.promotions import HostValues, host_values
from engine.graph.prompt import MAX_DEPTH, Link, is_list
from engine.graph.saved_graph import (
    BYPASS,
    INPUT_NODE,
    NEVER,
    Definition,
    SavedGraph,
    SavedInput,
    SavedNode,
    SavedWorkflow,
    define,
)
from engine.graph.schema import ANY, Catalog
from engine.graph.sockets import joins
from engine.graph.widgets import widget_values

NOTES = frozenset({"Note", "MarkdownNote"})
PRIMITIVE = "PrimitiveNode"
REROUTE = "Reroute"
VIRTUAL = NOTES | {PRIMITIVE, REROUTE}
"""Nodes that exist only in the editor."""

MAX_NODES = 1_000_000
"""Subgraphs in subgraphs multiply; a hostile file could request any number of nodes."""


@dataclass(frozen=True, slots=True)
class Constant:
    """An input is fed by a value, not by a node."""

    value: Any


@dataclass(frozen=True, slots=True)
class Scope:
    """One graph as it appears in the prompt: the root, or an instance of a subgraph.

    Attributes:
        graph: its nodes and links.
        prefix: what the ids of its nodes begin with in a prompt: `57:` for nodes in instance 57.
        instance: the node of the parent whose inside this is.
        definition: what it is an instance of.
        parent: the subgraph node that holds it.
        host: the values that the instance holds.
    """

    graph: SavedGraph
    prefix: str = ""
    instance: SavedNode | None = None
    definition: Definition | None = None
    parent: Scope | None = None
    host: HostValues = field(default_factory=HostValues)

    def overrides(self, node_id: str) -> dict[str, Any]:
        """The values that the instance holds for widgets of that node, by widget name."""
        return {
            name: value for (inner, name), value in self.host.widgets.items() if inner == node_id
        }


class Scopes:
    """Every scope of a workflow, each made once.

    Attributes:
        root: the workflow itself.
        notes: what was damaged; what is found on the way is added.
    """

    def __init__(self, workflow: SavedWorkflow, catalog: Catalog) -> None:
        self.root = Scope(workflow.root)
        self.notes = workflow.notes
        self._workflow = workflow
        self._catalog = catalog
        self._inside: dict[str, Scope | None] = {}

    def inside(self, scope: Scope, node: SavedNode) -> Scope | None:
        """The scope that a node opens, or None if it is no instance of a subgraph."""
        key = scope.prefix + node.id
        if key not in self._inside:
            self._inside[key] = self._open(scope, node)
        return self._inside[key]

    def field_of(self, scope: Scope, slot: int) -> Constant | None:
        """The value of the first field inside that an input of a subgraph feeds."""
        for link in scope.graph.links.values():
            if link.origin != INPUT_NODE or link.origin_slot != slot:
                continue
            node = scope.graph.nodes.get(link.target)
            if node is None or not 0 <= link.target_slot < len(node.inputs):
                continue
            given = node.inputs[link.target_slot]
            values = widget_values(node, self._catalog.get(node.type))
            values |= scope.overrides(node.id)
            if given.widget is not None and given.name in values:
                return Constant(values[given.name])
        return None

    def output_type(self, node: SavedNode, slot: int) -> Any:
        """The type of an output: as the catalog has it, else as the file says; `*` for neither."""
        schema = self._catalog.get(node.type)
        if schema is not None and 0 <= slot < len(schema.outputs):
            return schema.outputs[slot].type
        return node.outputs[slot].type if 0 <= slot < len(node.outputs) else ANY

    def executed(self) -> Iterator[tuple[Scope, SavedNode]]:
        """Every node that goes into the prompt, with its scope."""
        waiting = [iter([(self.root, node) for node in self.root.graph.nodes.values()])]
        count = 0
        while waiting:
            for scope, node in waiting[-1]:
                if node.mode in {NEVER, BYPASS} or node.type in VIRTUAL:
                    continue
                inner = self.inside(scope, node)
                if inner is not None:
                    waiting.append(iter([(inner, each) for each in inner.graph.nodes.values()]))
                    break
                count += 1
                if count > MAX_NODES:
                    raise WorkflowError(f"the workflow's subgraphs hold over {MAX_NODES} nodes")
                yield scope, node
            else:
                waiting.pop()

    def _open(self, scope: Scope, node: SavedNode) -> Scope | None:
        definition = self._workflow.definitions.get(node.type)
        group = self._group_of(node)
        if definition is not None:
            known = self._workflow.definitions
            host = host_values(node, definition, known, scope.overrides(node.id))
        elif group is not None:
            definition = self._read_group(node, group)
            host = HostValues()
        else:
            return None
        _refuse_depth(scope, definition)
        prefix = f"{scope.prefix}{node.id}:"
        return Scope(definition.graph, prefix, node, definition, scope, host)

    def _read_group(self, node: SavedNode, group: Mapping[str, Any]) -> Definition:
        """The subgraph of a group node; an empty one, with a note, where it cannot be read."""
        try:
            return group_definition(node, group, self._catalog, self.notes)
        except WorkflowError as error:
            self.notes.add(f"Node {node.id[:40]} is left out: {error}. It is kept in the file.")
            return define(node.type, SavedGraph({}, {}), node.inputs, node.outputs)

    def _group_of(self, node: SavedNode) -> Mapping[str, Any] | None:
        for start in ("workflow>", "workflow/"):
            if node.type.startswith(start):
                return self._workflow.groups.get(node.type.removeprefix(start))
        return None


def _refuse_depth(scope: Scope, definition: Definition) -> None:
    depth = 0
    around: Scope | None = scope
    while around is not None:
        depth += 1
        if around.definition is not None and around.definition.id == definition.id:
            raise WorkflowError(
                f"the subgraph {definition.name} holds itself; remove the inner one"
            )
        around = around.parent
    if depth > MAX_DEPTH:
        raise WorkflowError(f"subgraphs are nested more than {MAX_DEPTH} deep")


def resolve(scopes: Scopes, scope: Scope, target: SavedInput) -> Link | Constant | None:
    """What feeds this input: an output of a node in the prompt, a value, or nothing.

    What is no field gets the value of a field that the same input of a subgraph feeds.

    A bypassed node whose input takes anything passes on only what the target takes: else the
    target keeps its own value. So it does, with a note, where reroutes, bypassed nodes or subgraphs
    form a cycle.
    """
    wanted = target.type
    current: SavedInput | None = target
    seen: set[tuple[str, str]] = set()
    passed = False
    while current is not None and current.link is not None:
        if (scope.prefix, current.link) in seen:
            scopes.notes.add(
                f"The link {current.link[:40]} leads back to itself through reroutes, bypassed "
                "nodes or subgraphs, so it brings nothing; remove it.",
                scope.definition.name if scope.definition else None,
            )
            return None
        seen.add((scope.prefix, current.link))
        link = scope.graph.links.get(current.link)
        if link is None or link.origin_slot < 0:
            return None
        if link.origin == INPUT_NODE and scope.definition is not None:
            outside = _outside(scope, link.origin_slot)
            if outside is None and target.widget is None:
                outside = scopes.field_of(scope, link.origin_slot)
            if isinstance(outside, Constant):
                return outside
            current = outside
            scope = scope.parent or scope
            continue
        node = scope.graph.nodes.get(link.origin)
        if node is None or node.mode == NEVER or node.type in NOTES:
            return None
        if node.mode == BYPASS:
            current = bypassed(node, link.origin_slot, wanted)
            passed = True
        elif node.type == REROUTE:
            current = node.inputs[0] if node.inputs else None
        elif node.type == PRIMITIVE:
            return _primitive(node)
        elif (inner := scopes.inside(scope, node)) is not None:
            current = _feed(inner, link.origin_slot)
            scope = inner
        elif passed and not joins(scopes.output_type(node, link.origin_slot), wanted):
            return None
        else:
            return Link(scope.prefix + node.id, link.origin_slot)
    return None


def bypassed(node: SavedNode, slot: int, wanted: Any) -> SavedInput | None:
    """Which input a bypassed node passes to that output, for a target of type `wanted`."""
    inputs = node.inputs
    same = inputs[slot] if 0 <= slot < len(inputs) else None
    if wanted == ANY:
        return same or (inputs[0] if inputs else None)
    given = node.outputs[slot].type if 0 <= slot < len(node.outputs) else wanted
    if same is not None and joins(same.type, given) and joins(same.type, wanted):
        return same
    exact = next((each for each in inputs if each.type == wanted), None)
    return exact or next((each for each in inputs if joins(each.type, wanted)), None)


def _outside(scope: Scope, slot: int) -> SavedInput | Constant | None:
    """What a subgraph's input is outside: a linked input of the instance, or its value."""
    definition, instance = scope.definition, scope.instance
    if definition is None or instance is None or not 0 <= slot < len(definition.inputs):
        return None
    name = definition.inputs[slot].name
    given = instance.input(name)
    if given is not None and given.link is not None:
        return given
    return Constant(scope.host.inputs[name]) if name in scope.host.inputs else None


def _feed(inner: Scope, slot: int) -> SavedInput | None:
    """The inside of a subgraph's output, as an input that takes its link."""
    link = inner.definition.arriving.get(slot) if inner.definition else None
    return None if link is None else SavedInput("", ANY, link)


def _primitive(node: SavedNode) -> Constant | None:
    values = node.values
    if is_list(values) and values and values[0] is not None:
        return Constant(values[0])
    return None
