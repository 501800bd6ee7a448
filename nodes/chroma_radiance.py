"""Nodes for Chroma Radiance, which works on pixels: empty pictures, and how many are computed."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.chroma.radiance import TILES
from engine.families.chroma.radiance_family import ChromaRadianceFamily
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Latent, Model

Side = Annotated[int, Range(16, 16384, step=16)]
Sigma = Annotated[float, Range(0.0, 1.0)]
WHOLE = 1 << 40
"""Patches at once, where all are wanted."""


@node("EmptyChromaRadianceLatentImage", category="latent/chroma_radiance")
def empty_chroma_radiance_latent_image(
    width: Side = 1024,
    height: Side = 1024,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
) -> Latent:
    """Create an empty picture for Chroma Radiance, whose latents are pixels."""
    return {"samples": torch.zeros(batch_size, 3, height, width)}


@node("ChromaRadianceOptions", category="model_patches/chroma_radiance")
def chroma_radiance_options(
    *,
    model: Model,
    preserve_wrapper: bool = True,
    start_sigma: Sigma = 1.0,
    end_sigma: Sigma = 0.0,
    nerf_tile_size: Annotated[int, Range(-1, None)] = -1,
) -> Model:
    """Set how many patches of Chroma Radiance are computed at once: fewer need less memory.

    -1: as usual; 0: all. The other patches of the model are kept whatever `preserve_wrapper` says.
    The picture is the same.
    """
    del preserve_wrapper
    if not isinstance(model.family, ChromaRadianceFamily):
        raise NodeError(
            f"these options are for Chroma Radiance; the model is one of {model.family.name}: "
            "connect it without this node"
        )
    if nerf_tile_size < 0:
        return model

    def tile(time: Tensor) -> int | None:
        sigma = float(time.flatten()[0])
        return (nerf_tile_size or WHOLE) if end_sigma <= sigma <= start_sigma else None

    return replace(model, hooks=model.hooks.with_patch(TILES, tile))
