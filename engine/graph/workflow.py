"""From a document to a prompt: the one converter.

A document is a saved workflow, a prompt in API format, or something around one of them. The catalog
provides the names of the values in a saved node's list. Reads no files.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.errors import WorkflowError
from engine.graph.absent_classes import absences, advice
from engine.graph.declared import built_in_classes
from engine.graph.dynamic_text import NodeNames, expand_text, fill_names
from engine.graph.prompt import Link, Prompt, PromptNode, is_list, is_mapping, parse
from engine.graph.read_saved import read_workflow
from engine.graph.saved_graph import MOST_NOTES, SavedNode, SavedWorkflow
from engine.graph.schema import Catalog, NodeSchema
from engine.graph.widgets import follow_choices, widget_values
from engine.graph.workflow_links import Constant, Scope, Scopes, resolve
from engine.json_text import JsonError, read_json, replace_lone_surrogates
from engine.prefixes import FILE_PREFIX

Kind = Literal["prompt", "workflow"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A prompt made from a document.

    Attributes:
        prompt: what to run.
        workflow: the saved workflow it came from, or None.
        missing: classes the catalog does not hold, with the ids of their nodes. Those nodes are
            in the prompt with the values whose names the document itself says.
        notes: what was damaged in the document and how it was read, a sentence each.
        absences: why classes are missing, where that is known: a sentence each.
    """

    prompt: Prompt
    workflow: Mapping[str, Any] | None
    missing: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    absences: Mapping[str, str] = field(default_factory=dict[str, str])

    def require_classes(self) -> Prompt:
        """The prompt, if the catalog holds all its classes.

        Raises:
            WorkflowError: names every class that is missing, and its nodes.
        """
        if not self.missing:
            return self.prompt
        named = "; ".join(
            f"{class_type} (node {', '.join(ids[:5])}{', ...' if len(ids) > 5 else ''})"
            for class_type, ids in sorted(self.missing.items())
        )
        raise WorkflowError(
            f"{len(self.missing)} node class(es) are not installed: {named}. "
            f"{advice(self.missing, self.absences)}"
        )


def read_json_text(text: str | bytes) -> Any:
    """Decode JSON as documents come: see `engine/json_text.py`.

    Raises:
        WorkflowError: it is not JSON, or nested too deeply to be a workflow.
    """
    try:
        return read_json(text)
    except JsonError as error:
        raise WorkflowError(f"this is no JSON that can be read: {error}") from error


def recognise(document: object) -> tuple[Kind, Mapping[str, Any]]:
    """Whether a document is a saved workflow or a prompt, and the part that is.

    An object that holds one under `workflow` or `prompt` is accepted; the workflow comes first.

    Raises:
        WorkflowError: it is neither; says what was found.
    """
    if is_mapping(document):
        kind = _kind(document)
        if kind is not None:
            return kind, document
        for key in ("workflow", "prompt"):
            part = document.get(key)
            if is_mapping(part) and (kind := _kind(part)) is not None:
                return kind, part
        if is_list(document.get("templates")):
            raise WorkflowError(
                "these are saved node templates, not a workflow; paste them into one in the editor"
            )
        keys = ", ".join(map(str, list(document)[:5])) or "no keys"
        found = f"an object with {keys}"
    else:
        found = f"a {type(document).__name__}"
    raise WorkflowError(
        "this is neither a saved workflow (an object with nodes and links) nor a prompt "
        f"(an object of nodes with class_type): it is {found}"
    )


def convert(
    document: object, catalog: Catalog, *, chance: random.Random | None = None
) -> Conversion:
    """Make a prompt of a document.

    Args:
        document: decoded JSON: a saved workflow, a prompt, or an object around one.
        catalog: the schemas of the classes.
        chance: picks from `{a|b}` in texts with dynamic prompts, whose comments are removed, too;
            without it such texts stay unchanged. Prompts are never changed.

    Raises:
        WorkflowError: it is neither, or so malformed that nothing can be made of it.
    """
    kind, found = recognise(document)
    if kind == "prompt":
        nodes = {key: node for key, node in found.items() if is_mapping(node)}
        prompt = parse(nodes)
        notes = tuple(f"{key[:100]!r} is no node and left out." for key in found.keys() - nodes)
        return _conversion(prompt, None, catalog, tuple(sorted(notes)[:MOST_NOTES]))
    saved = read_workflow(found)
    prompt = _from_workflow(saved, catalog, chance)
    return _conversion(prompt, found, catalog, saved.notes.sentences())


def _kind(document: Mapping[Any, Any]) -> Kind | None:
    if is_list(document.get("nodes")):
        return "workflow"
    # A text next to the nodes is a comment, and left out.
    nodes = [each for each in document.values() if not isinstance(each, str)]
    if nodes and all(is_mapping(node) and "class_type" in node for node in nodes):
        return "prompt"
    return None


def _conversion(
    prompt: Prompt, workflow: Mapping[str, Any] | None, catalog: Catalog, notes: tuple[str, ...]
) -> Conversion:
    missing = missing_classes(prompt, catalog)
    built_in = built_in_classes(workflow) if missing and workflow is not None else ()
    return Conversion(prompt, workflow, missing, notes, absences(missing, catalog, built_in))


def missing_classes(prompt: Prompt, catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """The classes of a prompt that the catalog does not hold, with the ids of their nodes."""
    missing: dict[str, list[str]] = {}
    for node_id, node in prompt.nodes.items():
        if node.class_type not in catalog:
            missing.setdefault(node.class_type, []).append(node_id)
    return {class_type: tuple(ids) for class_type, ids in missing.items()}


def _from_workflow(saved: SavedWorkflow, catalog: Catalog, chance: random.Random | None) -> Prompt:
    scopes = Scopes(saved, catalog)
    nodes: dict[str, PromptNode] = {}
    names = NodeNames()
    for scope, node in scopes.executed():
        node_id = scope.prefix + node.id
        schema = catalog.get(node.type)
        inputs = _inputs(scopes, scope, node, schema)
        if chance is not None and schema is not None:
            _expand_texts(inputs, schema, chance)
        display = schema.display_name if schema else node.type
        nodes[node_id] = PromptNode(node.type, inputs, node.title or display)
        given = node.properties.get("Node name for S&R")
        names.add(node_id, given, node.title or display, node.type)
    return fill_names(Prompt(nodes), names, FILE_PREFIX)


def _inputs(
    scopes: Scopes, scope: Scope, node: SavedNode, schema: NodeSchema | None
) -> dict[str, Any]:
    """A node's inputs: its widgets' values, over them the instance's, over them what is linked."""
    inputs = widget_values(node, schema)
    inputs.update(scope.overrides(node.id))
    for slot in node.inputs:
        found = resolve(scopes, scope, slot)
        if found is not None:
            inputs[slot.name] = found.value if isinstance(found, Constant) else found
    follow_choices(inputs, node, schema)
    return {
        name: value if isinstance(value, Link) else replace_lone_surrogates(value)
        for name, value in inputs.items()
    }


def _expand_texts(inputs: dict[str, Any], schema: NodeSchema, chance: random.Random) -> None:
    for each in schema.inputs:
        value = inputs.get(each.name)
        if each.type == "STRING" and each.options.get("dynamicPrompts") and isinstance(value, str):
            inputs[each.name] = expand_text(value, chance)
