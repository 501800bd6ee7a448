"""The usual workflow of each recipe as a document: with positions, and where its models are."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from family_graphs import graph_of
from family_recipes import Graph, Recipe, file_of

from engine.graph.dynamic import concrete_inputs
from engine.graph.schema import InputSchema, NodeSchema

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
COLUMN, ROW, GAP = 460, 34, 60
"""Pixels: from column to column, of a line of a node, between nodes of a column."""
WIDTH, TEXT_HEIGHT, PICTURE_HEIGHT = 380, 110, 300
TITLES: Mapping[str, str] = {
    "wanted": "Prompt",
    "unwanted": "Negative prompt",
    "prompts": "Prompts",
}
NAMESPACE = "6d0f3b5c-9f0b-5c0e-8f56-0d8a6a3ad3c1"
"""Of the documents' ids."""
Link = tuple[int, int, int, int, int, str]
"""Its number, node and slot where it begins, node and slot where it ends, its type."""


def document_of(recipe: Recipe, catalog: Mapping[str, NodeSchema]) -> dict[str, Any]:
    """The document in ComfyUI's format."""
    graph = graph_of(recipe)
    numbers = {key: number for number, key in enumerate(graph, start=1)}
    places = _places(graph, catalog)
    links: list[Link] = []
    nodes = [_node(graph, key, numbers, catalog, links, places[key]) for key in graph]
    for node in nodes:
        for slot, output in enumerate(node["outputs"]):
            starts = [link[0] for link in links if link[1:3] == (node["id"], slot)]
            output["links"] = starts or None
    for folder, address in recipe.files:
        _declare(nodes, folder, address)
    return {
        "id": str(uuid.uuid5(uuid.UUID(NAMESPACE), recipe.name)),
        "revision": 0,
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": [list(link) for link in links],
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _node(
    graph: Graph,
    key: str,
    numbers: Mapping[str, int],
    catalog: Mapping[str, NodeSchema],
    links: list[Link],
    place: tuple[int, int],
) -> dict[str, Any]:
    """One node; its links are appended to `links`."""
    class_type, values = graph[key]["class_type"], graph[key]["inputs"]
    schema = catalog[class_type]
    inputs: list[dict[str, Any]] = []
    shown: list[Any] = []
    for each in concrete_inputs(schema, values):
        value = values.get(each.name)
        if isinstance(value, list):
            source, slot = value
            kind = catalog[graph[source]["class_type"]].outputs[slot].type
            number = len(links) + 1
            links.append((number, numbers[source], slot, numbers[key], len(inputs), kind))
            inputs.append({"name": each.name, "type": each.type, "link": number})
        elif each.type in WIDGETS:
            shown.append(_usual(each) if value is None else value)
            shown += _beside(each)
        elif each.section != "hidden":
            inputs.append({"name": each.name, "type": each.type, "link": None})
    node: dict[str, Any] = {
        "id": numbers[key],
        "type": class_type,
        "pos": list(place),
        "size": [WIDTH, _height(schema, values)],
        "flags": {},
        "order": numbers[key] - 1,
        "mode": 0,
        "inputs": inputs,
        "outputs": [
            {"name": each.name, "type": each.type, "links": None, "slot_index": slot}
            for slot, each in enumerate(schema.outputs)
        ],
        "properties": {"Node name for S&R": class_type},
        "widgets_values": shown,
    }
    return node | ({"title": TITLES[key]} if key in TITLES else {})


def _usual(each: InputSchema) -> Any:
    """The value that a new node has."""
    first = each.choices[0] if each.choices else None
    return each.options.get("default", first)


def _beside(each: InputSchema) -> list[str]:
    """The values of widgets that editors add behind one."""
    if each.options.get("control_after_generate"):
        return ["randomize"]
    return ["image"] if each.options.get("image_upload") else []


def _height(schema: NodeSchema, values: Mapping[str, Any]) -> int:
    given = concrete_inputs(schema, values)
    texts = sum(bool(each.options.get("multiline")) for each in given)
    pictures = any(each.options.get("image_upload") for each in given) or schema.is_output
    rows = max(len(given), len(schema.outputs)) + 1
    return rows * ROW + texts * TEXT_HEIGHT + (PICTURE_HEIGHT if pictures else 0)


def _places(graph: Graph, catalog: Mapping[str, NodeSchema]) -> dict[str, tuple[int, int]]:
    """Columns by the longest way from a node without inputs; one below the other within one."""
    depths: dict[str, int] = {}

    def depth(key: str) -> int:
        if key not in depths:
            sources = [value[0] for value in graph[key]["inputs"].values() if _is_link(value)]
            depths[key] = 1 + max((depth(source) for source in sources), default=-1)
        return depths[key]

    found: dict[str, tuple[int, int]] = {}
    tops: dict[int, int] = {}
    for key, node in graph.items():
        column = depth(key)
        top = tops.get(column, 0)
        found[key] = column * COLUMN, top
        tops[column] = top + _height(catalog[node["class_type"]], node["inputs"]) + GAP
    return found


def _is_link(value: object) -> bool:
    return isinstance(value, list)


def _declare(nodes: list[dict[str, Any]], folder: str, address: str) -> None:
    """Say on the node that names a file where it is published."""
    name = file_of(address)
    model = {"name": name, "url": f"https://huggingface.co/{address}", "directory": folder}
    for node in nodes:
        if name in node["widgets_values"]:
            node["properties"].setdefault("models", []).append(model)
