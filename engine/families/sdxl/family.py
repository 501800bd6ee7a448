"""Stable Diffusion XL and its refiner: the original files and others of the same architecture.

Turbo, Lightning, Hyper, LCM, DMD2, Pony, Illustrious and NoobAI are plain SDXL; SSD-1B, Vega and
other pruned ones differ in sizes, which come from tensor shapes. After Podell et al. 2023, "SDXL:
Improving Latent Diffusion Models for High-Resolution Image Synthesis".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.continuous import Continuous
from engine.diffusion.parameterization import Parameterization, Prediction
from engine.families import declared, picture_channels
from engine.families.family import Entry, Run, check_tokens
from engine.families.latent_format import LatentFormat
from engine.families.sdxl import marks, text
from engine.families.unet_family import UNetFamily, downscale_of, unet_traits
from engine.nets import unet_keys
from engine.nets.unet import UNetConfig, unet_config
from engine.text import clip_keys
from engine.weights.state_dict import StateDict

HEAD_CHANNELS = 64
LATENT_CHANNELS = 4
LATENT_SCALE = 0.13025
CONTEXT_CHANNELS, VECTOR_CHANNELS = 2048, 2816
REFINER_CONTEXT_CHANNELS, REFINER_VECTOR_CHANNELS = 1280, 2560
RGB_FACTORS = (
    (0.471, 0.471, 0.471),
    (-0.471, -0.039, 0.078),
    (0.196, 0.118, -0.039),
    (-0.549, -0.392, -0.275),
)
RGB_BIAS = (0.176, 0.098, 0.020)
"""A linear map of SDXL's latents to RGB, by Timothy Alexis Vass: "Explaining the SDXL latent
space", huggingface.co/blog/TimothyAlexisVass/explaining-the-sdxl-latent-space."""
TEXT_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "clip_l": (
        "conditioner.embedders.0.transformer.",
        "text_encoders.clip_l.transformer.",
        "text_encoder.",
    ),
    "clip_g": (
        "conditioner.embedders.1.model.",
        "conditioner.embedders.1.transformer.",
        "text_encoders.clip_g.transformer.",
        "text_encoder_2.",
    ),
}
REFINER_TEXT_PREFIXES = ("conditioner.embedders.0.model.", *TEXT_PREFIXES["clip_g"])


@dataclass(frozen=True, slots=True)
class StableDiffusionXLConfig:
    """The configuration of one file."""

    unet: UNetConfig
    levels: Parameterization
    downscale: int = 8
    latent_scaling: marks.Scaling | None = None


class _Shared(UNetFamily):
    """The part of the interface shared by base and refiner.

    Their memory: without attention at full size three times what is alive at once is 14 of the
    widest tensors, for which Stable Diffusion 1 has 23.
    """

    widest_tensors = 45

    def latent(self, config: StableDiffusionXLConfig) -> LatentFormat:
        """Four channels; standardised if the file has mean and deviation."""
        plain = LatentFormat(
            channels=LATENT_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=LATENT_SCALE,
            rgb_factors=RGB_FACTORS,
            rgb_bias=RGB_BIAS,
            tiny="taesdxl",
        )
        return plain.standardised(*config.latent_scaling) if config.latent_scaling else plain

    def parameterization(self, config: StableDiffusionXLConfig) -> Parameterization:
        """A thousand levels, eps; another one if the file is marked for it."""
        return config.levels

    def _inputs(
        self, config: StableDiffusionXLConfig, entry: Entry, run: Run, vector: Tensor
    ) -> Mapping[str, Input]:
        text.check_vector(vector, config.unet.vector_channels)
        inputs = {"context": Input(entry.embedding, Join.REPEAT), "vector": Input(vector)}
        # CosXL Edit, which predicts v, takes the picture scaled; others do not.
        levels = config.levels
        scaled = isinstance(levels, Continuous) and levels.prediction is Prediction.V
        return inputs | picture_channels.picture_channels(
            config.unet.in_channels, entry, run, self.latent(config), scaled=scaled
        )


class StableDiffusionXL(_Shared):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Diffusion XL"
    examples = (
        "SDXL 1.0 (huggingface.co/stabilityai/stable-diffusion-xl-base-1.0), Turbo, Lightning, "
        "Hyper, LCM, DMD2; Pony, Illustrious, NoobAI (civitai.com), v-prediction and zero terminal "
        "SNR where the file is marked; Playground 2.5; SSD-1B, Segmind Vega, KOALA; inpainting "
        "models, InstructPix2Pix, CosXL Edit"
    )
    text = text.BASE

    def detect(self, weights: StateDict) -> StableDiffusionXLConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        widths = {name: _text_width(self.encoder(weights, name)) for name in TEXT_PREFIXES}
        expected = (
            declared.text_width(weights, self.name, CONTEXT_CHANNELS),
            declared.vector_width(weights, self.name, VECTOR_CHANNELS),
        )
        if all(widths.values()):
            expected = sum(widths.values()), widths["clip_g"] + 6 * text.SIZE_CHANNELS
        return _detect(weights, *expected)

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP L and CLIP bigG within a checkpoint."""
        return clip_keys.within(weights, TEXT_PREFIXES.get(name, ()))

    def inputs(
        self,
        config: StableDiffusionXLConfig,
        entry: Entry,
        *,
        run: Run,
        role: Role,
    ) -> Mapping[str, Input]:
        """The text, and `vector` of pooled text and sizes; `concat` for more input channels.

        Raises `NodeError` if the conditioning is for another model or incomplete.
        """
        del role
        check_tokens(
            entry,
            config.unet.context_channels,
            advice="Take CLIP from an SDXL checkpoint, or from DualCLIPLoader with type sdxl.",
        )
        return self._inputs(config, entry, run, text.base_vector(entry, run.shape))


class StableDiffusionXLRefiner(_Shared):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Diffusion XL Refiner"
    examples = "the refiner 1.0 (huggingface.co/stabilityai/stable-diffusion-xl-refiner-1.0)"
    text = text.REFINER

    def detect(self, weights: StateDict) -> StableDiffusionXLConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        expected = (
            declared.text_width(weights, self.name, REFINER_CONTEXT_CHANNELS),
            declared.vector_width(weights, self.name, REFINER_VECTOR_CHANNELS),
        )
        if width := _text_width(self.encoder(weights, "clip_g")):
            expected = width, width + 5 * text.SIZE_CHANNELS
        return _detect(weights, *expected)

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP bigG within a checkpoint."""
        return clip_keys.within(weights, REFINER_TEXT_PREFIXES) if name == "clip_g" else None

    def inputs(
        self,
        config: StableDiffusionXLConfig,
        entry: Entry,
        *,
        run: Run,
        role: Role,
    ) -> Mapping[str, Input]:
        """The text, and `vector` of pooled text, sizes and a score.

        Raises `NodeError` if the conditioning is for another model or incomplete.
        """
        check_tokens(
            entry,
            config.unet.context_channels,
            advice="Encode the prompt with the CLIP of the refiner's checkpoint.",
        )
        return self._inputs(config, entry, run, text.refiner_vector(entry, run.shape, role))


def _detect(weights: StateDict, context: int, vector: int) -> StableDiffusionXLConfig | None:
    """The configuration of a UNet that takes a text and a vector of these widths."""
    denoiser = unet_keys.tensors(weights)
    if denoiser is None:
        return None
    traits = unet_traits(denoiser)
    if (
        traits.is_temporal
        or traits.channels not in picture_channels.INPUTS
        or (traits.context, traits.vector) != (context, vector)
    ):
        return None
    return StableDiffusionXLConfig(
        unet=unet_config(denoiser.shapes, head_channels=HEAD_CHANNELS),
        levels=marks.parameterization(weights),
        downscale=downscale_of(weights, 8),
        latent_scaling=marks.latent_scaling(weights),
    )


def _text_width(encoder: StateDict | None) -> int:
    """Width of a text encoder's tokens; 0 without one."""
    tensors = clip_keys.tensors(encoder) if encoder else None
    shape = tensors.shape(clip_keys.MARK) if tensors else None
    return shape[1] if shape and len(shape) == 2 else 0
