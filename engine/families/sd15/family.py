"""Stable Diffusion 1: the original single-file checkpoints and everything of their build.

Sizes come from tensor shapes, so that pruned, tiny and our own models load as well. After Rombach
et al. 2022 and the released weights. Knows no file format and no sampler.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from engine.diffusion.parameterization import Parameterization, Prediction, discrete
from engine.errors import NodeError, WeightsError
from engine.families.family import Checkpoint, LatentFormat, Part
from engine.families.sd15 import keys
from engine.nets.autoencoder_kl import AutoencoderConfig, AutoencoderKL, autoencoder_config
from engine.nets.text_encoders import (
    ClipTextConfig,
    build_clip_text,
    clip_text_config,
    encode_prompt,
)
from engine.nets.unet import UNet, UNetConfig, unet_config
from engine.weights.state_dict import StateDict

HEADS = 8
HEADS_METADATA = "calotype.attention_heads"
RGB_METADATA = "calotype.latent_rgb_factors"
LATENT_CHANNELS = 4
LATENT_SCALE = 0.18215
CONTEXT_CHANNELS = 768
"""Width of CLIP L: what tells SD1 apart where the file holds no text encoder."""
INPUTS: Mapping[int, str] = {
    4: "a text-to-image model",
    8: "a model that edits a picture by instruction (InstructPix2Pix)",
    9: "an inpainting model",
}
RGB_FACTORS = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)
"""A linear view of SD1.4's latents, measured by keturn: "Decoding latents to RGB without
upscaling", discuss.huggingface.co, thread 23204. Files may bring a better one in their metadata."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class StableDiffusion1Config:
    """What one file holds; None for a part it does not have."""

    unet: UNetConfig | None
    autoencoder: AutoencoderConfig | None
    text: ClipTextConfig | None
    prediction: Prediction = Prediction.EPS
    zero_terminal_snr: bool = False
    rgb_factors: tuple[Rgb, ...] = RGB_FACTORS
    rgb_bias: Rgb = (0.0, 0.0, 0.0)


class StableDiffusion1:
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Diffusion 1"

    def detect(self, weights: StateDict) -> StableDiffusion1Config | None:
        """The configuration read off tensor shapes, or None: a polite no."""
        denoiser = keys.denoiser(weights)
        if denoiser is None or not _is_ours(denoiser, keys.text_encoder(weights)):
            return None
        factors, bias = _rgb(weights)
        return StableDiffusion1Config(
            unet=unet_config(denoiser.shapes, heads=_heads(weights)),
            autoencoder=_autoencoder(weights),
            text=_text(weights),
            prediction=(
                Prediction.V
                if any(mark in weights for mark in keys.V_PREDICTION_MARKS)
                else Prediction.EPS
            ),
            zero_terminal_snr=any(mark in weights for mark in keys.ZERO_SNR_MARKS),
            rgb_factors=factors,
            rgb_bias=bias,
        )

    def detect_autoencoder(self, weights: StateDict) -> StableDiffusion1Config | None:
        """The same for a file that holds an autoencoder of this build and maybe nothing else."""
        found = _autoencoder(weights)
        if found is None or found.latent_channels != LATENT_CHANNELS:
            return None
        factors, bias = _rgb(weights)
        return StableDiffusion1Config(None, found, None, rgb_factors=factors, rgb_bias=bias)

    def latent(self, config: StableDiffusion1Config) -> LatentFormat:
        """Four channels; an eighth of the picture's side, unless the autoencoder says otherwise."""
        return LatentFormat(
            channels=LATENT_CHANNELS,
            downscale=config.autoencoder.downscale if config.autoencoder else 8,
            scale=LATENT_SCALE,
            rgb_factors=config.rgb_factors,
            rgb_bias=config.rgb_bias,
        )

    def build(self, config: StableDiffusion1Config, part: Part) -> nn.Module:
        """That part's module on the meta device."""
        with torch.device("meta"):
            if part is Part.DENOISER and config.unet:
                return UNet(config.unet)
            if part is Part.AUTOENCODER and config.autoencoder:
                return AutoencoderKL(config.autoencoder)
            if part is Part.TEXT_ENCODER and config.text:
                return build_clip_text(config.text)
        raise WeightsError(f"{self.name}: the file holds no {part.value.replace('_', ' ')}")

    def part_weights(
        self, config: StableDiffusion1Config, weights: StateDict, part: Part
    ) -> StateDict | None:
        """The tensors of that part under the module's names; None if the file has none."""
        has, find = {
            Part.DENOISER: (config.unet, keys.denoiser),
            Part.AUTOENCODER: (config.autoencoder, keys.autoencoder),
            Part.TEXT_ENCODER: (config.text, keys.text_encoder),
        }[part]
        return find(weights) if has else None

    def parameterization(self, config: StableDiffusion1Config) -> Parameterization:
        """1,000 levels, eps; v where the file carries the mark for it."""
        return discrete(config.prediction, zero_terminal_snr=config.zero_terminal_snr)

    def encode(
        self,
        config: StableDiffusion1Config,
        encoder: nn.Module,
        prompt: str,
        *,
        layer: int | None,
        embeddings: Callable[[str], Tensor | None],
        checkpoint: Checkpoint | None = None,
    ) -> tuple[Tensor, dict[str, Any]]:
        """CLIP's last layer, or the one that clip skip names, through the final norm."""
        del config
        return encode_prompt(
            encoder, prompt, layer=layer, embeddings=embeddings, checkpoint=checkpoint
        )

    def inputs(
        self, config: StableDiffusion1Config, embedding: Tensor, extras: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The text; and for a model that takes more than a latent, `concat` [1, 4 or 5, h, w].

        Raises `NodeError` if that model's conditioning brings no such thing.
        """
        inputs = {"context": embedding}
        channels = config.unet.in_channels if config.unet else LATENT_CHANNELS
        if channels == LATENT_CHANNELS:
            return inputs
        given = extras.get("concat")
        if not isinstance(given, Tensor) or given.shape[1] != channels - LATENT_CHANNELS:
            found = f"{given.shape[1]} channels" if isinstance(given, Tensor) else "none"
            raise NodeError(
                f"the checkpoint is {INPUTS[channels]}: beside the noisy latent it takes "
                f"{channels - LATENT_CHANNELS} more channels with its conditioning, found {found}. "
                "Use a text-to-image checkpoint (with a latent noise mask to inpaint) instead."
            )
        return {**inputs, "concat": given}

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the UNet. x and inputs are in the dtype the net computes in."""
        if "concat" in inputs:
            x = torch.cat((x, inputs["concat"]), dim=1)
        return net(x, timestep, inputs["context"], checkpoint=checkpoint)

    def activation_bytes(
        self, config: StableDiffusion1Config, part: Part, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Memory one call needs beside the weights; `shape` is the latent's [B, 4, h, w].

        So many times the widest tensor at full size; in bf16 on a CPU, the UNet was measured at
        45 (512 px) to 57 (256 px) times it, the autoencoder at 3 to 5.
        """
        cells = shape[0] * prod(shape[2:])
        if part is Part.DENOISER and config.unet:
            return 70 * cells * config.unet.model_channels * dtype_bytes
        if part is Part.AUTOENCODER and config.autoencoder:
            first = config.autoencoder.decoder[0]
            pixels = cells * config.autoencoder.downscale**2
            return 6 * pixels * max(first.channels_in, first.channels_out) * dtype_bytes
        return 64 * 2**20


def _is_ours(denoiser: StateDict, text: StateDict | None) -> bool:
    """Tell SD1's UNet from those of SD2, SDXL and SVD, which are made of the same blocks."""
    if any(name.startswith("label_emb.") or ".time_stack." in name for name in denoiser):
        return False
    entry = denoiser.shape(keys.DENOISER_MARK)
    if entry is None or len(entry) != 4 or entry[1] not in INPUTS:
        return False
    attended = (name for name in denoiser if name.endswith(".attn2.to_k.weight"))
    first = denoiser.shape(next(attended, "")) or ()
    if len(first) != 2:
        return False
    if text is None:
        return first[1] == CONTEXT_CHANNELS
    width = text.shape(keys.TEXT_MARK) or ()
    return len(width) == 2 and width[1] == first[1]


def _autoencoder(weights: StateDict) -> AutoencoderConfig | None:
    found = keys.autoencoder(weights)
    return autoencoder_config(found.shapes) if found else None


def _text(weights: StateDict) -> ClipTextConfig | None:
    found = keys.text_encoder(weights)
    return clip_text_config(found.shapes) if found else None


def _heads(weights: StateDict) -> int:
    text = weights.metadata.get(HEADS_METADATA, str(HEADS))
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise WeightsError(f"its metadata {HEADS_METADATA} is {text[:50]!r}, expected a number")
    return int(text)


def _rgb(weights: StateDict) -> tuple[tuple[Rgb, ...], Rgb]:
    """The preview's factors out of the metadata: {"factors": 4 rows of 3, "bias": 3 numbers}."""
    text = weights.metadata.get(RGB_METADATA)
    if text is None:
        return RGB_FACTORS, (0.0, 0.0, 0.0)
    try:
        document = json.loads(text)
        rows = tuple(_colour(row) for row in document["factors"])
        bias = _colour(document["bias"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(f"its metadata {RGB_METADATA} cannot be read: {error!r}") from error
    if len(rows) != LATENT_CHANNELS:
        raise WeightsError(f"its metadata {RGB_METADATA} has {len(rows)} rows, expected 4")
    return rows, bias


def _colour(numbers: Sequence[float]) -> Rgb:
    red, green, blue = (float(number) for number in numbers)
    return red, green, blue
