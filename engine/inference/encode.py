"""Encodes prompts as conditioning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.families.family import Checkpoint
from engine.inference.hook_groups import clip_times, clip_with
from engine.inference.values import Clip, TextPart
from engine.residency.manager import current
from engine.text.encoder import Encoded, Tokens
from engine.weights.open import open_weights

Embeddings = Callable[[str, str], "Tensor | None"]
"""The names of a textual inversion and of an encoder to the inversion's vectors [N, D]."""


def tokenize(clip: Clip, text: str, embeddings: Embeddings) -> dict[str, Tokens]:
    """The tokens of a prompt for each encoder.

    `embeddings` finds the vectors of a textual inversion, by name and encoder.
    """
    return {
        name: part.encoder.tokenize(
            part.config, text, lambda asked, name=name: embeddings(asked, name)
        )
        for name, part in _present(clip).items()
    }


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
    residency = current()
    parts = _present(clip)
    chunks = _even(clip, tokens) if clip.plan.even else dict(tokens)
    encoded: dict[str, Encoded] = {}
    for name, part in parts.items():
        dtype = residency.dtype_of(part.weights)
        room = part.encoder.activation_bytes(part.config, chunks[name], dtype.itemsize)
        on_device = residency.use(part.weights, room_for=room, checkpoint=checkpoint)
        with on_device, torch.no_grad(), residency.device:
            encoded[name] = part.encoder.encode(
                part.weights.module,
                chunks[name],
                style=clip.plan.styles[name],
                layer=clip.layer,
                checkpoint=checkpoint,
            )
    tensor, extras = clip.plan.combine(encoded)
    return [tensor, extras]


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
        empty = part.encoder.empty(part.config)
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
