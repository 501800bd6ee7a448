"""Prompts to conditioning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from torch import Tensor

from engine.errors import FilesError, NodeError, WeightsError
from engine.files import Files, file_identity
from engine.inference.encode import encode, encode_tokens, textual_inversion, tokenize
from engine.inference.values import Clip as AnyClip
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text
from nodes.sockets import Clip, Conditioning

EMBEDDING_SUFFIXES = ("", ".safetensors", ".pt", ".bin")
_MOST_SHOWN = 100
_MOST_SAID = 10
Pixels = Annotated[int, Range(0, 16384)]
Prompt = Annotated[str, Text(multiline=True, dynamic_prompts=True)]
SDXL_ENCODERS: Mapping[str, str] = {"clip_l": "CLIP L", "clip_g": "CLIP bigG"}
_MENTIONED = re.compile(r"embedding:([^\s,()]+)")


@node("CLIPTextEncode", category="conditioning", display="CLIP Text Encode (Prompt)")
def clip_text_encode(
    text: Prompt,
    clip: Clip,
    ctx: Context,
) -> Conditioning:
    """Encode a prompt: `(word:1.3)` sets a weight, `embedding:name` inserts an embedding."""
    embeddings = Embeddings(ctx.files)
    encoded = encode(clip, text, embeddings.find, checkpoint=ctx.checkpoint)
    embeddings.report(clip, ctx)
    return encoded


@node("CLIPTextEncodeSDXL", category="advanced/conditioning")
def clip_text_encode_sdxl(
    *,
    clip: Clip,
    width: Pixels = 1024,
    height: Pixels = 1024,
    crop_w: Pixels = 0,
    crop_h: Pixels = 0,
    target_width: Pixels = 1024,
    target_height: Pixels = 1024,
    text_g: Prompt,
    text_l: Prompt,
    ctx: Context,
) -> Conditioning:
    """Encode a prompt for each of SDXL's text encoders, with sizes of a training picture.

    `width` and `height` are the original size of the picture, `crop_w` and `crop_h` the pixels
    cropped at the left and the top, `target_width` and `target_height` its size in training.
    """
    missing = [title for name, title in SDXL_ENCODERS.items() if not _has(clip, name)]
    if missing:
        raise NodeError(
            f"CLIPTextEncodeSDXL takes a CLIP with the text encoders of Stable Diffusion XL; this "
            f"one lacks {' and '.join(missing)}. Take CLIP from an SDXL checkpoint or from "
            "DualCLIPLoader, or use CLIPTextEncodeSDXLRefiner for the refiner, CLIPTextEncode else."
        )
    embeddings = Embeddings(ctx.files)
    tokens = {
        "clip_l": tokenize(clip, text_l, embeddings.find)["clip_l"],
        "clip_g": tokenize(clip, text_g, embeddings.find)["clip_g"],
    }
    encoded = encode_tokens(clip, tokens, checkpoint=ctx.checkpoint)
    embeddings.report(clip, ctx)
    sizes = {
        "width": width,
        "height": height,
        "crop_w": crop_w,
        "crop_h": crop_h,
        "target_width": target_width,
        "target_height": target_height,
    }
    return [[tokens, {**extras, **sizes}] for tokens, extras in encoded]


@node("CLIPTextEncodeSDXLRefiner", category="advanced/conditioning")
def clip_text_encode_sdxl_refiner(
    *,
    ascore: Annotated[float, Range(0.0, 1000.0, step=0.01)] = 6.0,
    width: Pixels = 1024,
    height: Pixels = 1024,
    text: Prompt,
    clip: Clip,
    ctx: Context,
) -> Conditioning:
    """Encode a prompt for SDXL's refiner, with the picture's size and an aesthetic score.

    `ascore` is the score of an aesthetics predictor: usually 6 for the positive, 2.5 for the
    negative.
    """
    encoded = clip_text_encode(text, clip, ctx)
    extras = {"aesthetic_score": ascore, "width": width, "height": height}
    return [[tokens, {**known, **extras}] for tokens, known in encoded]


def _has(clip: AnyClip, name: str) -> bool:
    return name in clip.parts and not clip.parts[name].weights.is_missing


@clip_text_encode.fingerprint
def embeddings_mentioned(text: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    """The state of the embedding files that a prompt mentions."""
    names = _MENTIONED.findall(text) if isinstance(text, str) else []
    paths = (embedding_path(ctx.files, name) for name in names)
    return [file_identity(path) for path in paths if path]


@clip_text_encode_sdxl.fingerprint
def _(text_g: str | None, text_l: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return [*embeddings_mentioned(text_g, ctx), *embeddings_mentioned(text_l, ctx)]


@clip_text_encode_sdxl_refiner.fingerprint
def _(text: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return embeddings_mentioned(text, ctx)


@node("CLIPSetLastLayer", category="conditioning", display="CLIP Set Last Layer")
def clip_set_last_layer(
    clip: Clip, stop_at_clip_layer: Annotated[int, Range(-24, -1, step=1)] = -1
) -> Clip:
    """Clip skip: use an earlier layer of the text encoder; -2 is the one before the last."""
    return replace(clip, layer=stop_at_clip_layer)


class Embeddings:
    """Finds textual inversions in the folder of embeddings, by name with or without a suffix.

    One that is missing or damaged is left out of the prompt, as in similar programs.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._found: dict[tuple[str, str], Tensor | None] = {}
        self._faults: dict[str, str] = {}

    def find(self, name: str, encoder: str) -> Tensor | None:
        """The vectors of that name for a text encoder, or None; each is read once."""
        if (name, encoder) not in self._found:
            self._found[name, encoder] = self._read(name, encoder)
        return self._found[name, encoder]

    def report(self, clip: AnyClip, ctx: Context) -> None:
        """Show below the node which requested embeddings could not be used."""
        if left_out := self.left_out(clip):
            ctx.show(text=left_out)

    def left_out(self, clip: AnyClip) -> list[str]:
        """What the encoders of a CLIP could not use, one sentence each."""
        asked = {name for name, _ in self._found}
        faults = [
            f"embedding:{name[:_MOST_SHOWN]} is left out: {fault}"
            for name, fault in self._faults.items()
            # `name,` is requested before `name`, as the comma may follow the name
            if name.rstrip(",") == name or name.rstrip(",") not in asked
        ]
        return [*faults, *self._misfits(clip)][:_MOST_SAID]

    def _misfits(self, clip: AnyClip) -> Iterator[str]:
        """Embeddings whose vectors are of another width than an encoder's tokens."""
        by_name: dict[str, dict[str, int]] = {}
        for (name, encoder), vectors in self._found.items():
            if vectors is not None:
                by_name.setdefault(name, {})[encoder] = vectors.shape[-1]
        for name, widths in by_name.items():
            parts = {encoder: clip.parts[encoder] for encoder in widths}
            taken = {key: part.encoder.width(part.config) for key, part in parts.items()}
            misfits = [key for key in widths if widths[key] != taken[key]]
            if not misfits:
                continue
            fitting = " and ".join(parts[key].encoder.title for key in widths if key not in misfits)
            effect = f"is read by {fitting} only" if fitting else "is left out"
            found = " or ".join(str(each) for each in sorted({widths[key] for key in misfits}))
            wanted = ", ".join(f"{parts[key].encoder.title} takes {taken[key]}" for key in misfits)
            yield (
                f"embedding:{name[:_MOST_SHOWN]} {effect}: its vectors have {found} numbers; "
                f"{wanted}"
            )

    def _read(self, name: str, encoder: str) -> Tensor | None:
        path = embedding_path(self._files, name)
        if path is None:
            self._faults[name] = "there is no embedding of that name"
            return None
        try:
            return textual_inversion(path, encoder=encoder)
        except WeightsError as error:
            self._faults[name] = str(error)
            return None


def embedding_path(files: Files, name: str) -> Path | None:
    """The path of the embedding of that name; None if there is none."""
    for suffix in EMBEDDING_SUFFIXES:
        try:
            found = files.locate("embeddings", name + suffix)
        except FilesError:
            return None
        if found is not None:
            return found
    return None
