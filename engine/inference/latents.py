"""Latents in files: safetensors with one tensor and a mark of its scale.

Files without the mark are older and hold the scale of a Stable Diffusion 1 denoiser, the
autoencoder's latent times 0.18215.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from engine.errors import WeightsError
from engine.weights import safetensors as safetensors_file

TENSOR = "latent_tensor"
MARK = "latent_format_version_0"
OLD_SCALE = 0.18215


def latent_bytes(samples: torch.Tensor, texts: Mapping[str, str]) -> bytes:
    """The bytes of a file with this latent, and texts such as the prompt."""
    tensors = {TENSOR: samples.detach().cpu().contiguous(), MARK: torch.tensor([])}
    return safetensors.torch.save(tensors, metadata=dict(texts))


def read_latent(path: Path) -> torch.Tensor:
    """The latent in a file, float32.

    Raises:
        WeightsError: the file is damaged, or holds no latent.
    """
    tensors = safetensors_file.read(path)
    shape = tensors.shape(TENSOR)
    if shape is None or len(shape) < 3:
        found = ", ".join(list(tensors)[:3]) if shape is None else f"{TENSOR} of shape {shape}"
        raise WeightsError(
            f"{path.name}: not a latent: expected a tensor {TENSOR} [B, C, ...], found {found}; "
            "choose a file that Save Latent wrote"
        )
    # A copy: the file may be replaced while the latent is in use.
    samples = tensors[TENSOR].to(torch.float32, copy=True)
    return samples if MARK in tensors else samples / OLD_SCALE
