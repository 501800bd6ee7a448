"""A prompt: the nodes to run, what each is given, and which links join them.

Reads ComfyUI's API format and writes it back. Classes and the names of their inputs are checked by
`validate`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard, cast

from engine.errors import PromptError
from engine.json_text import is_valid_unicode, replace_lone_surrogates

MAX_DEPTH = 64
"""How deep lists and objects may be nested in one input."""
MAX_ID = 1000
"""Characters of a node id: answers repeat ids, and an id of megabytes would fill them."""
WRAPPED = "__value__"
"""The key that wraps a literal list, since a bare list is a link."""

PLAIN: frozenset[type] = frozenset({str, int, float, bool, type(None)})
"""The types of literals that hold nothing else."""


class Link(NamedTuple):
    """An input that takes its value from an output slot of another node."""

    node: str
    slot: int


@dataclass(frozen=True, slots=True)
class BadLink:
    """A list where a link should be, stored so that validation can show what was received."""

    received: Any


@dataclass(frozen=True, slots=True)
class PromptNode:
    """One node to run.

    Attributes:
        class_type: the name the node is registered under.
        inputs: by name, a `Link`, a `BadLink` or a literal.
        title: what the user called it, if that is known.
    """

    class_type: str
    inputs: Mapping[str, Any]
    title: str | None = None

    def links(self) -> list[tuple[str, Link]]:
        """The linked inputs, in the order they were given."""
        return [(name, value) for name, value in self.inputs.items() if type(value) is Link]


@dataclass(frozen=True, slots=True)
class Prompt:
    """The nodes of a run by their ids. Immutable: `extended` returns a larger one."""

    nodes: Mapping[str, PromptNode]

    def extended(self, added: Mapping[str, PromptNode]) -> Prompt:
        """This prompt with the nodes of an expansion added; costs one copy of a dict.

        Raises:
            PromptError: an id is taken already.
        """
        taken = self.nodes.keys() & added.keys()
        if taken:
            raise PromptError(
                f"an expansion brings node ids that exist already: {sorted(taken)[:5]}; "
                "give every node of an expansion an id of its own",
                details=f"Node ID '#{min(taken)}'",
            )
        return Prompt({**self.nodes, **added})


def parse(raw: object) -> Prompt:
    """Read a prompt from decoded JSON in API format.

    Raises:
        PromptError: it is not a prompt; a node has no class; or a value holds NaN, infinity or
            anything nested deeper than `MAX_DEPTH`; or an id has over `MAX_ID` characters.
    """
    if raw is None:
        raise PromptError("no prompt was given", kind="no_prompt")
    return Prompt(_parse_nodes(raw, json_only=True))


def parse_expansion(raw: object) -> dict[str, PromptNode]:
    """Read the nodes that an expanding node returns; their literals may be any object.

    Raises:
        PromptError: it is not a mapping of nodes, or a node has no class.
    """
    return _parse_nodes(raw, json_only=False)


def to_api(prompt: Prompt) -> dict[str, dict[str, Any]]:
    """Write a prompt in API format: the inverse of `parse`."""
    written: dict[str, dict[str, Any]] = {}
    for node_id, node in prompt.nodes.items():
        inputs = {name: _input_to_api(value) for name, value in node.inputs.items()}
        entry: dict[str, Any] = {"class_type": node.class_type, "inputs": inputs}
        if node.title is not None:
            entry["_meta"] = {"title": node.title}
        written[node_id] = entry
    return written


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether it is a mapping, as a type guard."""
    # Most are plain: asking the abstract class takes five times as long.
    return isinstance(value, dict) or (type(value) not in PLAIN and isinstance(value, Mapping))


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether it is a list, as a type guard."""
    return isinstance(value, list)


def read_input(value: Any) -> Any:
    """One input of the API format as a `Link`, a `BadLink` or a literal."""
    if type(value) in PLAIN:
        return value
    if is_list(value):
        return _read_link(value)
    if is_mapping(value) and WRAPPED in value:
        return value[WRAPPED]
    return value


def _read_link(value: list[Any]) -> Link | BadLink:
    if len(value) != 2:
        return BadLink(value)
    node, slot = value
    if isinstance(slot, float) and slot.is_integer():
        slot = int(slot)
    if not isinstance(node, str) or type(slot) is not int or slot < 0:
        return BadLink(value)
    return Link(node, slot)


def _parse_nodes(raw: object, *, json_only: bool) -> dict[str, PromptNode]:
    if not is_mapping(raw):
        raise PromptError(
            f"a prompt is an object of nodes by id; this is {_kind(raw)}. "
            "Send the API format: {id: {class_type, inputs}}"
        )
    return {key: _parse_node(key, node, json_only=json_only) for key, node in raw.items()}


def _parse_node(node_id: object, raw: object, *, json_only: bool) -> PromptNode:
    details = f"Node ID '#{node_id}'"
    if not isinstance(node_id, str):
        raise PromptError(f"node ids are strings; found {_kind(node_id)}", details=details)
    if json_only and len(node_id) > MAX_ID:
        raise PromptError(
            f"a node id has at most {MAX_ID:,} characters; one has {len(node_id):,}",
            details=f"{details[:MAX_ID]}...",
        )
    if json_only and not is_valid_unicode(node_id):
        raise PromptError("a node id holds half a character (a lone surrogate)")
    if not is_mapping(raw):
        raise PromptError(
            f"node {node_id} should be an object with class_type and inputs; it is {_kind(raw)}",
            details=details,
        )
    class_type = raw.get("class_type")
    if json_only and isinstance(class_type, str):
        class_type = replace_lone_surrogates(class_type)
    if not isinstance(class_type, str):
        found = "has none" if class_type is None else f"has {_kind(class_type)}"
        raise PromptError(
            f"node {node_id} needs a class_type, the name of its class; it {found}",
            details=details,
        )
    given: Any = raw.get("inputs")
    if given is None:
        given = cast("dict[str, Any]", {})
    if not is_mapping(given):
        raise PromptError(
            f"the inputs of node {node_id} should be an object; they are {_kind(given)}",
            details=details,
        )
    inputs: dict[str, Any] = {}
    for name, value in given.items():
        if not isinstance(name, str):
            raise PromptError(
                f"input names of node {node_id} should be strings; found {_kind(name)}",
                details=details,
            )
        if json_only:
            fault = _fault(name, 0) or _fault(value, MAX_DEPTH)
            if fault:
                raise PromptError(
                    f"input {replace_lone_surrogates(name)} of node {node_id} holds {fault}",
                    details=f"{details}, {replace_lone_surrogates(name)}",
                )
        inputs[name] = read_input(value)
    return PromptNode(class_type, inputs, _title(raw))


def _title(raw: Mapping[Any, Any]) -> str | None:
    meta = raw.get("_meta")
    title = meta.get("title") if is_mapping(meta) else None
    return title if isinstance(title, str) else None


def _fault(value: object, depth: int) -> str | None:
    """What in this value JSON cannot represent, or None."""
    if isinstance(value, str):
        if value.isascii() or is_valid_unicode(value):
            return None
        return "half a character (a lone surrogate)"
    if value is None or isinstance(value, int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value}, which is no number"
    if is_mapping(value):
        if not all(isinstance(key, str) for key in value):
            return "an object whose keys are not all strings"
        parts = cast("list[object]", list(value.values()))
    elif is_list(value):
        parts = cast("list[object]", value)
    else:
        return f"{_kind(value)}, which JSON has not"
    if depth == 0:
        return f"lists and objects nested deeper than {MAX_DEPTH}"
    return next((fault for part in parts if (fault := _fault(part, depth - 1))), None)


def _input_to_api(value: Any) -> Any:
    if isinstance(value, Link):
        return [value.node, value.slot]
    if isinstance(value, BadLink):
        return value.received
    if is_list(value) or (is_mapping(value) and WRAPPED in value):
        return {WRAPPED: value}
    return value


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
