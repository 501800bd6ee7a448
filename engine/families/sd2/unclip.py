"""Stable Diffusion 2.1 unCLIP: text and encoded pictures to a picture.

Ramesh et al. 2022, "Hierarchical Text-Conditional Image Generation with CLIP Latents". The encoded
picture is noised, and the network is given the level of that noise too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input, Role
from engine.errors import NodeError
from engine.families import open_clip_text, picture_channels
from engine.families.family import Entry, Run
from engine.families.sd2.family import (
    HEAD_CHANNELS,
    ZERO_SNR_MARKS,
    StableDiffusion2,
    StableDiffusion2Config,
    prediction,
)
from engine.families.unet_family import downscale_of, unet_traits
from engine.nets import unet_keys
from engine.nets.layers import timestep_embedding
from engine.nets.unet import unet_config
from engine.weights.state_dict import StateDict

PICTURES = "unclip_conditioning"
"""The key of a conditioning entry: a list of `{clip_vision_output, strength, noise_augmentation}`;
`image_embeds` [B, P] of the first are the pictures."""
LEVELS = 1000
MERGED = 0.05
"""The share of the noise levels at which the sum of several pictures is noised."""
SEED_OFFSET = -10
"""From the run's seed to that of the noise on the pictures."""


class StableDiffusionUnclip(StableDiffusion2):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Diffusion 2.1 unCLIP"
    examples = (
        "SD 2.1 unCLIP with ViT-L and with ViT-H (huggingface.co/stabilityai/"
        "stable-diffusion-2-1-unclip)"
    )

    def detect(self, weights: StateDict) -> StableDiffusion2Config | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        denoiser = unet_keys.tensors(weights)
        if denoiser is None:
            return None
        traits = unet_traits(denoiser)
        if (
            traits.is_temporal
            or traits.channels != picture_channels.PLAIN
            or traits.context != open_clip_text.width(weights, self.name)
            or not traits.vector
            or traits.vector % 2
        ):
            return None
        return StableDiffusion2Config(
            unet=unet_config(denoiser.shapes, head_channels=HEAD_CHANNELS),
            downscale=downscale_of(weights, 8),
            prediction=prediction(weights, denoiser),
            zero_terminal_snr=any(mark in weights for mark in ZERO_SNR_MARKS),
        )

    def inputs(
        self, config: StableDiffusion2Config, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, and `vector` [1, V] of the entry's pictures. No picture: zeros.

        Raises `NodeError` if the conditioning or a picture is for another model.
        """
        found = super().inputs(config, entry, run=run, role=role)
        given = entry.extras.get(PICTURES) or ()
        return {**found, "vector": Input(_vector(config, given, run.seed))}


def _vector(
    config: StableDiffusion2Config, pictures: Sequence[Mapping[str, object]], seed: int
) -> Tensor:
    """[1, V]: the noised vectors of the pictures, weighted, with their noise levels."""
    width = (config.unet.vector_channels or 0) // 2
    noise = torch.Generator()
    parts: list[Tensor] = []
    for each in pictures:
        embeds: Tensor = each["clip_vision_output"].image_embeds  # pyright: ignore[reportAttributeAccessIssue]
        if embeds.shape[-1] != width:
            raise NodeError(
                f"the CLIP vision output's vector has {embeds.shape[-1]} numbers, the model takes "
                f"{width}; encode the picture with the CLIP vision of the model's own "
                "checkpoint (unCLIPCheckpointLoader)"
            )
        for row in embeds.float().split(1):
            noise.manual_seed(seed + SEED_OFFSET)
            share = float(each["noise_augmentation"])  # pyright: ignore[reportArgumentType]
            weight = float(each["strength"])  # pyright: ignore[reportArgumentType]
            parts.append(_noised(row, share, noise) * weight)
    if not parts:
        return torch.zeros(1, 2 * width)
    if len(parts) == 1:
        return parts[0]
    total = torch.stack(parts).sum(dim=0)
    return _noised(total[:, :width], MERGED, noise)


def _noised(embeds: Tensor, share: float, noise: torch.Generator) -> Tensor:
    """A vector [1, P] noised to a share of the levels, then the level's sinusoid: [1, 2 P].

    As in the incumbent, the vector is not standardised by the statistics in the file.
    """
    level = round((LEVELS - 1) * share)
    kept = signal_kept()[level]
    noised = kept.sqrt() * embeds + (1 - kept).sqrt() * torch.randn(embeds.shape, generator=noise)
    sinusoid = timestep_embedding(torch.tensor([level]), embeds.shape[-1])
    return torch.cat((noised, sinusoid), dim=1)


def signal_kept() -> Tensor:
    """[1000] the cumulative alphas of a cosine schedule.

    Nichol & Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", eq. 17.
    """

    def bar(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - bar((i + 1) / LEVELS) / bar(i / LEVELS), 0.999) for i in range(LEVELS)]
    return (1 - torch.tensor(betas, dtype=torch.float64)).cumprod(dim=0).float()
