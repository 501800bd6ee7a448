"""The verb that turns a prompt into conditioning. Knows no node, no folder and no family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.families.family import Checkpoint, Part
from engine.inference.values import Clip
from engine.residency.manager import current
from engine.weights.open import open_weights

TOKENS = 77


def encode(
    clip: Clip,
    text: str,
    embeddings: Callable[[str], Tensor | None],
    *,
    checkpoint: Checkpoint = lambda: None,
) -> list[list[Any]]:
    """A prompt as CONDITIONING: one entry `[tensor [1, T, D], {"pooled_output": [1, D]}]`.

    `embeddings` finds textual inversions by the names that prompts call them; `checkpoint` is
    called at every layer and may raise.
    """
    residency = current()
    # An estimate by the letters: a token is rarely shorter than two of them.
    tokens = TOKENS * (2 + len(text) // (2 * TOKENS))
    shape = (1, tokens)
    room = clip.family.activation_bytes(
        clip.config, Part.TEXT_ENCODER, shape, residency.dtype.itemsize
    )
    on_device = residency.use(clip.encoder, room_for=room, checkpoint=checkpoint)
    with on_device, torch.no_grad(), residency.device:
        tensor, extras = clip.family.encode(
            clip.config,
            clip.encoder.module,
            text,
            layer=clip.layer,
            embeddings=embeddings,
            checkpoint=checkpoint,
        )
    return [[tensor, extras]]


def textual_inversion(path: Path, *, encoder: str = "clip_l") -> Tensor:
    """The vectors [N, D] of an embedding file, in any of the forms they are shared in.

    Args:
        path: safetensors (`emb_params`, or one tensor per encoder) or PyTorch (`string_to_param`).
        encoder: whose vectors are meant where a file holds several encoders'.

    Raises:
        WeightsError: the file is damaged, or holds no single matrix of vectors.
    """
    tensors = open_weights(path)
    named = [name for name in ("emb_params", encoder) if name in tensors]
    learned = [name for name in tensors if name.startswith("string_to_param.")]
    found = (named or learned or list(tensors))[:1]
    if not found or tensors[found[0]].ndim not in (1, 2):
        shapes = {name: list(tensor.shape) for name, tensor in list(tensors.items())[:3]}
        raise WeightsError(
            f"{path.name}: no textual inversion: expected vectors named emb_params, {encoder} or "
            f"string_to_param, found {shapes}"
        )
    return tensors[found[0]].detach().reshape(-1, tensors[found[0]].shape[-1])
