"""Nodes for Qwen-Image 2.1: prompts with pictures, and a cache of what no step changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.reference_latents import REFERENCES
from engine.families.residual_autoencoder import LATENT
from engine.inference.encode import encode_tokens, tokenize
from engine.inference.prefix_cache import Precision, Where, with_prefix_cache
from engine.inference.vae import encode as encode_picture
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, Choice, Range, Text
from engine.text.tokens import Picture
from nodes.image_scaling import scale
from nodes.sockets import Clip, Conditioning, Latent, Model, Vae
from nodes.text import Embeddings, embeddings_mentioned

Prompt = Annotated[str, Text(multiline=True, dynamic_prompts=True)]
MOST_PICTURES = 16
Pictures = Annotated[
    Mapping[str, Tensor],
    Autogrow(
        "image",
        "IMAGE",
        0,
        MOST_PICTURES,
        names=tuple(f"image_{number}" for number in range(1, MOST_PICTURES + 1)),
    ),
]
MARK = "<|vision_start|><|image_pad|><|vision_end|>"
MULTIPLE = 32
"""Pixels of a vector of the vision tower: 2 x 2 cells of the latent."""
USUAL_SIDE = 1024
RGB = 3


class Prompts(NamedTuple):
    """The conditionings of both prompts, and an empty latent of their size."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("TextEncodeQwenImage21", category="advanced/conditioning")
def text_encode_qwen_image21(
    *,
    clip: Clip,
    prompt: Prompt,
    negative_prompt: Prompt,
    vae: Vae | None = None,
    resolution: Annotated[int, Range(0, 4096, step=32)] = USUAL_SIDE,
    images: Pictures | None = None,
    ctx: Context,
) -> Prompts:
    """Encode prompts for Qwen-Image 2.1, with up to 16 pictures as references.

    Pictures are scaled to about `resolution` x `resolution` pixels, sides in multiples of 32; 0:
    each to its own size. With `vae` the model gets them as latents, otherwise only through the text
    encoder. The empty latent has the first picture's size; other sizes shift what is edited.
    """
    named = images or {}
    order = sorted(named, key=lambda name: int(name.rpartition("_")[2]))
    pictures = [_scaled(named[name][:1], resolution) for name in order]
    latents = [
        encode_picture(vae, picture, checkpoint=ctx.checkpoint)
        for picture in pictures
        if vae is not None
    ]
    for latent in latents:
        if latent.shape[1] != LATENT.channels:
            raise NodeError(
                f"the VAE makes latents of {latent.shape[1]} channels, Qwen-Image 2.1 takes "
                f"{LATENT.channels}: load qwen_image_2.1_vae_bf16.safetensors"
            )
    positive, negative = (
        _encoded(clip, text, pictures, latents, ctx) for text in (prompt, negative_prompt)
    )
    if pictures:
        height, width = pictures[0].shape[1:3]
    else:
        height = width = resolution or USUAL_SIDE
    sides = (side // LATENT.pixels for side in (height, width))
    return Prompts(positive, negative, {"samples": torch.zeros(1, LATENT.channels, *sides)})


def _scaled(image: Tensor, resolution: int) -> Tensor:
    """A picture of about so many pixels along each side, or of its own size."""
    height, width = image.shape[1:3]
    factor = resolution / math.sqrt(width * height) if resolution else 1.0
    sides = [max(1, round(side * factor / MULTIPLE)) * MULTIPLE for side in (width, height)]
    if (height, width) == tuple(reversed(sides)):
        return image
    return scale(image, *sides, method="lanczos")


def _encoded(
    clip: Clip, text: str, pictures: Sequence[Tensor], latents: Sequence[Tensor], ctx: Context
) -> Conditioning:
    embeddings = Embeddings(ctx.files)
    marks = " ".join(f"<image{number + 1}>{MARK}" for number in range(len(pictures)))
    # The model was trained with a space in the place of an empty prompt.
    found = tokenize(
        clip,
        marks + (text or " "),
        embeddings.find,
        pictures=[Picture(_on_white(pixels)) for pixels in pictures],
    )
    encoded = encode_tokens(clip, found, checkpoint=ctx.checkpoint)
    embeddings.report(clip, ctx)
    if not latents:
        return encoded
    return [[tokens, {**known, REFERENCES: list(latents)}] for tokens, known in encoded]


def _on_white(pixels: Tensor) -> Tensor:
    """A picture as the text encoder sees it: transparent parts are white."""
    if pixels.shape[-1] == RGB:
        return pixels
    opacity = pixels[..., RGB:]
    return pixels[..., :RGB] * opacity + (1.0 - opacity)


@text_encode_qwen_image21.fingerprint
def _(prompt: str | None, negative_prompt: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return [*embeddings_mentioned(prompt, ctx), *embeddings_mentioned(negative_prompt, ctx)]


@node("QwenImage21Cache", category="advanced/model", experimental=True)
def qwen_image21_cache(
    *,
    model: Model,
    device: Annotated[str, Choice(*map(str, Where))] = "auto",
    dtype: Annotated[str, Choice(*map(str, Precision))] = "default",
) -> Model:
    """Compute the prompt and the references of Qwen-Image 2.1 at the first step only.

    `device` says where the results are held: `auto` on the device while there is room, then in RAM.
    `off` computes them at every step. int8 and int4 take a half and a quarter of the memory.
    """
    return with_prefix_cache(model, Where(device), Precision(dtype))
