"""Nodes that give conditioning a picture, for models that take one beside the noisy latent."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch

from engine.errors import NodeError
from engine.families.picture_channels import MASK, PICTURE
from engine.families.x4.family import AUGMENTATION, LATENT_CHANNELS
from engine.families.x4.family import PICTURE as PIXELS
from engine.inference.pictures import crop, masked_picture
from engine.inference.vae import encode
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.conditioning import with_values
from nodes.image_scaling import scale
from nodes.sockets import Conditioning, Image, Latent, Mask, Vae

UPSCALER_CELL = 4
"""Pixels of the enlarged picture per latent cell."""


class Prepared(NamedTuple):
    """Both conditionings with the picture, and the latent to start from."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("InpaintModelConditioning", category="conditioning/inpaint")
def inpaint_model_conditioning(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    pixels: Image,
    mask: Mask,
    noise_mask: bool = True,
    *,
    ctx: Context,
) -> Prepared:
    """Give an inpainting model the picture with a grey hole where the mask is white.

    The latent is the whole picture; with `noise_mask` it is repainted inside the mask only.
    """
    holes, grey = masked_picture(pixels, mask, vae.latent.pixels)
    masked = encode(vae, grey, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    whole = encode(vae, pixels, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    latent: Latent = {"samples": whole}
    if noise_mask:
        latent["noise_mask"] = holes
    given = {PICTURE: masked, MASK: holes}
    return Prepared(with_values(positive, **given), with_values(negative, **given), latent)


@node("InstructPixToPixConditioning", category="conditioning/instructpix2pix")
def instruct_pix_to_pix_conditioning(
    positive: Conditioning, negative: Conditioning, vae: Vae, pixels: Image, ctx: Context
) -> Prepared:
    """Give a model that edits by instruction the picture to edit; the latent is empty."""
    pixels = crop(pixels, vae.latent.pixels)
    picture = encode(vae, pixels, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    given = {PICTURE: picture}
    return Prepared(
        with_values(positive, **given),
        with_values(negative, **given),
        {"samples": torch.zeros_like(picture)},
    )


@node("SD_4XUpscale_Conditioning", category="conditioning/upscale_diffusion")
def upscale_conditioning(
    images: Image,
    positive: Conditioning,
    negative: Conditioning,
    scale_ratio: Annotated[float, Range(0.0, 10.0, step=0.01)] = 4.0,
    noise_augmentation: Annotated[float, Range(0.0, 1.0, step=0.001)] = 0.0,
) -> Prepared:
    """Give the x4 upscaler the picture to enlarge; noise on it lets the model invent details."""
    height, width = (max(1, round(side * scale_ratio)) for side in images.shape[1:3])
    rows, columns = height // UPSCALER_CELL, width // UPSCALER_CELL
    if not rows or not columns:
        raise NodeError(
            f"a picture of {images.shape[2]} x {images.shape[1]} pixels enlarged {scale_ratio:g} "
            f"times is smaller than one latent cell of {UPSCALER_CELL} pixels; choose a larger "
            "scale_ratio"
        )
    pixels = scale(images[..., :3] * 2 - 1, columns, rows, method="bilinear", crop="center")
    given = {PIXELS: pixels.movedim(-1, 1), AUGMENTATION: noise_augmentation}
    latent = torch.zeros(len(images), LATENT_CHANNELS, rows, columns)
    return Prepared(
        with_values(positive, **given), with_values(negative, **given), {"samples": latent}
    )
