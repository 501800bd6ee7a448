"""Nodes' own checks of their inputs, in the form that `graph.validate` calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engine.errors import error_text
from engine.execute.coroutines import Coroutines
from engine.execute.inputs import constants
from engine.files import Files
from engine.graph.prompt import Link, Prompt, PromptNode
from engine.nodekit.context import RunningContext
from engine.nodekit.registry import Registry


def own_checks(
    registry: Registry,
    prompt: Prompt,
    files: Files,
    *,
    extra: Mapping[str, Any] | None = None,
) -> Callable[[str, PromptNode], Iterable[str]]:
    """A function that runs a node's own check: one sentence per problem, none when it is valid.

    If the check raises, its error is the sentence. A class that is missing or cannot be read is
    skipped: the validator and the executor report it.
    """

    def check(node_id: str, node: PromptNode) -> Iterable[str]:
        found = registry.get(node.class_type)
        if found is None or not found.traits.checks:
            return ()
        context = RunningContext(node_id, files, extra=extra)
        coroutines = Coroutines()
        try:
            said = coroutines.now(
                found.complaint(constants(node), _linked_types(node, prompt, registry), context)
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin's check may raise anything
            said = f"{type(error).__name__}: {error_text(error)}"
        finally:
            coroutines.close()
        if said is None:
            return ()
        return (said or "it refused its inputs without saying why",)

    return check


def _linked_types(node: PromptNode, prompt: Prompt, registry: Registry) -> dict[str, str]:
    types: dict[str, str] = {}
    for name, value in node.inputs.items():
        if isinstance(value, Link) and value.node in prompt.nodes:
            source = registry.get(prompt.nodes[value.node].class_type)
            if source is not None:
                types[name] = source.schema.outputs[value.slot].type
    return types
