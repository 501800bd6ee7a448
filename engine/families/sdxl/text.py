"""SDXL's text: two CLIP encoders, concatenated; one for the refiner; and sizes as a vector.

After Podell et al. 2023, "SDXL", section 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.family import Entry, TextPlan
from engine.nets.unet import timestep_embedding
from engine.text.encoder import Encoded, TextStyle

SIZE_CHANNELS = 256
"""The width of the sinusoidal embedding of each size."""
WANTED_SCORE, UNWANTED_SCORE = 6.0, 2.5
"""The aesthetic scores passed to the refiner by default, for the positive and negative prompt."""
PIXELS = 8
"""Pixels per latent cell, for computing the sizes of a picture."""


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of both, concatenated; pooled is that of CLIP bigG, projected.

    Raises:
        WeightsError: one of them is missing.
    """
    titles = {"clip_l": "CLIP L", "clip_g": "CLIP bigG"}
    missing = [title for name, title in titles.items() if name not in encoded]
    if missing:
        raise WeightsError(
            f"Stable Diffusion XL needs the text encoders CLIP L and CLIP bigG; "
            f"{' and '.join(missing)} is missing. Load both with DualCLIPLoader, type sdxl, or "
            "take CLIP from a checkpoint that has both."
        )
    states = torch.cat([encoded[name].states for name in titles], dim=-1)
    return states, {"pooled_output": encoded["clip_g"].pooled}


def combine_for_refiner(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of CLIP bigG alone, and its pooled output."""
    found = encoded.get("clip_g")
    if found is None:
        raise WeightsError("the SDXL refiner needs the text encoder CLIP bigG, which is missing")
    return found.states, {"pooled_output": found.pooled}


PENULTIMATE = TextStyle(layer=-2, normalised=False)
POOLED = TextStyle(layer=-2, normalised=False, projected=True)
BASE = TextPlan(
    {"clip_l": PENULTIMATE, "clip_g": POOLED},
    combine,
    even=True,
    file_types=frozenset({"sdxl"}),
    places={
        "clip_l": "conditioner.embedders.0.transformer.text_model.",
        "clip_g": "conditioner.embedders.1.model.",
    },
)
REFINER = TextPlan(
    {"clip_g": POOLED},
    combine_for_refiner,
    file_types=frozenset({"stable_diffusion"}),
    places={"clip_g": "conditioner.embedders.0.model."},
)


def base_vector(entry: Entry, shape: Sequence[int]) -> Tensor:
    """[1, pooled + 6 * 256]: height, width, crop offsets, target height and width.

    Sizes missing in an entry are those of the latent of `shape` [B, C, h, w].
    """
    extras = entry.extras
    height, width = _size(extras, shape)
    return _vector(
        entry,
        (
            height,
            width,
            extras.get("crop_h", 0),
            extras.get("crop_w", 0),
            extras.get("target_height", height),
            extras.get("target_width", width),
        ),
    )


def refiner_vector(entry: Entry, shape: Sequence[int], role: Role) -> Tensor:
    """[1, pooled + 5 * 256]: height, width, crop offsets, aesthetic score."""
    extras = entry.extras
    height, width = _size(extras, shape)
    usual = UNWANTED_SCORE if role is Role.NEGATIVE else WANTED_SCORE
    crop = (extras.get("crop_h", 0), extras.get("crop_w", 0))
    return _vector(entry, (height, width, *crop, extras.get("aesthetic_score", usual)))


def check_vector(vector: Tensor, width: int | None) -> None:
    """Refuse a pooled output of another width than the network was built for.

    Raises:
        NodeError: it does not fit.
    """
    if width is not None and vector.shape[-1] != width:
        raise NodeError(
            f"pooled text and sizes are {vector.shape[-1]} numbers, the model takes {width}: the "
            "prompt was encoded for another model. Take CLIP from the model's own checkpoint."
        )


def _size(extras: Mapping[str, Any], shape: Sequence[int]) -> tuple[float, float]:
    return extras.get("height", shape[-2] * PIXELS), extras.get("width", shape[-1] * PIXELS)


def _vector(entry: Entry, sizes: Sequence[float]) -> Tensor:
    pooled = entry.extras.get("pooled_output")
    if not isinstance(pooled, Tensor):
        raise NodeError(
            "the conditioning has no pooled output, which SDXL needs beside its tokens: encode the "
            "prompt with SDXL's own CLIP"
        )
    numbers = timestep_embedding(torch.tensor([float(each) for each in sizes]), SIZE_CHANNELS)
    row = numbers.reshape(1, -1).expand(len(pooled), -1)
    return torch.cat((pooled.float().cpu(), row), dim=1)
