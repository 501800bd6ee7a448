"""Reads a saved workflow from decoded JSON: schema 0.4 (links as lists) and 1 (links as objects).

A damaged node, link or definition does not affect the rest: `repair.py` repairs or drops it, and
every such decision is reported as a sentence. `docs/workflow_files.md` has the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from engine.errors import WorkflowError
from engine.graph.prompt import is_list, is_mapping
from engine.graph.repair import join_from_nodes, join_from_table, settle_ids, settle_links
from engine.graph.saved_graph import (
    INPUT_NODE,
    OUTPUT_NODE,
    Definition,
    Notes,
    SavedGraph,
    SavedInput,
    SavedLink,
    SavedNode,
    SavedOutput,
    SavedWorkflow,
    define,
)


def read_workflow(raw: object) -> SavedWorkflow:
    """Read a saved workflow from decoded JSON.

    Raises:
        WorkflowError: it has no list of nodes, or no node in it can be read.
    """
    if not is_mapping(raw) or not is_list(raw.get("nodes")):
        raise WorkflowError("a saved workflow is an object with a list of nodes; this has none")
    notes = Notes()
    root = read_graph(raw, notes)
    definitions: dict[str, Definition] = {}
    for each in _items(_mapping(raw.get("definitions")).get("subgraphs")):
        found = _read_definition(each, notes)
        if found is not None and definitions.setdefault(found.id, found) is not found:
            notes.add(f"Two subgraphs have the id {found.id}; the first one is used.")
    if not root.nodes and notes:
        raise WorkflowError(f"nothing of this workflow can be read: {notes.sentences()[0]}")
    groups = _mapping(_mapping(raw.get("extra")).get("groupNodes"))
    return SavedWorkflow(
        root,
        definitions,
        {str(name): group for name, group in groups.items() if is_mapping(group)},
        notes,
    )


def read_graph(raw: Mapping[Any, Any], notes: Notes, inside: str | None = None) -> SavedGraph:
    """The nodes and links of one level; `inside` is the name of the subgraph that it is."""
    state = _mapping(raw.get("state"))
    read: list[SavedNode] = []
    kept: list[str] = []
    for index, each in enumerate(_items(raw.get("nodes"))):
        try:
            read.append(read_node(each, index))
        except WorkflowError as error:
            kept.append(read_id(_mapping(each).get("id")))
            notes.add(f"Left out: {error}. It is kept in the file.", inside)
    links: list[SavedLink] = []
    for each in _items(raw.get("links")):
        if each is None:
            continue
        try:
            links.append(_read_link(each))
        except WorkflowError as error:
            notes.add(f"Left out: {error}. It is kept in the file.", inside)
    border = frozenset[str]() if inside is None else frozenset({INPUT_NODE, OUTPUT_NODE})
    last = raw.get("last_node_id", state.get("lastNodeId"))
    named = settle_ids(read, (*kept, read_id(last)), notes, inside)
    last = raw.get("last_link_id", state.get("lastLinkId"))
    nodes, table = settle_links(named, links, border, read_id(last), notes, inside)
    join_from_table(nodes, table, notes, inside)
    join_from_nodes(nodes, table, notes, inside)
    return SavedGraph(nodes, table)


def read_node(raw: object, index: int) -> SavedNode:
    """One node, with an empty id where it has none that can be one.

    Args:
        raw: decoded JSON.
        index: its place in the list, to name it by in an error.

    Raises:
        WorkflowError: it is no object, or has no type.
    """
    if not is_mapping(raw):
        raise WorkflowError(f"node number {index} of the workflow is no object")
    kind = raw.get("type")
    if not isinstance(kind, str) or not kind:
        raise WorkflowError(
            f"node number {index} of the workflow needs an id and a type; "
            f"it has id {str(raw.get('id'))[:40]} and type {str(kind)[:40]}"
        )
    mode = raw.get("mode")
    title = raw.get("title")
    named = raw.get("widgets_values_named")
    return SavedNode(
        id=read_id(raw.get("id")),
        type=kind,
        mode=int(mode) if isinstance(mode, int | float) and -99 < mode < 99 else 0,
        inputs=tuple(_read_input(each) for each in _items(raw.get("inputs"))),
        outputs=tuple(_read_output(each) for each in _items(raw.get("outputs"))),
        values=raw.get("widgets_values"),
        named_values=named if is_mapping(named) else None,
        title=title if isinstance(title, str) else None,
        properties=_mapping(raw.get("properties")),
    )


def read_id(raw: object) -> str:
    """An id as text, as a browser writes it; empty for what is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return ""
    if isinstance(raw, float):
        return str(int(raw)) if raw.is_integer() else str(raw) if isfinite(raw) else ""
    return str(raw)


def _read_definition(raw: object, notes: Notes) -> Definition | None:
    if not is_mapping(raw) or not isinstance(raw.get("id"), str) or not is_list(raw.get("nodes")):
        notes.add(
            "Left out: a subgraph definition of the workflow has no id or no nodes. "
            "It is kept in the file."
        )
        return None
    name = str(raw.get("name") or raw["id"])
    return define(
        name,
        read_graph(raw, notes, name),
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
        link=read_id(link) or None,
        widget=None if widget is None else str(widget),
    )


def _read_output(raw: object) -> SavedOutput:
    given = _mapping(raw)
    links = (read_id(each) for each in _items(given.get("links")))
    return SavedOutput(str(given.get("name", "")), given.get("type", ""), tuple(links))


_LINK_KEYS = ("id", "origin_id", "origin_slot", "target_id", "target_slot")


def _read_link(raw: object) -> SavedLink:
    parts: list[Any] = []
    if is_mapping(raw):
        parts = [raw.get(key) for key in _LINK_KEYS]
    elif is_list(raw):
        parts = raw
    try:
        link, origin, origin_slot, target, target_slot = parts[: len(_LINK_KEYS)]
        ids = read_id(link), read_id(origin), read_id(target)
        slots = int(origin_slot), int(target_slot)
    except (TypeError, ValueError, OverflowError) as error:
        raise WorkflowError(_no_link(raw)) from error
    if "" in ids:
        raise WorkflowError(_no_link(raw))
    return SavedLink(ids[0], ids[1], slots[0], ids[2], slots[1])


def _no_link(raw: object) -> str:
    return (
        f"a link of the workflow is {str(raw)[:100]}; it should be "
        "[id, from node, from slot, to node, to slot, type] or an object of the same"
    )


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if is_mapping(value) else {}


def _items(value: object) -> Iterable[Any]:
    return value if is_list(value) else ()
