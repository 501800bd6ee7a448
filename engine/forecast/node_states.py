"""Which nodes of a prompt would run, and which need not, without asking the worker.

A node's *key* is its signature as it is known from outside: what a node says of itself beyond
its inputs (its fingerprint) is replaced by the state of the files it names. The caller says which
keys have cached results. Loops, no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from engine.graph.prompt import Link, Prompt
from engine.graph.schema import Catalog, NodeSchema
from engine.graph.signature import Signature, sign

State = Literal["run", "maybe", "cached", "unneeded"]
"""What a run would do with a node: call it; call it if another node asks for it; nothing, because
its results or those made of them are there; nothing, because no output needs it."""
Stamp = Callable[[str, str], object]
"""Given a kind of files and a name: what tells one state of that file from another."""
_UNIQUE_ID = "UNIQUE_ID"


def keys_of(
    prompt: Prompt, catalog: Catalog, ordered: Iterable[str], stamp: Stamp
) -> dict[str, Signature]:
    """The keys of these nodes, each of which comes after its sources."""
    keys: dict[str, Signature] = {}
    for node_id in ordered:
        node = prompt.nodes[node_id]
        schema = catalog.get(node.class_type)
        keys[node_id] = sign(
            prompt,
            node_id,
            _stamps(node.inputs, schema, stamp),
            keys,
            include_id=schema is not None and _is_by_id(schema),
            output=schema is not None and schema.is_output,
        )
    return keys


def predict_states(
    prompt: Prompt,
    catalog: Catalog,
    wanted: Sequence[str],
    ordered: Sequence[str],
    is_known: Callable[[str], bool],
) -> dict[str, State]:
    """What a run for the wanted nodes would do with every node of the prompt.

    Args:
        prompt: what would be run.
        catalog: says which inputs are lazy.
        wanted: the outputs.
        ordered: these and all they need.
        is_known: whether the results of a node are cached.
    """
    states: dict[str, State] = dict.fromkeys(prompt.nodes, "unneeded")
    states.update(dict.fromkeys(ordered, "cached"))
    reached: set[str] = set()
    later = _walk(prompt, catalog, wanted, reached, is_known, states, "run")
    while later:
        later = _walk(prompt, catalog, later, reached, is_known, states, "maybe")
    return states


def _walk(
    prompt: Prompt,
    catalog: Catalog,
    starts: Iterable[str],
    reached: set[str],
    is_known: Callable[[str], bool],
    states: dict[str, State],
    state: State,
) -> list[str]:
    """Set the state of every node that is needed from here; returns what lazy inputs may need."""
    later: list[str] = []
    stack = list(starts)
    while stack:
        node_id = stack.pop()
        if node_id in reached:
            continue
        reached.add(node_id)
        if is_known(node_id):
            continue
        states[node_id] = state
        node = prompt.nodes[node_id]
        schema = catalog.get(node.class_type)
        lazy = {each.name for each in schema.inputs if each.lazy} if schema else set[str]()
        raw = {each.name for each in schema.inputs if each.options.get("rawLink")} if schema else ()
        for name, link in node.links():
            if name not in raw:
                (later if name in lazy else stack).append(link.node)
    return [each for each in later if each not in reached]


def _stamps(inputs: Mapping[str, object], schema: NodeSchema | None, stamp: Stamp) -> object:
    """The state of every file that a node names; None where it names none."""
    found: list[object] = []
    for given in schema.inputs if schema else ():
        value = inputs.get(given.name)
        if given.folder is not None and isinstance(value, str) and not isinstance(value, Link):
            found.append(stamp(given.folder, value))
    return found or None


def _is_by_id(schema: NodeSchema) -> bool:
    return schema.not_idempotent or any(each.type == _UNIQUE_ID for each in schema.inputs)
