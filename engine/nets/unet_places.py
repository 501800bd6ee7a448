"""Places of transformers in the latent diffusion UNets, from the names of their tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

UNetPlace = tuple[str, int, int]
"""(part, number of the block, number of the transformer in it): `("input", 4, 0)`."""
_NAME = re.compile(
    r"(input|middle|output)_blocks?(?:\.(\d+))?\.\d+\.transformer_blocks\.(\d+)(?:\.|$)"
)
_ORDER = ("input", "output", "middle")
Shapes = Mapping[str, Sequence[int]]


def place_of(name: str) -> UNetPlace:
    """The place of a transformer from its name or that of a tensor in it."""
    match = _NAME.match(name)
    if match is None:
        raise ValueError(f"{name} is in no transformer of a UNet")
    return match[1], int(match[2] or 0), int(match[3])


@dataclass(frozen=True, slots=True)
class Transformer:
    """One transformer of a UNet.

    Attributes:
        place: where it is.
        channels: of its tokens.
        inner: of its attention to the text, all heads together.
        context_channels: of the text.
    """

    place: UNetPlace
    channels: int
    inner: int
    context_channels: int


def transformers_of(shapes: Mapping[str, Sequence[int]]) -> tuple[Transformer, ...]:
    """The transformers of a UNet from the shapes of its tensors; none for another network.

    In the order of diffusers' attention processors: the encoder, the decoder, the middle.
    """
    end = ".attn2.to_k.weight"
    found: list[Transformer] = []
    for name, shape in shapes.items():
        if name.endswith(end) and _NAME.match(name) and len(shape) == 2:
            query = shapes.get(f"{name.removesuffix(end)}.attn2.to_q.weight", (0, 0))
            found.append(Transformer(place_of(name), query[-1], shape[0], shape[1]))
    found.sort(key=lambda each: (_ORDER.index(each.place[0]), *each.place[1:]))
    return tuple(found)
