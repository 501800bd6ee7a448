"""The x4 upscaler of Stable Diffusion 2: enlarges a picture four times, guided by a text.

Its latents have the size of the small picture, which is three more channels of its input, noised
to a level that the network is given (Ho et al. 2021, "Cascaded Diffusion Models").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.noise import initial_noise
from engine.diffusion.parameterization import Parameterization, Prediction, discrete
from engine.errors import NodeError
from engine.families import open_clip_text, picture_channels
from engine.families.family import Entry, Run, check_tokens
from engine.families.latent_format import LatentFormat
from engine.families.unet_family import UNetFamily, downscale_of, unet_traits
from engine.nets import unet_keys
from engine.nets.unet import CLASSES, UNetConfig, unet_config
from engine.weights.state_dict import StateDict

HEADS = 8
LATENT_CHANNELS, PICTURE_CHANNELS = 4, 3
LATENT_SCALE = 0.08333
FIRST_BETA, LAST_BETA = 1e-4, 0.02
"""Of the noise on the latent, and of that on the picture."""
MOST_AUGMENTATION = 350
"""The highest level of noise on the picture."""
SEED_OFFSET = -10
"""From the run's seed to that of the noise on the picture, so that the two differ."""
PICTURE, AUGMENTATION = "concat_image", "noise_augmentation"
"""The keys of a conditioning entry: a picture [B, 3, h, w] in -1..1; a share of the levels."""


@dataclass(frozen=True, slots=True)
class UpscalerConfig:
    """The configuration of one file."""

    unet: UNetConfig
    downscale: int = 4


class StableDiffusionUpscaler(UNetFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Diffusion x4 Upscaler"
    examples = "the x4 upscaler (huggingface.co/stabilityai/stable-diffusion-x4-upscaler)"
    text = open_clip_text.TEXT
    widest_tensors = 45
    """As for SDXL, which has no attention at full size either."""

    def detect(self, weights: StateDict) -> UpscalerConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        denoiser = unet_keys.tensors(weights)
        if denoiser is None or len(denoiser.shape(CLASSES) or ()) != 2:
            return None
        traits = unet_traits(denoiser)
        if (
            traits.channels != LATENT_CHANNELS + PICTURE_CHANNELS
            or traits.context != open_clip_text.width(weights, self.name)
        ):
            return None
        return UpscalerConfig(
            unet=unet_config(denoiser.shapes, heads=HEADS),
            downscale=downscale_of(weights, 4),
        )

    def latent(self, config: UpscalerConfig) -> LatentFormat:
        """Four channels; a quarter of the enlarged picture's side."""
        return LatentFormat(
            channels=LATENT_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=LATENT_SCALE,
        )

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP H within a checkpoint."""
        return open_clip_text.within(weights, name)

    def parameterization(self, config: UpscalerConfig) -> Parameterization:
        """1,000 levels, v."""
        del config
        return discrete(Prediction.V, first_beta=FIRST_BETA, last_beta=LAST_BETA)

    def inputs(
        self, config: UpscalerConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, the small picture as `concat`, its noise level as `vector`. No picture: zeros.

        Raises `NodeError` if the conditioning is for another model, or its picture is no picture.
        """
        del role
        check_tokens(
            entry,
            config.unet.context_channels,
            advice="Take CLIP from an SD2 checkpoint or from the upscaler's own.",
        )
        picture, level = _noised(config, entry, run)
        return {
            "context": Input(entry.embedding, Join.REPEAT),
            "concat": Input(picture, Join.CROP_TO_AREA),
            "vector": Input(torch.tensor([level])),
        }


def _noised(config: UpscalerConfig, entry: Entry, run: Run) -> tuple[Tensor, int]:
    """The picture [B, 3, h, w] at the size of x, and the level of the noise on it."""
    given = entry.extras.get(PICTURE)
    if given is None:
        return torch.zeros(1, PICTURE_CHANNELS, *run.shape[2:]), 0
    if not isinstance(given, Tensor) or given.ndim != 4 or given.shape[1] != PICTURE_CHANNELS:
        found = list(given.shape) if isinstance(given, Tensor) else type(given).__name__
        raise NodeError(
            f"{PICTURE} of the conditioning should be a picture of the shape [B, 3, h, w], found "
            f"{found}; make it with SD_4XUpscale_Conditioning"
        )
    picture = picture_channels.sized(given.float().cpu(), run)
    share = float(entry.extras.get(AUGMENTATION) or 0.0)
    level = round(MOST_AUGMENTATION * share)
    most = min(MOST_AUGMENTATION, (config.unet.classes or 1) - 1)
    if not 0 <= level <= most:
        raise NodeError(f"{AUGMENTATION} is {share:g}, the model takes 0 to 1")
    if not share:
        return picture, level
    sigma = discrete(first_beta=FIRST_BETA, last_beta=LAST_BETA).sigmas[level]
    noise = initial_noise(picture.shape, run.seed + SEED_OFFSET)
    return (picture + sigma * noise) / (1 + sigma * sigma).sqrt(), level
