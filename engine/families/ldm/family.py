"""The latent diffusion models of 2022, before Stable Diffusion: by class and by text.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", in the layout
of the authors' checkpoints. Their UNet is Stable Diffusion 1's in other sizes, which come from
tensor shapes; they differ in what they attend to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, discrete
from engine.errors import WeightsError
from engine.families import declared
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import STABLE_DIFFUSION_RGB, LatentFormat
from engine.families.unet_family import UNetFamily, downscale_of, unet_traits
from engine.nets import unet_keys
from engine.nets.unet import UNetConfig, unet_config
from engine.text import bert, class_labels
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIX = "cond_stage_model."
TEXT_HEADS, CLASS_HEADS = 8, 1
TEXT_CONTEXT, CLASS_CONTEXT = 1280, 512
TEXT_CHANNELS, CLASS_CHANNELS = 4, 3
"""Of a latent. With the context they identify a UNet without its text encoder or classes."""
TEXT_SCALE, CLASS_SCALE = 0.18215, 1.0
FIRST_BETA, LAST_BETA = 0.0015, 0.0195
"""Of the noise levels of the class-conditional model (its file `config.yaml`); the model of text
has those of Stable Diffusion."""


@dataclass(frozen=True, slots=True)
class LatentDiffusionConfig:
    """The configuration of one file.

    Attributes:
        unet: its sizes.
        downscale: pixels per latent cell along one side.
    """

    unet: UNetConfig
    downscale: int


def _states(name: str, title: str, encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    found = encoded.get(name)
    if found is None:
        raise WeightsError(f"this latent diffusion model needs {title}, which the file lacks")
    return found.states, {}


class _Shared(UNetFamily):
    """The part of the interface that both families share."""

    advice: str

    def inputs(
        self, config: LatentDiffusionConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text or class. Raises `NodeError` if the conditioning is for another model."""
        del run, role
        check_tokens(entry, config.unet.context_channels, advice=self.advice)
        return {"context": Input(entry.embedding, Join.REPEAT)}


class LatentDiffusionOfText(_Shared):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Latent Diffusion 2022, text to image"
    examples = (
        "text2img-large (github.com/CompVis/latent-diffusion), and textual inversions made for it"
    )
    advice = "Take CLIP from the model's own checkpoint."
    text = TextPlan(
        {"bert": TextStyle()},
        lambda encoded: _states("bert", "its text encoder", encoded),
        file_types=frozenset({"stable_diffusion"}),
        places={"bert": f"{PREFIX}transformer."},
    )

    def detect(self, weights: StateDict) -> LatentDiffusionConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        found = self.encoder(weights, "bert")
        context = declared.text_width(weights, self.name, TEXT_CONTEXT)
        if found is not None:
            context = bert.BERT.config(found).channels
        return _detect(weights, context, TEXT_CHANNELS, TEXT_HEADS, downscale=8)

    def latent(self, config: LatentDiffusionConfig) -> LatentFormat:
        """Four channels, of the autoencoder that Stable Diffusion's was trained from."""
        return LatentFormat(
            channels=TEXT_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=TEXT_SCALE,
            rgb_factors=STABLE_DIFFUSION_RGB,
            tiny="taesd",
        )

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """The text encoder within a checkpoint."""
        return bert.find_tensors(weights.part(PREFIX)) if name == "bert" else None

    def parameterization(self, config: LatentDiffusionConfig) -> Parameterization:
        """1,000 levels, eps."""
        del config
        return discrete()


class LatentDiffusionOfClasses(_Shared):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Latent Diffusion 2022, class to image"
    examples = (
        "cin256-v2, of ImageNet's classes (github.com/CompVis/latent-diffusion): an empty latent "
        "of 512 pixels is a picture of 256"
    )
    advice = "Take CLIP from the model's own checkpoint; its prompt is the number of a class."
    text = TextPlan(
        {"classes": TextStyle()},
        lambda encoded: _states("classes", "its table of classes", encoded),
        file_types=frozenset({"stable_diffusion"}),
        places={"classes": PREFIX},
    )

    def detect(self, weights: StateDict) -> LatentDiffusionConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        found = self.encoder(weights, "classes")
        context = declared.text_width(weights, self.name, CLASS_CONTEXT)
        if found is not None:
            context = class_labels.CLASS_LABELS.config(found).channels
        return _detect(weights, context, CLASS_CHANNELS, CLASS_HEADS, downscale=4)

    def latent(self, config: LatentDiffusionConfig) -> LatentFormat:
        """Three channels; a quarter of the picture's side, unless the autoencoder differs."""
        return LatentFormat(
            channels=CLASS_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=CLASS_SCALE,
        )

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """The table of classes within a checkpoint."""
        found = weights.part(PREFIX) if name == "classes" else StateDict({})
        return found.refuse_empty() if class_labels.MARK in found else None

    def parameterization(self, config: LatentDiffusionConfig) -> Parameterization:
        """1,000 levels, eps."""
        del config
        return discrete(first_beta=FIRST_BETA, last_beta=LAST_BETA)


def _detect(
    weights: StateDict, context: int, channels: int, heads: int, *, downscale: int
) -> LatentDiffusionConfig | None:
    """The configuration of a UNet of latents with so many channels, which attends to that width."""
    denoiser = unet_keys.tensors(weights)
    if denoiser is None:
        return None
    traits = unet_traits(denoiser)
    if (
        traits.has_labels
        or traits.is_temporal
        or traits.projects_linearly is not False
        or traits.channels != channels
        or traits.context != context
    ):
        return None
    return LatentDiffusionConfig(
        unet_config(denoiser.shapes, heads=heads),
        downscale_of(weights, downscale),
    )
