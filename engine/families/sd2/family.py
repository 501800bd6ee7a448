"""Stable Diffusion 2: the original single-file checkpoints and others of the same architecture.

The UNet of Stable Diffusion 1 with linear projections, heads of 64 channels and OpenCLIP's text
encoder. Sizes come from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, Prediction, discrete
from engine.families import autoencoders, open_clip_text, picture_channels
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.latent_format import STABLE_DIFFUSION_RGB, LatentFormat
from engine.nets import unet_keys
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.unet import UNet, UNetConfig, unet_config
from engine.nets.unet_names import unet_names
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


class StableDiffusion2:
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
        autoencoder = self.autoencoder(weights)
        return StableDiffusion2Config(
            unet=unet_config(denoiser.shapes, head_channels=HEAD_CHANNELS),
            downscale=autoencoders.downscale(autoencoder) if autoencoder else 8,
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

    def build(self, config: StableDiffusion2Config) -> nn.Module:
        """The UNet on the meta device."""
        with torch.device("meta"):
            return UNet(config.unet)

    def denoiser(self, config: StableDiffusion2Config, weights: StateDict) -> StateDict:
        """The UNet's tensors."""
        del config
        return unet_keys.denoiser(weights)

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP H within a checkpoint."""
        return open_clip_text.within(weights, name)

    def autoencoder(self, weights: StateDict) -> StateDict | None:
        """The autoencoder within a checkpoint."""
        return autoencoders.within(weights)

    def metadata(self, config: StableDiffusion2Config) -> Mapping[str, str]:
        """Nothing: tensors and marks are sufficient."""
        del config
        return {}

    def parameterization(self, config: StableDiffusion2Config) -> Parameterization:
        """1,000 levels, eps or v."""
        return discrete(config.prediction, zero_terminal_snr=config.zero_terminal_snr)

    def dtypes(self, config: StableDiffusion2Config) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

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

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the UNet. x and inputs are in the dtype the net computes in."""
        x = picture_channels.with_picture(x, inputs)
        return net(
            x, timestep, inputs["context"], control=control, hooks=hooks, checkpoint=checkpoint
        )

    def lora_names(self, config: StableDiffusion2Config) -> Mapping[str, str]:
        """See `engine.nets.unet_names`."""
        return unet_names(config.unet)

    def activation_bytes(
        self, config: StableDiffusion2Config, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """As for Stable Diffusion 1, which has the same layers and sizes."""
        return 70 * shape[0] * prod(shape[2:]) * config.unet.model_channels * dtype_bytes


def _is_ours(denoiser: StateDict, context: int) -> bool:
    """Whether a UNet is SD2's, not one of SD1, SDXL, SVD, unCLIP or the x4 upscaler."""
    if any(name.startswith("label_emb.") or ".time_stack." in name for name in denoiser):
        return False
    entry = denoiser.shape(unet_keys.MARK) or ()
    attended = next((name for name in denoiser if name.endswith(".attn2.to_k.weight")), "")
    projected = next((name for name in denoiser if name.endswith(".1.proj_in.weight")), "")
    return (
        len(entry) == 4
        and entry[1] in picture_channels.INPUTS
        and (denoiser.shape(attended) or ())[1:] == (context,)
        and len(denoiser.shape(projected) or ()) == 2
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
