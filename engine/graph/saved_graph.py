"""A saved workflow as it lies in the file: nodes, links and subgraph definitions.

Reads schema 0.4 (links as lists) and schema 1 (links as objects) into one form, and forgives what
files in the field get wrong. Knows no catalog and gives no meaning to values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import WorkflowError
from engine.graph.prompt import is_list, is_mapping

INPUT_NODE = "-10"
"""The origin of links that come from a subgraph's inputs."""
OUTPUT_NODE = "-20"
"""The target of links that go to a subgraph's outputs."""
NEVER = 2
"""The mode of a muted node."""
BYPASS = 4
"""The mode of a node that hands its inputs through."""


@dataclass(frozen=True, slots=True)
class SavedInput:
    """An input slot; `widget` when it stands for a widget of the node."""

    name: str
    type: Any
    link: str | None = None
    widget: str | None = None


@dataclass(frozen=True, slots=True)
class SavedOutput:
    """An output slot."""

    name: str
    type: Any


@dataclass(frozen=True, slots=True)
class SavedNode:
    """A node as saved: its widgets' values still a list, a dict, or missing."""

    id: str
    type: str
    mode: int = 0
    inputs: tuple[SavedInput, ...] = ()
    outputs: tuple[SavedOutput, ...] = ()
    values: Any = None
    named_values: Mapping[str, Any] | None = None
    title: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def input(self, name: str) -> SavedInput | None:
        """The input slot of that name, or None."""
        return next((each for each in self.inputs if each.name == name), None)


@dataclass(frozen=True, slots=True)
class SavedLink:
    """A link between two slots, by their places in the nodes' lists."""

    id: str
    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class SavedGraph:
    """The nodes and links of one level, by id."""

    nodes: Mapping[str, SavedNode]
    links: Mapping[str, SavedLink]


@dataclass(frozen=True, slots=True)
class Definition:
    """A subgraph: what its instances are made of.

    Attributes:
        leaving: by input slot, the links that lead from that input into the graph.
        arriving: by output slot, the link that feeds that output.
    """

    id: str
    name: str
    graph: SavedGraph
    inputs: tuple[SavedInput, ...]
    outputs: tuple[SavedOutput, ...]
    leaving: Mapping[int, Sequence[SavedLink]]
    arriving: Mapping[int, str]


def define(
    name: str,
    graph: SavedGraph,
    inputs: tuple[SavedInput, ...],
    outputs: tuple[SavedOutput, ...],
    *,
    definition_id: str | None = None,
) -> Definition:
    """A subgraph, its borders' links sorted by slot."""
    leaving: dict[int, list[SavedLink]] = {}
    arriving: dict[int, str] = {}
    for link in graph.links.values():
        if link.origin == INPUT_NODE:
            leaving.setdefault(link.origin_slot, []).append(link)
        if link.target == OUTPUT_NODE:
            arriving.setdefault(link.target_slot, link.id)
    return Definition(definition_id or name, name, graph, inputs, outputs, leaving, arriving)


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """The root graph, the subgraph definitions by id, and the old group nodes by name."""

    root: SavedGraph
    definitions: Mapping[str, Definition]
    groups: Mapping[str, Mapping[str, Any]]


def read_workflow(raw: object) -> SavedWorkflow:
    """Read a saved workflow from decoded JSON.

    Raises:
        WorkflowError: a node, link or definition is so malformed that it cannot be read.
    """
    if not is_mapping(raw) or not is_list(raw.get("nodes")):
        raise WorkflowError("a saved workflow is an object with a list of nodes; this has none")
    definitions = _mapping(raw.get("definitions")).get("subgraphs")
    read = [_read_definition(each) for each in _items(definitions)]
    groups = _mapping(_mapping(raw.get("extra")).get("groupNodes"))
    return SavedWorkflow(
        read_graph(raw),
        {each.id: each for each in read},
        {str(name): group for name, group in groups.items() if is_mapping(group)},
    )


def read_graph(raw: Mapping[Any, Any]) -> SavedGraph:
    """The nodes and links of one level."""
    nodes = [read_node(each, index) for index, each in enumerate(_items(raw.get("nodes")))]
    links = [_read_link(each) for each in _items(raw.get("links")) if each is not None]
    return SavedGraph({node.id: node for node in nodes}, {link.id: link for link in links})


def read_node(raw: object, index: int) -> SavedNode:
    """One node; `index` is its place in the list, to name it by in an error."""
    if not is_mapping(raw):
        raise WorkflowError(f"node number {index} of the workflow is no object")
    kind = raw.get("type")
    node_id = raw.get("id")
    if not isinstance(kind, str) or not isinstance(node_id, int | str):
        raise WorkflowError(
            f"node number {index} of the workflow needs an id and a type; "
            f"it has id {node_id!r} and type {kind!r}"
        )
    mode = raw.get("mode")
    title = raw.get("title")
    named = raw.get("widgets_values_named")
    return SavedNode(
        id=str(node_id),
        type=kind,
        mode=mode if isinstance(mode, int) else 0,
        inputs=tuple(_read_input(each) for each in _items(raw.get("inputs"))),
        outputs=tuple(_read_output(each) for each in _items(raw.get("outputs"))),
        values=raw.get("widgets_values"),
        named_values=named if is_mapping(named) else None,
        title=title if isinstance(title, str) else None,
        properties=_mapping(raw.get("properties")),
    )


def _read_definition(raw: object) -> Definition:
    if not is_mapping(raw) or not isinstance(raw.get("id"), str):
        raise WorkflowError("a subgraph definition of the workflow has no id")
    return define(
        str(raw.get("name") or raw["id"]),
        read_graph(raw),
        tuple(_read_input(each) for each in _items(raw.get("inputs"))),
        tuple(_read_output(each) for each in _items(raw.get("outputs"))),
        definition_id=raw["id"],
    )


def _read_input(raw: object) -> SavedInput:
    given = _mapping(raw)
    link = given.get("link")
    widget = _mapping(given.get("widget")).get("name")
    return SavedInput(
        name=str(given.get("name", "")),
        type=given.get("type", ""),
        link=None if link is None else str(link),
        widget=None if widget is None else str(widget),
    )


def _read_output(raw: object) -> SavedOutput:
    given = _mapping(raw)
    return SavedOutput(str(given.get("name", "")), given.get("type", ""))


_LINK_KEYS = ("id", "origin_id", "origin_slot", "target_id", "target_slot")


def _read_link(raw: object) -> SavedLink:
    parts: list[Any] = []
    if is_mapping(raw):
        parts = [raw.get(key) for key in _LINK_KEYS]
    elif is_list(raw):
        parts = raw
    try:
        link, origin, origin_slot, target, target_slot = parts[: len(_LINK_KEYS)]
        return SavedLink(str(link), str(origin), int(origin_slot), str(target), int(target_slot))
    except (TypeError, ValueError, OverflowError) as error:
        raise WorkflowError(
            f"a link of the workflow is {str(raw)[:100]}; it should be "
            "[id, from node, from slot, to node, to slot, type] or an object of the same"
        ) from error


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if is_mapping(value) else {}


def _items(value: object) -> Iterable[Any]:
    return value if is_list(value) else ()
