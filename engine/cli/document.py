"""From a file and `--set` changes to a document that can run: JSON, or a picture that carries one.

Handles the forms documents come in; `graph/workflow` converts them.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import WorkflowError
from engine.files import Files
from engine.foreign.build import build
from engine.foreign.generation import Generation
from engine.foreign.read import read_generation
from engine.graph.prompt import Link, Prompt, PromptNode
from engine.graph.read_saved import read_id, read_node
from engine.graph.schema import Catalog, NodeSchema
from engine.graph.widgets import widget_values
from engine.graph.workflow import (
    Conversion,
    convert,
    missing_classes,
    read_json_text,
    recognise,
)
from engine.media.metadata import read_embedded, read_texts

MOST_BYTES = 64 << 20
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


@dataclass(frozen=True, slots=True)
class Source:
    """A document to convert, and the saved workflow to store in the pictures it makes, if any.

    `generation` is what the text of another program says, in place of a document.
    """

    document: Any
    workflow: Mapping[str, Any] | None
    generation: Generation | None = None

    def convert(
        self, catalog: Catalog, files: Files, chance: random.Random | None = None
    ) -> Conversion:
        """The prompt of the document, or of what another program's text says.

        Raises:
            WorkflowError: it is neither a workflow nor a prompt.
        """
        if self.generation is None:
            return convert(self.document, catalog, chance=chance)
        built = build(self.generation, catalog, files.list)
        notes = [f"Made from the text of {self.generation.program}."]
        notes += [f"Left out: {each}." for each in built.left]
        missing = missing_classes(built.prompt, catalog)
        return Conversion(built.prompt, None, missing, tuple(notes))


@dataclass(frozen=True, slots=True)
class Change:
    """One `--set NODE.INPUT=VALUE`; `node` is an id, a title or a class."""

    node: str
    input: str
    value: str

    @property
    def said(self) -> str:
        """What was typed, for messages."""
        return f"--set {self.node}.{self.input}={self.value}"


def read_document(path: Path) -> Source:
    """What a JSON file holds, or what a picture carries.

    A picture's prompt is what was run, so it comes before the workflow it was made from.

    Raises:
        WorkflowError: the file cannot be read, is too large, is not JSON, or carries nothing.
        MediaError: the picture is damaged.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(16)
            content = b"" if head.startswith(_PICTURES) else head + stream.read(MOST_BYTES)
    except OSError as error:
        raise WorkflowError(f"{path}: cannot be read: {error.strerror}") from error
    if head.startswith(_PICTURES):
        embedded = read_embedded(path)
        if embedded.prompt is not None:
            return Source(embedded.prompt, embedded.workflow)
        if embedded.workflow is not None:
            return Source(embedded.workflow, embedded.workflow)
        generation = read_generation(read_texts(path))
        if generation is not None:
            return Source(None, None, generation)
        raise WorkflowError(
            f"{path.name}: this picture carries no workflow; "
            "choose one that was saved with its metadata"
        )
    if len(content) > MOST_BYTES:
        raise WorkflowError(f"{path.name}: larger than {MOST_BYTES >> 20} MB; no workflow is")
    try:
        document = read_json_text(content)
        kind, found = recognise(document)
    except WorkflowError as error:
        raise WorkflowError(f"{path.name}: {error}") from error
    return Source(document, found if kind == "workflow" else None)


def carries_metadata(path: Path) -> bool:
    """Whether the file is a picture, whose metadata may hold a workflow."""
    try:
        with path.open("rb") as stream:
            return stream.read(16).startswith(_PICTURES)
    except OSError:
        return False


def parse_change(text: str) -> Change:
    """Read `NODE.INPUT=VALUE`; the title before the last dot may hold dots, the value anything.

    Raises:
        WorkflowError: it is not of that form.
    """
    target, equals, value = text.partition("=")
    node, dot, name = target.rpartition(".")
    if not (equals and dot and node and name):
        raise WorkflowError(
            f"--set {text}: expected NODE.INPUT=VALUE, as in --set KSampler.seed=3 "
            "(NODE is an id, a title or a class)"
        )
    return Change(node, name, value)


def changed(prompt: Prompt, changes: Sequence[Change], catalog: Catalog) -> Prompt:
    """The prompt with its constants set; nodes are found by id, else title, else class.

    Raises:
        WorkflowError: no node or several are meant, or the node has no such input.
    """
    nodes = dict(prompt.nodes)
    for change in changes:
        node_id = _find(nodes, change)
        node = nodes[node_id]
        inputs = {**node.inputs, change.input: _value(node, change, catalog)}
        nodes[node_id] = PromptNode(node.class_type, inputs, node.title)
    return Prompt(nodes)


def _find(nodes: Mapping[str, PromptNode], change: Change) -> str:
    if change.node in nodes:
        return change.node
    for names in (
        {key: node.title for key, node in nodes.items()},
        {key: node.class_type for key, node in nodes.items()},
    ):
        found = [key for key, name in names.items() if name == change.node]
        if len(found) == 1:
            return found[0]
        if found:
            raise WorkflowError(
                f"{change.said}: {len(found)} nodes are called {change.node!r}; "
                f"name one by its id: {', '.join(found)}"
            )
    known = ", ".join(f"{key} ({node.title or node.class_type})" for key, node in nodes.items())
    raise WorkflowError(f"{change.said}: there is no node {change.node!r}; there are {known}")


def _value(node: PromptNode, change: Change, catalog: Catalog) -> Any:
    schema = catalog.get(node.class_type)
    found = schema.input(change.input) if schema else None
    if schema and found is None and change.input not in node.inputs:
        names = ", ".join(each.name for each in schema.inputs if each.section != "hidden")
        raise WorkflowError(
            f"{change.said}: {node.class_type} has no input {change.input!r}; it has {names}"
        )
    if found is not None and found.type in {"STRING", "COMBO"}:
        return change.value
    try:
        value = json.loads(change.value)
    except ValueError:
        return change.value
    if found is not None and not found.is_widget and isinstance(value, list):
        return Link(str(value[0]), int(value[1])) if len(value) == 2 else value
    return value


def changed_workflow(source: Source, prompt: Prompt, catalog: Catalog) -> Mapping[str, Any] | None:
    """The saved workflow with the prompt's values, or None where it cannot represent them.

    A picture should carry the workflow that made it, not the one it was made from.
    """
    if source.workflow is None:
        return None
    before = convert(source.workflow, catalog).prompt
    workflow = copy.deepcopy(dict(source.workflow))
    saved: dict[str, dict[str, Any]] = {}
    for node in workflow["nodes"]:  # of two with one id, the first is meant
        if isinstance(node, dict):
            saved.setdefault(read_id(node.get("id")), node)
    for node_id, node in prompt.nodes.items():
        old = before.nodes.get(node_id)
        if old is None or old.class_type != node.class_type:
            return None
        for name, value in node.inputs.items():
            if value != old.inputs.get(name) and not (
                node_id in saved and _put(saved[node_id], name, value, catalog[node.class_type])
            ):
                return None
    return workflow


def _put(saved: dict[str, Any], name: str, value: Any, schema: NodeSchema) -> bool:
    """Change a widget's value where the saved node stores it; False where it stores none."""
    values = saved.get("widgets_values")
    if isinstance(values, dict):
        values[name] = value
        return True
    if not isinstance(values, list):
        return False
    for place in range(len(values)):
        marked = {
            **saved,
            "widgets_values": [*values[:place], mark := object(), *values[place + 1 :]],
        }
        if widget_values(read_node(marked, 0), schema).get(name) is mark:
            values[place] = value
            return True
    return False
