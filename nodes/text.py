"""Prompts to conditioning."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from torch import Tensor

from engine.errors import FilesError, WeightsError
from engine.files import Files, file_identity
from engine.inference.encode import encode, textual_inversion
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text
from nodes.sockets import Clip, Conditioning

EMBEDDING_SUFFIXES = ("", ".safetensors", ".pt", ".bin")
_MOST_SHOWN = 100
_MOST_SAID = 10
_MENTIONED = re.compile(r"embedding:([^\s,()]+)")


@node("CLIPTextEncode", category="conditioning", display="CLIP Text Encode (Prompt)")
def clip_text_encode(
    text: Annotated[str, Text(multiline=True, dynamic_prompts=True)],
    clip: Clip,
    ctx: Context,
) -> Conditioning:
    """What a model is to paint, in words: `(word:1.3)` weighs, `embedding:name` adds a style."""
    embeddings = Embeddings(ctx.files)
    encoded = encode(clip, text, embeddings.find, checkpoint=ctx.checkpoint)
    if left_out := embeddings.left_out():
        ctx.show(text=left_out)
    return encoded


@clip_text_encode.fingerprint
def embeddings_mentioned(text: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
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


class Embeddings:
    """Finds textual inversions in the folder of embeddings, by name with or without a suffix.

    One that is missing or damaged is left out of the prompt, as in every program of this field.
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

    def left_out(self) -> list[str]:
        """What could not be used of all that was asked for, one sentence each."""
        asked = {name for name, _ in self._found}
        return [
            f"embedding:{name[:_MOST_SHOWN]} is left out: {fault}"
            for name, fault in self._faults.items()
            # `name,` is asked for before `name`, whose comma it may be
            if name.rstrip(",") == name or name.rstrip(",") not in asked
        ][:_MOST_SAID]

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
