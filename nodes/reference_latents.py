"""Several reference pictures for an editing model at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import torch

from engine.families.reference_latents import REFERENCES
from engine.inference.vae import encode as encode_picture
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, DynamicCombo, Range
from nodes.flux import FLUX2_CHANNELS, PATCH_PIXELS
from nodes.image_scaling import scale, size_in_proportion, with_channels
from nodes.sockets import Conditioning, Latent, Vae

MEGAPIXEL = 1024 * 1024


class KeptResolution(NamedTuple):
    """Pictures are encoded at their own size."""


class Resized(NamedTuple):
    """Pictures are scaled to about so many pixels, in their proportions."""

    megapixels: Annotated[float, Range(0.01, 16.0, step=0.01)] = 1.0


class Referred(NamedTuple):
    """Both conditionings with the pictures, and an empty latent of the first one's size."""

    positive: Conditioning
    negative: Conditioning
    empty_latent: Latent


@node(
    "ReferenceMultiLatent",
    category="advanced/conditioning/edit_models",
    display="Set Reference Multi Latent",
)
def reference_multi_latent(
    *,
    positive: Conditioning,
    negative: Conditioning | None = None,
    vae: Vae | None = None,
    images: Annotated[Mapping[str, torch.Tensor] | None, Autogrow("image", "IMAGE", 0)] = None,
    resolution: Annotated[
        Mapping[str, Any],
        DynamicCombo({"keep resolution": KeptResolution, "resize": Resized}),
    ],
    ctx: Context,
) -> Referred:
    """Give an editing model several pictures to look at.

    They are encoded one by one and added behind earlier ones. Without a negative its output is the
    positive; without an autoencoder or pictures nothing is added.
    """
    pixels = float(resolution.get("megapixels", 1.0)) * MEGAPIXEL
    latents: list[torch.Tensor] = []
    for images_ in (images or {}).values():
        if images_ is None or vae is None:
            continue
        picture = with_channels(images_[:1], 3)
        if resolution["resolution"] == "resize":
            height, width = picture.shape[1:3]
            factor = math.sqrt(pixels / (width * height))
            size = size_in_proportion(
                round(width * factor), round(height * factor), of=(width, height)
            )
            picture = scale(picture, *size, method="area")
        latents.append(encode_picture(vae, picture, checkpoint=ctx.checkpoint))
    changed = _with_references(positive, latents)
    other = changed if negative is None else _with_references(negative, latents)
    if latents:
        return Referred(changed, other, {"samples": torch.zeros_like(latents[0])})
    cells = max(round(math.sqrt(pixels) / PATCH_PIXELS), 1)
    return Referred(changed, other, {"samples": torch.zeros(1, FLUX2_CHANNELS, cells, cells)})


def _with_references(conditioning: Conditioning, latents: list[torch.Tensor]) -> Conditioning:
    if not latents:
        return conditioning
    return [
        [tokens, {**known, REFERENCES: [*(known.get(REFERENCES) or ()), *latents]}]
        for tokens, known in conditioning
    ]
