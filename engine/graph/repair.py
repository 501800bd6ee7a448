"""Repairs damaged nodes and links of a saved workflow.

Ids that are missing or given twice, and links that only the table of links names.

The editor does the same with the same files (`web/src/document/`), so that both mean the same node
by an id: a change here needs the same change there. `docs/workflow_files.md` has the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.graph.saved_graph import (
    INPUT_NODE,
    OUTPUT_NODE,
    Notes,
    SavedInput,
    SavedLink,
    SavedNode,
)
from engine.graph.sockets import joins

_Names = Callable[[SavedNode, str], bool]


@dataclass(frozen=True, slots=True)
class IdentifiedNode:
    """A node with the id that it has in the file, and the one that it has from now on."""

    before: str
    node: SavedNode


def settle_ids(
    nodes: Iterable[SavedNode],
    others: Sequence[str],
    notes: Notes,
    inside: str | None,
) -> list[IdentifiedNode]:
    """Give a new id to every node that has none, or one that an earlier node has.

    New ids continue after the highest number among all ids in use.

    Args:
        nodes: in the order of the file; an empty id is none.
        others: ids that are in use, too: of entries that are no nodes, and the file's last id.
        notes: gets a sentence for every new id.
        inside: the name of the subgraph, for the notes.
    """
    read = list(nodes)
    taken = {INPUT_NODE, OUTPUT_NODE}  # links of subgraphs mean their border by these
    fresh = _UnusedIds([*(node.id for node in read), *others])
    identified: list[IdentifiedNode] = []
    for node in read:
        if node.id and node.id not in taken:
            taken.add(node.id)
            identified.append(IdentifiedNode(node.id, node))
            continue
        new = fresh.next()
        notes.add(f"{_why(node)}, {node.type[:100]}, has the id {new} now.", inside)
        identified.append(IdentifiedNode(node.id, replace(node, id=new)))
    return identified


def _why(node: SavedNode) -> str:
    if not node.id:
        return "A node has no id; it"
    if node.id in (INPUT_NODE, OUTPUT_NODE):
        return f"The id {node.id} means the border of a subgraph; the node with it"
    return f"Two nodes have the id {node.id[:40]}; the later one"


def settle_links(
    identified: Sequence[IdentifiedNode],
    links: Iterable[SavedLink],
    border: frozenset[str],
    last: str,
    notes: Notes,
    inside: str | None,
) -> tuple[dict[str, SavedNode], dict[str, SavedLink]]:
    """The nodes and links by id, where each link leads to the node that names it.

    A later link with an id that is taken gets a new one. Of nodes that had the same id, a link is
    that of the first one, unless only another one names it.
    """
    read = list(links)
    nodes = {each.node.id: each.node for each in identified}
    duplicates = _DuplicateIds(identified, border)
    fresh = _UnusedIds([*(link.id for link in read), last])
    table: dict[str, SavedLink] = {}
    for link in read:
        origin, target = duplicates.origin(link), duplicates.target(link)
        made = replace(link, origin=origin, target=target)
        if made == table.get(link.id):
            continue
        if link.id in table:
            made = replace(made, id=fresh.next())
            notes.add(f"Two links have the id {link.id[:40]}; the later is {made.id} now.", inside)
            _take(nodes, table[link.id], link.id, made)
        table[made.id] = made
    return nodes, table


def join_from_table(
    nodes: dict[str, SavedNode],
    table: dict[str, SavedLink],
    notes: Notes,
    inside: str | None,
) -> None:
    """Join links that the nodes do not name: where the input is free and the types fit."""
    identified = {
        each.link for node in nodes.values() for each in node.inputs if each.link is not None
    }
    for link in table.values():
        target, origin = nodes.get(link.target), nodes.get(link.origin)
        if link.id in identified or target is None or origin is None:
            continue
        if not 0 <= link.target_slot < len(target.inputs):
            continue
        given = target.inputs[link.target_slot]
        known = given.link is not None and given.link in table
        if known or not 0 <= link.origin_slot < len(origin.outputs):
            continue
        if not joins(origin.outputs[link.origin_slot].type, given.type):
            continue
        nodes[target.id] = _with_link(target, link.target_slot, link.id)
        notes.add(
            f"Node {target.id} did not name the link {link.id} to its {given.name[:100]}; "
            "it is joined.",
            inside,
        )


def join_from_nodes(
    nodes: Mapping[str, SavedNode],
    table: dict[str, SavedLink],
    notes: Notes,
    inside: str | None,
) -> None:
    """Add links to the table that an input and exactly one output name, but the table lacks."""
    inputs = [
        (node, slot, each.link)
        for node in nodes.values()
        for slot, each in enumerate(node.inputs)
        if each.link is not None and each.link not in table
    ]
    if not inputs:
        return
    origins: dict[str, list[tuple[SavedNode, int]]] = {}
    for node in nodes.values():
        for slot, output in enumerate(node.outputs):
            for link in set(output.links):
                origins.setdefault(link, []).append((node, slot))
    for node, slot, link in inputs:
        found = origins.get(link, [])
        if len(found) != 1 or link in table:
            continue
        [(origin, origin_slot)] = found
        if not joins(origin.outputs[origin_slot].type, node.inputs[slot].type):
            continue
        table[link] = SavedLink(link, origin.id, origin_slot, node.id, slot)
        notes.add(f"The link {link} from node {origin.id} to node {node.id} was missing.", inside)


class _UnusedIds:
    """New ids, one after another, after the highest number there is."""

    def __init__(self, ids: Iterable[str]) -> None:
        numbers = [number for each in ids if (number := _number(each)) is not None]
        self._last = max((0, *numbers))

    def next(self) -> str:
        self._last += 1
        return str(self._last)


class _DuplicateIds:
    """Nodes that had the same id: which of them a link means."""

    def __init__(self, identified: Sequence[IdentifiedNode], border: frozenset[str]) -> None:
        self._first: dict[str, SavedNode] = {}
        self._others: dict[str, list[SavedNode]] = {}
        for each in identified:
            if each.before in border or not each.before:
                continue  # a link with that id means the border of the subgraph
            if self._first.setdefault(each.before, each.node) is each.node:
                continue
            self._others.setdefault(each.before, []).append(each.node)

    def target(self, link: SavedLink) -> str:
        return self._find(link.target, link.id, _names_as_input)

    def origin(self, link: SavedLink) -> str:
        return self._find(link.origin, link.id, _names_as_output)

    def _find(self, node_id: str, link: str, names: _Names) -> str:
        first = self._first.get(node_id)
        if first is None:
            return node_id
        others = self._others.get(node_id, ())
        if not others or names(first, link):
            return first.id
        return next((each.id for each in others if names(each, link)), first.id)


def _names_as_input(node: SavedNode, link: str) -> bool:
    return any(each.link == link for each in node.inputs)


def _names_as_output(node: SavedNode, link: str) -> bool:
    return any(link in each.links for each in node.outputs)


def _take(nodes: dict[str, SavedNode], first: SavedLink, before: str, link: SavedLink) -> None:
    """Give the input that meant the later of two links with one id the link's new id."""
    node = nodes.get(link.target)
    if node is None or not 0 <= link.target_slot < len(node.inputs):
        return
    is_first = (first.target, first.target_slot) == (link.target, link.target_slot)
    if node.inputs[link.target_slot].link == before and not is_first:
        nodes[node.id] = _with_link(node, link.target_slot, link.id)


def _with_link(node: SavedNode, slot: int, link: str) -> SavedNode:
    changed: SavedInput = replace(node.inputs[slot], link=link)
    return replace(node, inputs=(*node.inputs[:slot], changed, *node.inputs[slot + 1 :]))


def _number(text: str) -> int | None:
    """The id as a whole number, if a browser can represent it exactly."""
    if not text.removeprefix("-").isdecimal() or not text.isascii() or len(text) > 15:
        return None
    return int(text)
