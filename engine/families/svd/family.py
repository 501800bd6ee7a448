"""Stable Video Diffusion and SV3D: one picture to the frames of a video, or to views around it.

The UNet of Stable Diffusion 2 with layers over frames. The rows of a latent are the frames of one
video. After Blattmann et al. 2023, "Stable Video Diffusion", and Voleti et al. 2024, "SV3D".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.continuous import continuous
from engine.diffusion.parameterization import Parameterization, Prediction
from engine.errors import WeightsError
from engine.families import picture_channels, picture_prompt
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import STABLE_DIFFUSION_RGB, LatentFormat
from engine.families.unet_family import UNetFamily, downscale_of, unet_traits
from engine.nets import unet_keys
from engine.nets.layers import timestep_embedding
from engine.nets.unet import UNetConfig, unet_config
from engine.text.encoder import Encoded
from engine.weights.state_dict import StateDict

HEAD_CHANNELS = 64
LATENT_CHANNELS = 4
LATENT_SCALE = 0.18215
SIGMA_MIN, SIGMA_MAX = 0.002, 700.0
FPS, MOTION, AUGMENTATION = "fps", "motion_bucket_id", "augmentation_level"
ELEVATION, AZIMUTH = "elevation", "azimuth"
"""Keys of a conditioning entry. Angles are in degrees, one for all frames or one for each."""
VIDEO, OBJECT, VIEWS = 768, 256, 1280
VECTORS: Mapping[int, tuple[tuple[str, int], ...]] = MappingProxyType(
    {
        VIDEO: ((FPS, 256), (MOTION, 256), (AUGMENTATION, 256)),
        OBJECT: ((AUGMENTATION, 256),),
        VIEWS: ((AUGMENTATION, 256), (ELEVATION, 512), (AZIMUTH, 512)),
    }
)
"""By the width of the network's `y`: SVD, SV3D_u, SV3D_p. The numbers of which it consists, each
with the width of its sinusoid."""
DEFAULTS: Mapping[str, float] = MappingProxyType(
    {FPS: 6.0, MOTION: 127.0, AUGMENTATION: 0.0, ELEVATION: 0.0, AZIMUTH: 0.0}
)
NODES = "SVD_img2vid_Conditioning or SV3D_Conditioning"


@dataclass(frozen=True, slots=True)
class StableVideoConfig:
    """The configuration of one file."""

    unet: UNetConfig
    downscale: int = 8


def combine(encoded: Mapping[str, Encoded]) -> NoReturn:
    """Refuse a prompt."""
    del encoded
    raise picture_prompt.refusal("Stable Video Diffusion", NODES)


class StableVideoDiffusion(UNetFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Video Diffusion"
    examples = (
        "SVD and SVD-XT 1.0 and 1.1, SV3D_u and SV3D_p (huggingface.co/stabilityai), picture to "
        "video"
    )
    text = TextPlan({}, combine)
    widest_tensors = 75
    """As for Stable Diffusion 1, for every frame; layers over frames need little more."""

    def detect(self, weights: StateDict) -> StableVideoConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        denoiser = unet_keys.tensors(weights)
        if denoiser is None or not unet_traits(denoiser).is_temporal:
            return None
        config = unet_config(denoiser.shapes, head_channels=HEAD_CHANNELS)
        if config.vector_channels not in VECTORS or config.in_channels != picture_channels.EDITING:
            raise WeightsError(
                f"its network takes {config.in_channels} channels and {config.vector_channels} "
                f"numbers beside them, expected {picture_channels.EDITING} and one of "
                f"{sorted(VECTORS)}"
            )
        return StableVideoConfig(config, downscale_of(weights, 8))

    def latent(self, config: StableVideoConfig) -> LatentFormat:
        """Four channels; an eighth of the frame's side. Rows are frames."""
        return LatentFormat(
            channels=LATENT_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=LATENT_SCALE,
            rgb_factors=STABLE_DIFFUSION_RGB,
            tiny="taesd",
            rows_are_frames=True,
        )

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """None: it takes no text."""
        del weights, name

    def parameterization(self, config: StableVideoConfig) -> Parameterization:
        """EDM's time with v, up to noise in which nothing of a picture is left."""
        del config
        return continuous(Prediction.V, sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, sigma_data=1.0)

    def inputs(
        self, config: StableVideoConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The encoded picture, its latent as `concat`, `vector` of numbers, `frame` by number.

        No latent: zeros.

        Raises `NodeError` if the conditioning is for another model or another number of frames.
        """
        del role
        frames = run.shape[0]
        check_tokens(
            entry,
            config.unet.context_channels,
            advice=f"Encode a picture with the CLIP vision of the checkpoint, by {NODES}.",
        )
        picture_prompt.check_rows("encoded pictures", entry.embedding, frames)
        latent = self.latent(config)
        picture = picture_channels.picture_channels(config.unet.in_channels, entry, run, latent)
        picture_prompt.check_rows("pictures", picture["concat"].value, frames)
        return {
            "context": Input(entry.embedding, Join.REPEAT),
            "vector": Input(_vector(config, entry, frames)),
            "frame": Input(torch.arange(frames)[None], Join.WHOLE, frame_axis=1),
            **picture,
        }


def _vector(config: StableVideoConfig, entry: Entry, frames: int) -> Tensor:
    """[1 or frames, V]: sinusoids of the numbers that the network takes."""
    parts: list[Tensor] = []
    for key, width in VECTORS[config.unet.vector_channels or 0]:
        values = torch.tensor(picture_prompt.number(entry.extras, key, DEFAULTS[key]))
        picture_prompt.check_rows(key, values, frames)
        if key == FPS:
            values = values - 1
        elif key == ELEVATION:
            values = torch.deg2rad((90.0 - values).fmod(360.0))
        elif key == AZIMUTH:
            values = torch.deg2rad(values.fmod(360.0))
        parts.append(timestep_embedding(values, width))
    rows = max(len(part) for part in parts)
    return torch.cat([part.expand(rows, -1) for part in parts], dim=1)
