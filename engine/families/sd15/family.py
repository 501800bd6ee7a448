"""Stable Diffusion 1: the original single-file checkpoints and others of the same architecture.

Sizes come from tensor shapes, so that pruned, tiny and our own models load as well. After Rombach
et al. 2022 and the released weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, Prediction, discrete
from engine.errors import WeightsError
from engine.families import declared, picture_channels
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import STABLE_DIFFUSION_RGB, LatentFormat
from engine.families.unet_family import UNetFamily, downscale_of, unet_traits
from engine.nets import unet_keys
from engine.nets.unet import UNetConfig, unet_config
from engine.nets.unet_blocks import TransformerConfig
from engine.text import clip_keys
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

HEADS = 8
HEADS_METADATA = "calotype.attention_heads"
RGB_METADATA = "calotype.latent_rgb_factors"
LATENT_CHANNELS = 4
LATENT_SCALE = 0.18215
CONTEXT_CHANNELS = 768
"""Width of CLIP L, which identifies SD1 if the file holds no text encoder."""
TEXT_PREFIXES = (
    "cond_stage_model.transformer.",
    "text_encoder.",
    "text_encoders.clip_l.transformer.",
)
V_PREDICTION_MARKS = ("v_pred", "model.diffusion_model.v_pred")
ZERO_SNR_MARKS = ("ztsnr", "model.diffusion_model.ztsnr")
RGB_FACTORS = STABLE_DIFFUSION_RGB
"""Files may have better ones in their metadata."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class StableDiffusion1Config:
    """The configuration of one file."""

    unet: UNetConfig
    downscale: int = 8
    prediction: Prediction = Prediction.EPS
    zero_terminal_snr: bool = False
    rgb_factors: tuple[Rgb, ...] = RGB_FACTORS
    rgb_bias: Rgb = (0.0, 0.0, 0.0)


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of CLIP L; pooled is its last layer at the end token, not projected."""
    found = encoded.get("clip_l")
    if found is None:
        raise WeightsError("Stable Diffusion 1 needs the text encoder CLIP L, which is missing")
    return found.states, {"pooled_output": found.pooled}


class StableDiffusion1(UNetFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Diffusion 1"
    examples = (
        "Stable Diffusion 1.4 and 1.5 (huggingface.co/stable-diffusion-v1-5) and models trained "
        "from them, including LCM and Hyper (civitai.com); inpainting models and InstructPix2Pix"
    )
    text = TextPlan(
        {"clip_l": TextStyle()},
        combine,
        file_types=frozenset({"stable_diffusion"}),
        places={"clip_l": "cond_stage_model.transformer.text_model."},
    )

    def detect(self, weights: StateDict) -> StableDiffusion1Config | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        denoiser = unet_keys.tensors(weights)
        width = declared.text_width(weights, self.name, CONTEXT_CHANNELS)
        if denoiser is None or not _is_ours(denoiser, self.encoder(weights, "clip_l"), width):
            return None
        factors, bias = _rgb(weights)
        return StableDiffusion1Config(
            unet=unet_config(denoiser.shapes, heads=_heads(weights)),
            downscale=downscale_of(weights, 8),
            prediction=(
                Prediction.V
                if any(mark in weights for mark in V_PREDICTION_MARKS)
                else Prediction.EPS
            ),
            zero_terminal_snr=any(mark in weights for mark in ZERO_SNR_MARKS),
            rgb_factors=factors,
            rgb_bias=bias,
        )

    def latent(self, config: StableDiffusion1Config) -> LatentFormat:
        """Four channels; an eighth of the picture's side, unless the autoencoder differs."""
        return LatentFormat(
            channels=LATENT_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=LATENT_SCALE,
            rgb_factors=config.rgb_factors,
            rgb_bias=config.rgb_bias,
            # A file with factors of its own has an autoencoder of its own.
            tiny="taesd" if config.rgb_factors == RGB_FACTORS else None,
        )

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP L within a checkpoint."""
        return clip_keys.within(weights, TEXT_PREFIXES) if name == "clip_l" else None

    def metadata(self, config: StableDiffusion1Config) -> Mapping[str, str]:
        """Heads and preview factors, if they differ from those of the released model."""
        found: dict[str, str] = {}
        if (heads := _heads_of(config.unet)) not in (None, HEADS):
            found[HEADS_METADATA] = str(heads)
        if config.rgb_factors != RGB_FACTORS:
            preview = {"factors": config.rgb_factors, "bias": config.rgb_bias}
            found[RGB_METADATA] = json.dumps(preview)
        return found

    def parameterization(self, config: StableDiffusion1Config) -> Parameterization:
        """1,000 levels, eps; v if the file is marked for it."""
        return discrete(config.prediction, zero_terminal_snr=config.zero_terminal_snr)

    def inputs(
        self,
        config: StableDiffusion1Config,
        entry: Entry,
        *,
        run: Run,
        role: Role,
    ) -> Mapping[str, Input]:
        """The text; `concat` for a model with more input channels.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        check_tokens(
            entry,
            config.unet.context_channels,
            advice="Take CLIP from the model's own checkpoint, or from Load CLIP with type "
            "stable_diffusion.",
        )
        picture = picture_channels.picture_channels(
            config.unet.in_channels, entry, run, self.latent(config)
        )
        return {"context": Input(entry.embedding, Join.REPEAT), **picture}


def _is_ours(denoiser: StateDict, text: StateDict | None, alone: int) -> bool:
    """Whether a UNet is SD1's, not one of SD2, SDXL or SVD, which have the same blocks.

    `alone` is the width of the text where the file holds no text encoder.
    """
    traits = unet_traits(denoiser)
    if traits.has_labels or traits.is_temporal or traits.projects_linearly is not False:
        return False
    if traits.channels not in picture_channels.INPUTS or traits.context is None:
        return False
    if text is None:
        return traits.context == alone
    tensors = clip_keys.tensors(text)
    width = (tensors.shape(clip_keys.MARK) if tensors else None) or ()
    return len(width) == 2 and width[1] == traits.context


def _heads(weights: StateDict) -> int:
    text = weights.metadata.get(HEADS_METADATA, str(HEADS))
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise WeightsError(f"its metadata {HEADS_METADATA} is {text[:50]!r}, expected a number")
    return int(text)


def _heads_of(config: UNetConfig) -> int | None:
    """Heads of the attention, equal in all blocks of these UNets; None without attention."""
    layers = (layer for block in config.input_blocks for layer in block)
    heads = (layer.heads for layer in layers if isinstance(layer, TransformerConfig))
    return next(heads, None)


def _rgb(weights: StateDict) -> tuple[tuple[Rgb, ...], Rgb]:
    """The preview factors from the metadata: {"factors": 4 rows of 3, "bias": 3 numbers}."""
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
