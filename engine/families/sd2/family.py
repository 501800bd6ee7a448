"""Stable Diffusion 2: the original single-file checkpoints and others of the same architecture.

The UNet of Stable Diffusion 1 with linear projections, heads of 64 channels and OpenCLIP's text
encoder. Sizes come from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, Prediction, discrete
from engine.families import open_clip_text, picture_channels
from engine.families.family import Entry, Run, check_tokens
from engine.families.latent_format import STABLE_DIFFUSION_RGB, LatentFormat
from engine.families.unet_family import UNetFamily, downscale_of, unet_traits
from engine.nets import unet_keys
from engine.nets.unet import UNetConfig, unet_config
from engine.weights.state_dict import StateDict

HEAD_CHANNELS = 64
LATENT_CHANNELS = 4
LATENT_SCALE = 0.18215
V_PREDICTION_MARKS = ("v_pred", "model.diffusion_model.v_pred")
ZERO_SNR_MARKS = ("ztsnr", "model.diffusion_model.ztsnr")
NORM_BIAS = "output_blocks.11.1.transformer_blocks.0.norm1.bias"
V_DEVIATION = 0.09
"""Files do not say what they predict. The biases of this norm deviate more than this in the
released models that predict v, and less in those that predict noise."""


@dataclass(frozen=True, slots=True)
class StableDiffusion2Config:
    """The configuration of one file."""

    unet: UNetConfig
    downscale: int = 8
    prediction: Prediction = Prediction.EPS
    zero_terminal_snr: bool = False


class StableDiffusion2(UNetFamily):
    """See `engine.families.family.ModelFamily`, which this implements.

    Any dtype serves: the products of its queries and keys exceed fp16's range, but torch's fused
    attention sums and normalises them in float32.
    """

    name = "Stable Diffusion 2"
    examples = (
        "Stable Diffusion 2.0 and 2.1 at 512 and 768 pixels (huggingface.co/stabilityai), "
        "inpainting, SD-Turbo, and models trained from them"
    )
    text = open_clip_text.TEXT

    def detect(self, weights: StateDict) -> StableDiffusion2Config | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        denoiser = unet_keys.tensors(weights)
        width = open_clip_text.width(weights, self.name)
        if denoiser is None or not _is_ours(denoiser, width):
            return None
        return StableDiffusion2Config(
            unet=unet_config(denoiser.shapes, head_channels=HEAD_CHANNELS),
            downscale=downscale_of(weights, 8),
            prediction=prediction(weights, denoiser),
            zero_terminal_snr=any(mark in weights for mark in ZERO_SNR_MARKS),
        )

    def latent(self, config: StableDiffusion2Config) -> LatentFormat:
        """Four channels; an eighth of the picture's side, unless the autoencoder differs."""
        return LatentFormat(
            channels=LATENT_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=LATENT_SCALE,
            rgb_factors=STABLE_DIFFUSION_RGB,
            tiny="taesd",
        )

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP H within a checkpoint."""
        return open_clip_text.within(weights, name)

    def parameterization(self, config: StableDiffusion2Config) -> Parameterization:
        """1,000 levels, eps or v."""
        return discrete(config.prediction, zero_terminal_snr=config.zero_terminal_snr)

    def inputs(
        self, config: StableDiffusion2Config, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text; `concat` for a model with more input channels.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        check_tokens(
            entry,
            config.unet.context_channels,
            advice="Take CLIP from an SD2 checkpoint, or load CLIP H with Load CLIP, type "
            "stable_diffusion.",
        )
        picture = picture_channels.picture_channels(
            config.unet.in_channels, entry, run, self.latent(config)
        )
        return {"context": Input(entry.embedding, Join.REPEAT), **picture}


def _is_ours(denoiser: StateDict, context: int) -> bool:
    """Whether a UNet is SD2's, not one of SD1, SDXL, SVD, unCLIP or the x4 upscaler."""
    traits = unet_traits(denoiser)
    return (
        not traits.has_labels
        and not traits.is_temporal
        and traits.projects_linearly is True
        and traits.channels in picture_channels.INPUTS
        and traits.context == context
    )


def prediction(weights: StateDict, denoiser: StateDict) -> Prediction:
    """V if the file is marked for it, or if it is a plain model whose norm has large biases."""
    if any(mark in weights for mark in V_PREDICTION_MARKS):
        return Prediction.V
    _, channels, *_ = denoiser.shape(unet_keys.MARK) or (0, 0)
    if NORM_BIAS not in denoiser or channels != picture_channels.PLAIN:
        return Prediction.EPS
    deviation = float(denoiser[NORM_BIAS].float().std(correction=0))
    return Prediction.V if deviation > V_DEVIATION else Prediction.EPS
