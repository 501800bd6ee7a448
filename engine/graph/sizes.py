"""Numbers that become sizes, and how much memory the pictures of a prompt take together.

Such numbers stay within their bounds also where they come over a link. Estimates from literals,
constants, links and schemas alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.graph.problems import Problem
from engine.graph.prompt import Link, Prompt, PromptNode
from engine.graph.schema import NodeSchema

SIZES = frozenset(
    {
        *("width", "height", "batch_size", "length", "amount", "count", "steps"),
        *("left", "top", "right", "bottom", "feathering", "expand", "spacing_width"),
        *("target_width", "target_height", "largest_size", "tile_size", "resolution_steps"),
        *("blur_radius", "sharpen_radius", "kernel_size", "scale_by", "megapixels"),
    }
)
"""Inputs that decide how much memory or time a node takes. Others may be over their bounds where
they come over a link, as in ComfyUI."""
_CONSTANTS: Mapping[str, str] = {"PrimitiveInt": "value", "PrimitiveFloat": "value"}
"""Classes whose output is one of their inputs."""
_BYTES: Mapping[str, int] = {"IMAGE": 12, "MASK": 4, "LATENT": 1}
"""At least what a pixel takes, as 32-bit floats; of latents, per pixel of the picture."""
_FACTORS = frozenset({"width", "height", "amount", "scale_by"})
"""Inputs without which a node's pictures are as large as those it is given."""
_COUNTED = 1 << 80
"""Products are capped at this."""


def constant_of(prompt: Prompt, value: Any) -> int | float | None:
    """The number that an input has before anything runs: its own, or that of a constant's node."""
    if isinstance(value, Link):
        source = prompt.nodes.get(value.node)
        name = _CONSTANTS.get(source.class_type) if source else None
        value = source.inputs.get(name) if source and name and value.slot == 0 else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def pixels_of(prompt: Prompt, node: PromptNode, sources: Iterable[int]) -> int:
    """How many pixels a node's pictures have together; 0 where that is not known.

    Args:
        prompt: holds the node.
        node: which one.
        sources: the pixels of the nodes that it is linked to.
    """
    if _FACTORS.isdisjoint(node.inputs):
        return max(sources, default=0)

    def given(name: str) -> int | float | None:
        return constant_of(prompt, node.inputs.get(name))

    width, height = given("width"), given("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 < height:
        batch = given("batch_size")
        return min(width * height * max(1, int(batch or 1)), _COUNTED)
    pixels = max(sources, default=0)
    if node.class_type.startswith("Repeat"):
        pixels *= max(1, int(given("amount") or 1))
    scale = given("scale_by")
    if scale is not None and 0 < scale < _COUNTED:
        pixels = int(min(pixels * float(scale) ** 2, float(_COUNTED)))
    return min(pixels, _COUNTED)


def too_much(schema: NodeSchema, pixels: int, most_bytes: int) -> Problem | None:
    """What is wrong with this number of pixels in this number of bytes; None where they fit."""
    if not pixels:
        return None
    each = max((_BYTES.get(str(output.type), 0) for output in schema.outputs), default=0)
    if pixels * each <= most_bytes:
        return None
    return Problem(
        "value_bigger_than_max",
        "The pictures are too large for this machine's memory",
        f"{pixels:,} pixels together take at least {_gigabytes(pixels * each)}; this machine has "
        f"{_gigabytes(most_bytes)}. Choose a smaller width, height or batch",
        {"received_value": pixels},
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
