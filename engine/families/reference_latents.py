"""Pictures that editing models are given as further tokens, and the positions of those tokens.

FLUX.1 Kontext (arXiv 2506.15742, section 3) and the edit models after it. A conditioning entry
holds them as `reference_latents`, the latents of an autoencoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from torch import Tensor

from engine.diffusion.conditioning import Input, Join
from engine.errors import NodeError
from engine.families.family import Entry
from engine.families.latent_format import LatentFormat

REFERENCES, METHOD = "reference_latents", "reference_latents_method"
"""The keys of a conditioning entry: a list of latents [B, C, h, w]; the name of a `Method`."""
_INPUT = "reference"


class Method(StrEnum):
    """How the positions of several pictures differ.

    Attributes:
        OFFSET: all have index 1, and are placed side by side or one below the other.
        INDEX: each has its own index, from 1.
        DIAGONAL: all have index 0, each to the lower right of the one before, from the picture's
            own corner on (UNO, arXiv 2504.02160, section 3.3; USO).
        CLEAN: as INDEX, and models that can are told that they hold no noise.
        BEHIND: each has its own index, from -1 down (Qwen-Image-Layered, arXiv 2512.15603).
    """

    OFFSET = "offset"
    INDEX = "index"
    DIAGONAL = "uxo/uno"
    CLEAN = "index_timestep_zero"
    BEHIND = "negative_index"


class Place(NamedTuple):
    """Where a reference begins: the picture's number, and the row and column in latent cells."""

    picture: int
    top: int
    left: int


def reference_inputs(entry: Entry, latent: LatentFormat, usual: Method) -> dict[str, Input]:
    """The references of an entry in the denoiser's space, by names that hold the method.

    Args:
        entry: with or without `REFERENCES` and `METHOD`.
        latent: the format of the denoiser's latents.
        usual: the method of an entry that names none.

    Raises:
        NodeError: one is no latent of this model's autoencoder, or the method is unknown.
    """
    found = entry.extras.get(REFERENCES) or ()
    asked = str(entry.extras.get(METHOD) or usual)
    # Workflows also store the third method under its first name alone.
    method = Method.DIAGONAL if asked in ("uxo", "uno") else asked
    if method not in tuple(Method):
        raise NodeError(f"{METHOD} of the conditioning is {asked!r}; known are {', '.join(Method)}")
    inputs: dict[str, Input] = {}
    for number, reference in enumerate(found):
        if not isinstance(reference, Tensor) or reference.shape[1:2] != (latent.channels,):
            shape = list(reference.shape) if isinstance(reference, Tensor) else type(reference)
            raise NodeError(
                f"reference latent {number + 1} has the shape {shape}, the model takes "
                f"{latent.channels} channels; encode the picture with the VAE that belongs to the "
                "model"
            )
        value = latent.into(reference.float().cpu())
        inputs[f"{_INPUT} {method} {number}"] = Input(value, Join.WHOLE)
    return inputs


def references(inputs: Mapping[str, Tensor]) -> tuple[Method, list[Tensor]]:
    """The method and the references among the inputs of a call, in their order."""
    named = [name for name in inputs if name.startswith(f"{_INPUT} ")]
    if not named:
        return Method.OFFSET, []
    method = Method(named[0].split(" ")[1])
    return method, [inputs[name] for name in sorted(named, key=lambda name: int(name.split()[-1]))]


def places(method: Method, target: Sequence[int], sizes: Sequence[tuple[int, int]]) -> list[Place]:
    """Where references of these heights and widths are, beside a picture of size `target`."""
    if method is Method.BEHIND:
        return [Place(-number - 1, 0, 0) for number in range(len(sizes))]
    if method in (Method.INDEX, Method.CLEAN):
        return [Place(number + 1, 0, 0) for number in range(len(sizes))]
    found: list[Place] = []
    if method is Method.DIAGONAL:
        top, left = target
        for height, width in sizes:
            found.append(Place(0, top, left))
            top, left = top + height, left + width
        return found
    # The next one goes where it makes the whole less elongated.
    rows, columns = 0, 0
    for height, width in sizes:
        beside = height + rows > width + columns
        top, left = (0, columns) if beside else (rows, 0)
        found.append(Place(1, top, left))
        rows, columns = max(rows, top + height), max(columns, left + width)
    return found
