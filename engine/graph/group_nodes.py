"""Group nodes, the predecessors of subgraphs, read as subgraphs.

A group stores its nodes by number and its links by those numbers; a slot that is linked to nothing
inside is an input or an output of the group. Each instance holds all the inner widgets' values in
one list, so each becomes a separate definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.errors import WorkflowError
from engine.graph.prompt import is_list, is_mapping
from engine.graph.read_saved import read_node
from engine.graph.saved_graph import (
    INPUT_NODE,
    NEVER,
    OUTPUT_NODE,
    Definition,
    Notes,
    SavedGraph,
    SavedInput,
    SavedLink,
    SavedNode,
    SavedOutput,
    define,
)
from engine.graph.schema import Catalog
from engine.graph.sockets import joins
from engine.graph.widgets import read_list

_UNREADABLE = "an unreadable node"
_Slot = tuple[str, int]
_MOST_SLOTS = 1000
"""Groups in use have some tens of inputs; matching them takes time by the square."""


def group_definition(
    instance: SavedNode, group: Mapping[str, Any], catalog: Catalog, notes: Notes
) -> Definition:
    """The subgraph that this instance of a group node represents.

    Only a node or link that cannot be read is dropped, with a note.

    Raises:
        WorkflowError: the group has no list of nodes, or far too many inputs.
    """
    raw_nodes = group.get("nodes")
    if not is_list(raw_nodes):
        raise WorkflowError(f"the group {instance.type} of the workflow has no list of nodes")
    nodes = [_read_inner(raw, i, instance.type, notes) for i, raw in enumerate(raw_nodes)]
    nodes = _with_values(nodes, instance, catalog)
    inner = _inner_links(instance.type, group, notes)
    wired = {(link.target, link.target_slot): link.id for link in inner}
    seen = _visibilities(group, nodes)
    hidden = {slot for slot, visible in seen.items() if not visible}
    shown = (_external(group) | _open_outputs(nodes, inner) | seen.keys()) - hidden
    links = [*inner]
    for slot, target in _entries(instance, nodes, wired, group).items():
        link = SavedLink(f"in{slot}", INPUT_NODE, slot, *target)
        links.append(link)
        wired[target] = link.id
    outputs: list[SavedOutput] = []
    for node in nodes:
        for i, output in enumerate(node.outputs):
            if (node.id, i) in shown:
                slot = len(outputs)
                links.append(SavedLink(f"out{slot}", node.id, i, OUTPUT_NODE, slot))
                outputs.append(output)
    graph = SavedGraph(
        {node.id: _wire(node, wired) for node in nodes}, {link.id: link for link in links}
    )
    return define(instance.type, graph, instance.inputs, tuple(outputs))


def _read_inner(raw: object, index: int, name: str, notes: Notes) -> SavedNode:
    """An inner node; a muted one in the place of one that cannot be read.

    It holds the place, so that values, inputs and outputs of the others still match.
    """
    given: Mapping[Any, Any] = raw if is_mapping(raw) else {}
    try:
        return read_node({**given, "id": index} if is_mapping(raw) else raw, index)
    except WorkflowError as error:
        notes.add(f"Left out: {error}. It is kept in the file.", name)
        return read_node({**given, "id": index, "type": _UNREADABLE, "mode": NEVER}, index)


def _with_values(nodes: list[SavedNode], instance: SavedNode, catalog: Catalog) -> list[SavedNode]:
    """The inner nodes, each with its part of the instance's values."""
    if not is_list(instance.values):
        return nodes
    left = list(instance.values)
    given: list[SavedNode] = []
    for node in nodes:
        schema = catalog.get(node.type)
        own = len(node.values) if is_list(node.values) else 0
        taken = read_list(node, schema, left)[1] if schema else own
        given.append(replace(node, values=left[:taken], named_values=None) if taken else node)
        left = left[taken:]
    return given


def _inner_links(name: str, group: Mapping[str, Any], notes: Notes) -> list[SavedLink]:
    found = group.get("links")
    links: list[SavedLink] = []
    for i, raw in enumerate(found if is_list(found) else ()):
        try:
            origin, origin_slot, target, target_slot = raw[:4]
            if origin is not None:
                link = SavedLink(
                    str(i), str(origin), int(origin_slot), str(target), int(target_slot)
                )
                links.append(link)
        except (TypeError, ValueError, KeyError, OverflowError):
            notes.add(
                f"Left out: link number {i} is {str(raw)[:100]}; it should be "
                "[from number, from slot, to number, to slot, ...]. It is kept in the file.",
                name,
            )
    return links


def _open_outputs(nodes: list[SavedNode], inner: list[SavedLink]) -> set[_Slot]:
    used = {(link.origin, link.origin_slot) for link in inner}
    every = {(node.id, i) for node in nodes for i in range(len(node.outputs))}
    return every - used


def _external(group: Mapping[str, Any]) -> set[_Slot]:
    """Outputs that are shown although something inside uses them, too."""
    found = group.get("external")
    shown: set[_Slot] = set()
    for each in found if is_list(found) else ():
        if is_list(each) and len(each) >= 2 and isinstance(each[1], int):
            node = each[0].get("index") if is_mapping(each[0]) else each[0]
            shown.add((str(node), each[1]))
    return shown


def _visibilities(group: Mapping[str, Any], nodes: list[SavedNode]) -> dict[_Slot, bool]:
    """Whether an output is shown, where the group's settings say so."""
    found: dict[_Slot, bool] = {}
    for node in nodes:
        for i in range(len(node.outputs)):
            setting = _setting(group, node.id, "output", str(i))
            visible = setting.get("visible") if is_mapping(setting) else None
            if isinstance(visible, bool):
                found[node.id, i] = visible
    return found


def _entries(
    instance: SavedNode,
    nodes: list[SavedNode],
    wired: Mapping[_Slot, str],
    group: Mapping[str, Any],
) -> dict[int, _Slot]:
    """For each input of the instance, the inner slot it represents.

    Both are in the order of the inner nodes; names distinguish them where some are hidden.
    """
    waiting: list[tuple[_Slot, SavedInput, str]] = [
        ((node.id, i), each, _given_name(group, node.id, each.name))
        for node in nodes
        for i, each in enumerate(node.inputs)
        if (node.id, i) not in wired
    ]
    if max(len(waiting), len(instance.inputs)) > _MOST_SLOTS:
        raise WorkflowError(f"the group {instance.type} has over {_MOST_SLOTS} inputs; split it")
    entries: dict[int, _Slot] = {}
    for slot, given in enumerate(instance.inputs):
        fitting = [each for each in waiting if joins(each[1].type, given.type)]
        named = [
            each for each in fitting if given.name == each[2] or given.name.endswith(each[1].name)
        ]
        found = next(iter(named or fitting), None)
        if found is not None:
            waiting.remove(found)
            entries[slot] = found[0]
    return entries


def _given_name(group: Mapping[str, Any], node_id: str, name: str) -> str:
    """What the group's settings call an inner input."""
    found = _setting(group, node_id, "input", name)
    renamed = found.get("name") if is_mapping(found) else None
    return renamed if isinstance(renamed, str) else name


def _setting(group: Mapping[str, Any], *keys: str) -> Any:
    """What the group's settings have under these keys; None without it."""
    found: Any = group.get("config")
    for key in keys:
        found = found.get(key) if is_mapping(found) else None
    return found


def _wire(node: SavedNode, wired: Mapping[_Slot, str]) -> SavedNode:
    inputs = tuple(
        replace(each, link=wired.get((node.id, i))) for i, each in enumerate(node.inputs)
    )
    return replace(node, inputs=inputs)
