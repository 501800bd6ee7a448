"""Latents of videos as tokens."""

from engine.compat.blocks.patchify import (
    Patchifier,
    SymmetricPatchifier,
    latent_to_pixel_coords,
)
