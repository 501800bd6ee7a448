"""Encodes pictures to latents and decodes latents to pictures."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from engine.inference.pictures import masked_picture
from engine.inference.vae import Tile, decode, encode
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Image, Latent, Mask, Vae

Overlap = Annotated[int, Range(0, 4096, step=32)]
Frames = Annotated[int, Range(8, 4096, step=4)]
FramesOverlap = Annotated[int, Range(4, 4096, step=4)]


@node("VAEDecode", category="latent", display="VAE Decode")
def vae_decode(samples: Latent, vae: Vae, ctx: Context) -> Image:
    """Decode a latent to a picture."""
    return decode(vae, samples["samples"], checkpoint=ctx.checkpoint, on_tile=ctx.progress)


@node("VAEEncode", category="latent", display="VAE Encode")
def vae_encode(pixels: Image, vae: Vae, ctx: Context) -> Latent:
    """Encode a picture as a latent; sides are cropped to multiples of 8."""
    return {"samples": encode(vae, pixels, checkpoint=ctx.checkpoint, on_tile=ctx.progress)}


@node("VAEDecodeTiled", category="_for_testing", display="VAE Decode (Tiled)")
def vae_decode_tiled(
    samples: Latent,
    vae: Vae,
    ctx: Context,
    tile_size: Annotated[int, Range(64, 4096, step=32)] = 512,
    overlap: Overlap = 64,
    temporal_size: Frames = 64,
    temporal_overlap: FramesOverlap = 8,
) -> Image:
    """Decode a latent to a picture in tiles: slower, with less memory.

    The mean of three tilings, square, wide and tall; the overlap is at most a quarter of a tile.
    Videos of LTX-Video and HunyuanVideo are cut along time too; others need no memory for that.
    """
    times = temporal_size, min(temporal_overlap, temporal_size // 2)
    return decode(
        vae,
        samples["samples"],
        tile=Tile(tile_size, min(overlap, tile_size // 4), *times),
        checkpoint=ctx.checkpoint,
        on_tile=ctx.progress,
    )


@node("VAEEncodeTiled", category="_for_testing", display="VAE Encode (Tiled)")
def vae_encode_tiled(
    pixels: Image,
    vae: Vae,
    ctx: Context,
    tile_size: Annotated[int, Range(64, 4096, step=64)] = 512,
    overlap: Overlap = 64,
    temporal_size: Frames = 64,
    temporal_overlap: FramesOverlap = 8,
) -> Latent:
    """Encode a picture as a latent in tiles: slower, with less memory.

    The mean of three tilings, square, wide and tall. Time is cut as in VAE Decode (Tiled).
    """
    times = temporal_size, min(temporal_overlap, temporal_size // 2)
    return {
        "samples": encode(
            vae,
            pixels,
            tile=Tile(tile_size, overlap, *times),
            checkpoint=ctx.checkpoint,
            on_tile=ctx.progress,
        )
    }


@node("VAEEncodeForInpaint", category="latent/inpaint", display="VAE Encode (for Inpainting)")
def vae_encode_for_inpaint(
    pixels: Image,
    vae: Vae,
    mask: Mask,
    ctx: Context,
    grow_mask_by: Annotated[int, Range(0, 64, step=1)] = 6,
) -> Latent:
    """Encode a picture for inpainting: the masked area becomes grey, for full denoise.

    The mask grows by some pixels, so that its edge is painted too.
    """
    holes, grey = masked_picture(pixels, mask, vae.latent.pixels)
    samples = encode(vae, grey, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    return {"samples": samples, "noise_mask": _grown(holes.round(), grow_mask_by)}


def _grown(mask: Tensor, pixels: int) -> Tensor:
    """White of a mask [B, 1, H, W] widened by a square of that side."""
    if pixels < 2:
        return mask
    grown = torch.nn.functional.max_pool2d(mask, pixels, stride=1, padding=pixels // 2)
    return grown[..., : mask.shape[-2], : mask.shape[-1]]
