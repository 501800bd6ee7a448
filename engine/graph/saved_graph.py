"""A saved workflow as a value: nodes, links and subgraph definitions.

One form for schema 0.4 and schema 1. Values are not interpreted; files are read by
`read_saved.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

INPUT_NODE = "-10"
"""The origin of links that come from a subgraph's inputs."""
OUTPUT_NODE = "-20"
"""The target of links that go to a subgraph's outputs."""
NEVER = 2
"""The mode of a muted node."""
BYPASS = 4
"""The mode of a node that hands its inputs through."""
MOST_NOTES = 100


@dataclass(frozen=True, slots=True)
class SavedInput:
    """An input slot; `widget` when it represents a widget of the node."""

    name: str
    type: Any
    link: str | None = None
    widget: str | None = None


@dataclass(frozen=True, slots=True)
class SavedOutput:
    """An output slot; `links` are those that it says lead from it, which may be stale."""

    name: str
    type: Any
    links: tuple[str, ...] = ()


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


class Notes:
    """What was damaged and how it was read, as sentences; beyond a number they are counted."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._more = 0

    def add(self, sentence: str, inside: str | None = None) -> None:
        """Note a decision, and in which subgraph it was made."""
        if len(self._sentences) >= MOST_NOTES:
            self._more += 1
            return
        where = "" if inside is None else f"In the subgraph {inside[:100]}: "
        self._sentences.append(where + sentence)

    def __bool__(self) -> bool:
        return bool(self._sentences)

    def sentences(self) -> tuple[str, ...]:
        """All sentences."""
        more = (f"And {self._more:,} more of this kind.",) if self._more else ()
        return (*self._sentences, *more)


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """The root graph, the subgraph definitions by id, and the old group nodes by name.

    Attributes:
        notes: what was damaged in the file and how it was read.
    """

    root: SavedGraph
    definitions: Mapping[str, Definition]
    groups: Mapping[str, Mapping[str, Any]]
    notes: Notes = field(default_factory=Notes)
