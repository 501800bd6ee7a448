"""Prompts to conditioning."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from torch import Tensor

from engine.errors import FilesError
from engine.files import Files, file_identity
from engine.inference.encode import encode, textual_inversion
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text
from nodes.sockets import Clip, Conditioning

EMBEDDING_SUFFIXES = ("", ".safetensors", ".pt", ".bin")
_MENTIONED = re.compile(r"embedding:([^\s,()]+)")


@node("CLIPTextEncode", category="conditioning", display="CLIP Text Encode (Prompt)")
def clip_text_encode(
    text: Annotated[str, Text(multiline=True, dynamic_prompts=True)],
    clip: Clip,
    ctx: Context,
) -> Conditioning:
    """What a model is to paint, in words: `(word:1.3)` weighs, `embedding:name` adds a style."""
    return encode(clip, text, embeddings_in(ctx.files), checkpoint=ctx.checkpoint)


@clip_text_encode.fingerprint
def embeddings_mentioned(text: str | None, ctx: Context) -> list[tuple[str, int, int]]:
    """The state of the embedding files that a prompt mentions."""
    names = _MENTIONED.findall(text) if isinstance(text, str) else []
    paths = (embedding_path(ctx.files, name) for name in names)
    return [file_identity(path) for path in paths if path]


@node("CLIPSetLastLayer", category="conditioning", display="CLIP Set Last Layer")
def clip_set_last_layer(
    clip: Clip, stop_at_clip_layer: Annotated[int, Range(-24, -1, step=1)] = -1
) -> Clip:
    """Clip skip: read the text encoder earlier, -2 before its last layer."""
    return replace(clip, layer=stop_at_clip_layer)


def embeddings_in(files: Files) -> Callable[[str], Tensor | None]:
    """Finds textual inversions in the folder of embeddings, by name with or without a suffix."""

    def find(name: str) -> Tensor | None:
        path = embedding_path(files, name)
        return textual_inversion(path) if path else None

    return find


def embedding_path(files: Files, name: str) -> Path | None:
    """Where the embedding of that name lies; None if there is none."""
    for suffix in EMBEDDING_SUFFIXES:
        try:
            return files.find("embeddings", name + suffix)
        except FilesError:
            continue
    return None
