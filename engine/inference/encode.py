"""Encodes prompts as conditioning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import NodeError, WeightsError
from engine.families.family import Checkpoint
from engine.inference.hook_groups import clip_times, clip_with
from engine.inference.values import Clip, TextPart
from engine.residency.manager import current
from engine.text.encoder import Encoded, TextStyle, Tokens
from engine.text.tokens import Picture
from engine.weights.open import open_weights

Embeddings = Callable[[str, str], "Tensor | None"]
"""The names of a textual inversion and of an encoder to the inversion's vectors [N, D]."""


def tokenize(
    clip: Clip,
    text: str,
    embeddings: Embeddings,
    *,
    pictures: Sequence[Picture] = (),
    template: str | None = None,
) -> dict[str, Tokens]:
    """The tokens of a prompt for each encoder that encodes some of it.

    Args:
        clip: the text encoders.
        text: the prompt.
        embeddings: finds the vectors of a textual inversion, by name and encoder.
        pictures: of the prompt, in order.
        template: in the place of the family's, see `TextStyle`.

    Raises:
        NodeError: there are pictures, and none of the encoders takes any.
    """
    present = _present(clip)
    if pictures and not any(part.encoder.takes_pictures for part in present.values()):
        titles = ", ".join(part.encoder.title for part in present.values())
        raise NodeError(
            f"the text encoder {titles} takes no pictures; load a vision-language encoder, such as "
            "Qwen2.5-VL for Qwen-Image-Edit"
        )
    found: dict[str, Tokens] = {}
    for name, part in present.items():
        style = clip.plan.styles[name]
        if template is not None:
            style = replace(style, template=template, picture_template=template)
        tokens = part.encoder.tokenize(
            part.config,
            text,
            lambda asked, name=name: embeddings(asked, name),
            style=style,
            pictures=pictures if part.encoder.takes_pictures else (),
        )
        if tokens:
            found[name] = tokens
    return found


def encode_tokens(
    clip: Clip, tokens: Mapping[str, Tokens], *, checkpoint: Checkpoint = lambda: None
) -> list[list[Any]]:
    """Tokens by encoder as CONDITIONING: one entry `[tensor [1, T, D], {"pooled_output": ...}]`.

    With scheduled hooks there is an entry for each interval of sampling in which they are constant.
    `checkpoint` is called at every layer and may raise.
    """
    hooks = clip.hooks
    if not hooks.group:
        return [_entry(clip, tokens, checkpoint)]
    brought: dict[str, Any] = {"hooks": hooks.group} if hooks.to_entries else {}
    entries: list[list[Any]] = []
    for time, multipliers in clip_times(hooks):
        tensor, extras = _entry(clip_with(clip, hooks.group, multipliers), tokens, checkpoint)
        entries.append([tensor, extras | brought | time])
    return entries


def _entry(clip: Clip, tokens: Mapping[str, Tokens], checkpoint: Checkpoint) -> list[Any]:
    """One entry, encoded with the text encoders' present patches."""
    parts = _present(clip)
    chunks = _even(clip, tokens) if clip.plan.even else dict(tokens)
    encoded = {
        name: encode_part(
            part, clip.plan.styles[name], chunks[name], layer=clip.layer, checkpoint=checkpoint
        )
        for name, part in parts.items()
        if name in chunks
    }
    tensor, extras = clip.plan.combine(encoded)
    return [tensor, extras]


def encode_part(
    part: TextPart,
    style: TextStyle,
    chunks: Tokens,
    *,
    layer: int | None = None,
    checkpoint: Checkpoint = lambda: None,
) -> Encoded:
    """Tokens encoded by one text encoder with its patches; `layer` is a user's clip skip."""
    residency = current()
    dtype = residency.dtype_of(part.weights)
    room = part.encoder.activation_bytes(part.config, chunks, dtype.itemsize)
    on_device = residency.use(part.weights, room_for=room, checkpoint=checkpoint)
    with on_device, torch.no_grad(), residency.device:
        return part.encoder.encode(
            part.weights.module, chunks, style=style, layer=layer, checkpoint=checkpoint
        )


def encode(
    clip: Clip, text: str, embeddings: Embeddings, *, checkpoint: Checkpoint = lambda: None
) -> list[list[Any]]:
    """A prompt as CONDITIONING: tokenize, then encode."""
    return encode_tokens(clip, tokenize(clip, text, embeddings), checkpoint=checkpoint)


def _present(clip: Clip) -> dict[str, TextPart]:
    """The encoders that have weights; if none has, the first, whose use raises the error.

    Raises:
        NodeError: the family takes no text.
    """
    if not clip.parts:
        clip.plan.combine({})
    present = {n: part for n, part in clip.parts.items() if not part.weights.is_missing}
    if not present:
        _ = next(iter(clip.parts.values())).weights.module
    return present


def _even(clip: Clip, tokens: Mapping[str, Tokens]) -> dict[str, Tokens]:
    """The same number of chunks for every encoder: shorter ones are padded with empty chunks."""
    most = max(len(chunks) for chunks in tokens.values())
    evened: dict[str, Tokens] = {}
    for name, chunks in tokens.items():
        part = clip.parts[name]
        empty = part.encoder.empty(part.config, clip.plan.styles[name])
        evened[name] = [*chunks, *[empty] * (most - len(chunks))]
    return evened


def textual_inversion(path: Path, *, encoder: str = "clip_l") -> Tensor:
    """The vectors [N, D] of an embedding file, in any of the common formats.

    Args:
        path: safetensors (`emb_params`, or one tensor per encoder) or PyTorch (`string_to_param`).
        encoder: the encoder whose vectors are read if a file holds those of several.

    Raises:
        WeightsError: the file is damaged, or holds no single matrix of finite vectors.
    """
    tensors = open_weights(path)
    named = [name for name in ("emb_params", encoder) if name in tensors]
    learned = [name for name in tensors if name.startswith("string_to_param.")]
    found = (named or learned or list(tensors))[:1]
    if not found or tensors[found[0]].ndim not in (1, 2) or not tensors[found[0]].numel():
        shapes = {name: list(tensor.shape) for name, tensor in list(tensors.items())[:3]}
        raise WeightsError(
            f"{path.name}: no textual inversion: expected vectors named emb_params, {encoder} or "
            f"string_to_param, found {shapes}"
        )
    vectors = tensors[found[0]].detach()
    if not torch.isfinite(vectors.float()).all():
        raise WeightsError(
            f"{path.name}: its vectors hold values that are no finite numbers (NaN or infinite); "
            "its training probably diverged. Choose another file."
        )
    return vectors.reshape(-1, vectors.shape[-1])
