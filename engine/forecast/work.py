"""How large the work of a node is: the weights it uses, the pixels it handles, the steps it takes.

Read from a prompt's literals, links and schemas alone, to compare one run with another. Time and
memory are estimated by `engine/forecast/costs.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.graph.prompt import Link, Prompt, PromptNode
from engine.graph.schema import Catalog, NodeSchema

LIGHT = frozenset({"loras", "embeddings", "input", "output", "temp"})
"""Kinds of files that do not decide how long a network takes."""
_SIGMAS = "SIGMAS"
MOST = 1 << 50
"""The largest number of pixels or steps; whatever a prompt says, sums of them stay exact."""
MOST_WEIGHTS = 100
"""Weights that are part of one node's work."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done by one node; equal works cost about the same.

    Attributes:
        class_type: the node's class.
        weights: the names of the models that it, or what feeds it, loads; one line each.
        pixels: of all pictures together, 0 where they are not known before the run.
        steps: of a sampler; 1 for others.
    """

    class_type: str
    weights: str
    pixels: int
    steps: int


def works(prompt: Prompt, catalog: Catalog, ordered: Iterable[str]) -> dict[str, Work]:
    """The work of these nodes, each of which comes after its sources."""
    found: dict[str, Work] = {}
    for node_id in ordered:
        node = prompt.nodes[node_id]
        schema = catalog.get(node.class_type)
        sources = [found[link.node] for _, link in node.links() if link.node in found]
        found[node_id] = Work(
            node.class_type,
            _weights(node, schema, sources),
            _pixels(node.inputs, sources),
            _steps(node, schema, found),
        )
    return found


def _weights(node: PromptNode, schema: NodeSchema | None, sources: Iterable[Work]) -> str:
    names = {name for source in sources for name in source.weights.split("\n") if name}
    for given in schema.inputs if schema else ():
        value = node.inputs.get(given.name)
        if given.folder is not None and given.folder not in LIGHT and isinstance(value, str):
            names.add(value)
    return "\n".join(sorted(names)[:MOST_WEIGHTS])


def _pixels(inputs: Mapping[str, Any], sources: Iterable[Work]) -> int:
    width, height = _whole(inputs.get("width")), _whole(inputs.get("height"))
    if width and height:
        return min(width * height * (_whole(inputs.get("batch_size")) or 1), MOST)
    pixels = max((source.pixels for source in sources), default=0)
    scale = inputs.get("scale_by")
    if not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 < scale < MOST:
        return pixels
    return round(min(pixels * float(scale) ** 2, MOST))


def _steps(node: PromptNode, schema: NodeSchema | None, found: Mapping[str, Work]) -> int:
    steps = _whole(node.inputs.get("steps"))
    if steps:
        end = _whole(node.inputs.get("end_at_step")) or steps
        return max(1, min(steps, end) - (_whole(node.inputs.get("start_at_step")) or 0))
    for given in schema.inputs if schema else ():
        value = node.inputs.get(given.name)
        if given.type == _SIGMAS and isinstance(value, Link) and value.node in found:
            return found[value.node].steps
    return 1


def _whole(value: Any) -> int | None:
    """A possible size; larger ones count as the largest."""
    return min(value, MOST) if type(value) is int and value >= 0 else None
