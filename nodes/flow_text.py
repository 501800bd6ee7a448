"""Prompts for flow models: one text for each encoder, system prompts, pictures within prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from torch import Tensor

from engine.errors import NodeError
from engine.families.reference_latents import REFERENCES
from engine.inference.encode import encode, encode_tokens, tokenize
from engine.inference.vae import encode as encode_picture
from engine.inference.values import Clip as AnyClip
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range, Text
from engine.text.encoder import Tokens
from engine.text.t5 import END
from engine.text.tokens import Picture
from nodes.conditioning import with_values
from nodes.image_scaling import scale
from nodes.sockets import Clip, Conditioning, Image, Vae
from nodes.text import Embeddings, embeddings_mentioned

Prompt = Annotated[str, Text(multiline=True, dynamic_prompts=True)]
TITLES: Mapping[str, str] = {
    "clip_l": "CLIP L",
    "clip_g": "CLIP bigG",
    "t5xxl": "T5 XXL",
    "llama31_8b": "Llama 3.1 8B",
}
T5 = ("t5xxl", "umt5xxl", "pile_t5xl", "t5_base")
EDIT = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, "
    "texture, objects, background), then explain how the user's text instruction should alter or "
    "modify the image. Generate a new image that meets the user's requirements while maintaining "
    "consistency with the original input where appropriate.<|im_end|>\n<|im_start|>user\n{}"
    "<|im_end|>\n<|im_start|>assistant\n"
)
"""The template that Qwen-Image-Edit was trained with (Qwen-Image's technical report, 2025)."""
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
MEGAPIXEL = 1024 * 1024
SMALL = 384 * 384
"""Pixels of a picture that the text encoder of the Plus models looks at."""
CELL = 8
LUMINA_SYSTEMS: Mapping[str, str] = {
    "superior": "You are an assistant designed to generate superior images with the superior "
    "degree of image-text alignment based on textual prompts or user prompts.",
    "alignment": "You are an assistant designed to generate high-quality images with the highest "
    "degree of image-text alignment based on textual prompts.",
}
"""The system prompts that Lumina-Image 2.0 was trained with."""


@node("CLIPTextEncodeFlux", category="advanced/conditioning/flux")
def clip_text_encode_flux(
    *,
    clip: Clip,
    clip_l: Prompt,
    t5xxl: Prompt,
    guidance: Annotated[float, Range(0.0, 100.0, step=0.1)] = 3.5,
    ctx: Context,
) -> Conditioning:
    """Encode a prompt for each of FLUX.1's text encoders, and set the guidance."""
    return with_values(_each(clip, {"clip_l": clip_l, "t5xxl": t5xxl}, ctx), guidance=guidance)


@node("CLIPTextEncodeSD3", category="advanced/conditioning")
def clip_text_encode_sd3(
    *,
    clip: Clip,
    clip_l: Prompt,
    clip_g: Prompt,
    t5xxl: Prompt,
    empty_padding: Annotated[str, Choice("none", "empty_prompt")],
    ctx: Context,
) -> Conditioning:
    """Encode a prompt for each of Stable Diffusion 3's text encoders.

    With `empty_padding` none, both CLIP encoders take no part if neither has a text, and T5 without
    text gets no more than the end of a text.
    """
    texts = {"clip_l": clip_l, "clip_g": clip_g, "t5xxl": t5xxl}
    if empty_padding == "none":
        texts = {name: text for name, text in texts.items() if text}
    return _each(clip, texts, ctx, complete=_as_sd3)


@node("CLIPTextEncodeHiDream", category="advanced/conditioning")
def clip_text_encode_hidream(
    *, clip: Clip, clip_l: Prompt, clip_g: Prompt, t5xxl: Prompt, llama: Prompt, ctx: Context
) -> Conditioning:
    """Encode a prompt for each of HiDream-I1's text encoders."""
    texts = {"clip_l": clip_l, "clip_g": clip_g, "t5xxl": t5xxl, "llama31_8b": llama}
    return _each(clip, texts, ctx)


def _as_sd3(clip: AnyClip, tokens: Mapping[str, Tokens]) -> dict[str, Tokens]:
    """The prompts with those of encoders without a text, as the incumbent has them."""
    found, present = dict(tokens), [n for n, p in clip.parts.items() if not p.weights.is_missing]
    if "clip_l" in tokens or "clip_g" in tokens:
        found |= {
            name: [] for name in ("clip_l", "clip_g") if name in present and name not in found
        }
    if "t5xxl" in present and "t5xxl" not in found:
        found["t5xxl"] = [[(END, 1.0)]]
    return found


def _each(
    clip: AnyClip,
    texts: Mapping[str, str],
    ctx: Context,
    complete: Callable[[AnyClip, Mapping[str, Tokens]], Mapping[str, Tokens]] | None = None,
) -> Conditioning:
    """A text for each encoder; encoders without one take no part, those absent get none.

    Args:
        clip: the text encoders.
        texts: by encoder.
        ctx: of the node.
        complete: adds prompts of encoders without a text.

    Raises:
        NodeError: the encoders are those of other models.
    """
    missing = [TITLES[name] for name in texts if name not in clip.plan.styles]
    if missing:
        found = ", ".join(part.encoder.title for part in clip.parts.values())
        raise NodeError(
            f"this node takes a CLIP with the text encoder {' and '.join(missing)}; this one has "
            f"{found}. Load the model's own text encoders, or use CLIPTextEncode."
        )
    embeddings = Embeddings(ctx.files)
    tokens: dict[str, Tokens] = {}
    for name, text in texts.items():
        found = tokenize(clip, text, embeddings.find)
        if name in found:
            tokens[name] = found[name]
    all_tokens = complete(clip, tokens) if complete else tokens
    encoded = encode_tokens(clip, _as_long(clip, all_tokens), checkpoint=ctx.checkpoint)
    embeddings.report(clip, ctx)
    return encoded


def _as_long(clip: AnyClip, tokens: Mapping[str, Tokens]) -> dict[str, Tokens]:
    """Both CLIP encoders' prompts with the same number of chunks, as their states are joined."""
    most = max((len(tokens[name]) for name in ("clip_l", "clip_g") if name in tokens), default=0)
    found = dict(tokens)
    for name in ("clip_l", "clip_g"):
        if name in tokens:
            part = clip.parts[name]
            empty = part.encoder.empty(part.config, clip.plan.styles[name])
            found[name] = [*tokens[name], *[empty] * (most - len(tokens[name]))]
    return found


@node("CLIPTextEncodeLumina2", category="conditioning", display="CLIP Text Encode for Lumina2")
def clip_text_encode_lumina2(
    *,
    system_prompt: Annotated[str, Choice(*LUMINA_SYSTEMS)],
    user_prompt: Prompt,
    clip: Clip,
    ctx: Context,
) -> Conditioning:
    """Encode a prompt behind one of the system prompts that Lumina 2 was trained with."""
    embeddings = Embeddings(ctx.files)
    text = f"{LUMINA_SYSTEMS[system_prompt]} <Prompt Start> {user_prompt}"
    encoded = encode(clip, text, embeddings.find, checkpoint=ctx.checkpoint)
    embeddings.report(clip, ctx)
    return encoded


@node("T5TokenizerOptions", category="_for_testing/conditioning", experimental=True)
def t5_tokenizer_options(
    *,
    clip: Clip,
    min_padding: Annotated[int, Range(0, 10_000, step=1)] = 0,
    min_length: Annotated[int, Range(0, 10_000, step=1)] = 0,
) -> Clip:
    """Pad prompts for T5: by `min_padding` tokens, then up to `min_length`."""
    styles = {
        name: replace(style, shortest=min_length, padding=min_padding) if name in T5 else style
        for name, style in clip.plan.styles.items()
    }
    return replace(clip, plan=replace(clip.plan, styles=styles))


@node("TextEncodeQwenImageEdit", category="advanced/conditioning")
def text_encode_qwen_image_edit(
    *, clip: Clip, prompt: Prompt, vae: Vae | None = None, image: Image | None = None, ctx: Context
) -> Conditioning:
    """Encode an instruction, and the picture that it changes, for Qwen-Image-Edit.

    The picture is scaled to about a megapixel. With `vae` it is a reference, too.
    """
    if image is None:
        return _with_pictures(clip, prompt, (), None, ctx)
    picture = _of_area(image, MEGAPIXEL)
    encoded = _with_pictures(clip, PICTURE + prompt, (picture,), EDIT, ctx)
    latents = [] if vae is None else [encode_picture(vae, picture, checkpoint=ctx.checkpoint)]
    return _with_references(encoded, latents)


@node("TextEncodeQwenImageEditPlus", category="advanced/conditioning")
def text_encode_qwen_image_edit_plus(
    *,
    clip: Clip,
    prompt: Prompt,
    vae: Vae | None = None,
    image1: Image | None = None,
    image2: Image | None = None,
    image3: Image | None = None,
    ctx: Context,
) -> Conditioning:
    """Encode an instruction with up to three pictures, for Qwen-Image-Edit 2509 and later.

    In the text they are `Picture 1` and so on. With `vae` they are references, too, of about a
    megapixel each.
    """
    images = [image for image in (image1, image2, image3) if image is not None]
    marks = "".join(f"Picture {number}: {PICTURE}" for number in range(1, len(images) + 1))
    pictures = [_of_area(image, SMALL) for image in images]
    encoded = _with_pictures(clip, marks + prompt, pictures, EDIT, ctx)
    latents = [
        encode_picture(vae, _of_area(image, MEGAPIXEL, CELL), checkpoint=ctx.checkpoint)
        for image in images
        if vae is not None
    ]
    return _with_references(encoded, latents)


def _of_area(image: Tensor, area: int, multiple: int = 1) -> Tensor:
    """A picture scaled to about so many pixels, its sides multiples; without transparency."""
    height, width = image.shape[1:3]
    factor = math.sqrt(area / (width * height))
    sides = [max(multiple, round(side * factor / multiple) * multiple) for side in (width, height)]
    return scale(image[..., :3], *sides, method="area")


def _with_pictures(
    clip: AnyClip, text: str, pictures: Sequence[Tensor], template: str | None, ctx: Context
) -> Conditioning:
    embeddings = Embeddings(ctx.files)
    found = tokenize(
        clip,
        text,
        embeddings.find,
        pictures=[Picture(pixels[:1]) for pixels in pictures],
        template=template,
    )
    encoded = encode_tokens(clip, found, checkpoint=ctx.checkpoint)
    embeddings.report(clip, ctx)
    return encoded


def _with_references(conditioning: Conditioning, latents: Sequence[Tensor]) -> Conditioning:
    if not latents:
        return conditioning
    return [
        [tokens, {**known, REFERENCES: [*(known.get(REFERENCES) or ()), *latents]}]
        for tokens, known in conditioning
    ]


@clip_text_encode_flux.fingerprint
def _(clip_l: str | None, t5xxl: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return [*embeddings_mentioned(clip_l, ctx), *embeddings_mentioned(t5xxl, ctx)]


@clip_text_encode_sd3.fingerprint
def _(
    clip_l: str | None, clip_g: str | None, t5xxl: str | None, ctx: Context
) -> list[tuple[str | int, ...]]:
    each = (embeddings_mentioned(text, ctx) for text in (clip_l, clip_g, t5xxl))
    return [one for found in each for one in found]


@clip_text_encode_hidream.fingerprint
def _(
    clip_l: str | None, clip_g: str | None, t5xxl: str | None, llama: str | None, ctx: Context
) -> list[tuple[str | int, ...]]:
    each = (embeddings_mentioned(text, ctx) for text in (clip_l, clip_g, t5xxl, llama))
    return [one for found in each for one in found]


@clip_text_encode_lumina2.fingerprint
def _(user_prompt: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return embeddings_mentioned(user_prompt, ctx)


@text_encode_qwen_image_edit.fingerprint
def _(prompt: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return embeddings_mentioned(prompt, ctx)


@text_encode_qwen_image_edit_plus.fingerprint
def _(prompt: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return embeddings_mentioned(prompt, ctx)
