"""Nodes for HunyuanImage 2.1."""

from __future__ import annotations

from typing import Annotated

import torch

from engine.families.hunyuan_video.glyphs.image import LATENT
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Latent

Side = Annotated[int, Range(64, 16384, step=32)]


@node("EmptyHunyuanImageLatent", category="latent")
def empty_hunyuan_image_latent(
    width: Side = 2048,
    height: Side = 2048,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
) -> Latent:
    """Create an empty latent of a picture for HunyuanImage 2.1; sides in pixels."""
    size = height // LATENT.pixels, width // LATENT.pixels
    return {"samples": torch.zeros(batch_size, LATENT.channels, *size)}
