"""Chroma Radiance: Chroma on pixels, without an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization
from engine.errors import WeightsError
from engine.families.chroma.family import ChromaFamily, diffusers_names
from engine.families.chroma.network import ChromaConfig
from engine.families.chroma.radiance import USUAL_TILE, Radiance, RadianceConfig
from engine.families.family import Entry, Run
from engine.families.latent_format import LatentFormat
from engine.families.shapes import count, matrix, vector, width_of_heads
from engine.families.stream_names import xlabs_names
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.nets.transformer_layers import patch_grid
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARKS = ("distilled_guidance_layer.in_proj.weight", "img_in_patch.weight")
CLEAN, HALVES = "__x0__", "__32x32__"
"""Tensors without values, by which kinds of files are told."""
PARTS = (
    "img_in_patch.",
    "txt_in.",
    "distilled_guidance_layer.",
    "double_blocks.",
    "single_blocks.",
    "nerf_image_embedder.",
    "nerf_blocks.",
    "nerf_final_layer.",
    "nerf_final_layer_conv.",
)
CONVOLUTION = "nerf_final_layer_conv.conv.weight"
IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
PIXELS = LatentFormat(3, (1, 1), rgb_factors=IDENTITY)
"""The latent is the picture, -1..1."""


class ChromaRadianceFamily(ChromaFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Chroma Radiance"
    examples = "Chroma1-Radiance and its x0 versions (huggingface.co/lodestones)"
    network = Radiance  # type: ignore[assignment]
    latent_format = PIXELS

    @staticmethod
    def tensors(weights: StateDict) -> StateDict | None:
        """The tensors under their original names, marks among them; None without them."""
        for prefix in PREFIXES:
            if all(f"{prefix}{mark}" in weights for mark in MARKS):
                return weights.part(prefix).rename(_original)
        return None

    @staticmethod
    def configure(found: StateDict) -> Any:
        """The sizes, from the shapes of the denoiser's tensors.

        Raises:
            WeightsError: a tensor that tells them is missing or has another shape.
        """
        return config(found)

    def denoiser(self, config: Any, weights: StateDict) -> StateDict:
        """The denoiser's tensors."""
        found = super().denoiser(config, weights)
        return found.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()

    def inputs(
        self,
        config: Any,
        entry: Entry,
        *,
        run: Run,
        role: Role,
    ) -> Mapping[str, Input]:
        """As Chroma's."""
        return super().inputs(config.body, entry, run=run, role=role)

    def parameterization(self, config: Any) -> Parameterization:
        """As Chroma's."""
        return super().parameterization(config.body)

    def lora_names(self, config: Any) -> Mapping[str, str | Rows]:
        """Diffusers' names of Chroma's blocks, and those of XLabs."""
        body = config.body
        return {
            **diffusers_names(body),
            **xlabs_names(body.sizes, body.double, body.single),
        }

    def activation_bytes(
        self,
        config: Any,
        shape: Sequence[int],
        dtype_bytes: int,
    ) -> int:
        """As Chroma's, pixels of the small networks, and the weights of those."""
        rows, columns = patch_grid(shape[-2], shape[-1], config.patch)
        body, tokens = config.body, shape[0] * (rows * columns + 512)
        blocks = tokens * (14 * body.channels + 3 * body.inner)
        pixels = shape[0] * shape[-2] * shape[-1] * 6 * config.width
        tile = USUAL_TILE * config.width * config.ratio
        made = tile * (9 * config.width + 4 * config.patch**2)
        return (max(blocks, made) + pixels) * dtype_bytes


def _original(name: str) -> str | None:
    if name in (CLEAN, HALVES):
        return name
    if not name.startswith(PARTS):
        return None
    is_norm = name.endswith(("_norm.weight", ".norm.weight")) or ".norms." in name
    if is_norm and name.endswith(".weight"):
        return f"{name.removesuffix('.weight')}.scale"
    return name


def config(found: StateDict) -> RadianceConfig:
    """See `ChromaRadianceFamily.configure`."""
    kernel = found.shape("img_in_patch.weight") or ()
    if len(kernel) != 4 or kernel[2] != kernel[3]:
        raise WeightsError(f"its img_in_patch.weight is {list(kernel)}, expected a square kernel")
    width, given = matrix(found, "nerf_image_embedder.embedder.0.weight")
    waves = isqrt(max(given - kernel[1], 0))
    numbers = matrix(found, "nerf_blocks.0.param_generator.weight")[0]
    if waves**2 != given - kernel[1] or not width or numbers % (3 * width**2):
        raise WeightsError(
            f"its pixels have {given} numbers and {width} channels, and its small networks "
            f"{numbers} weights, expected a square number beside {kernel[1]} and a multiple of "
            f"{3 * width**2}"
        )
    hidden, numbers_in = matrix(found, "distilled_guidance_layer.in_proj.weight")
    return RadianceConfig(
        body=ChromaConfig(
            in_channels=0,
            out_channels=0,
            context_channels=matrix(found, "txt_in.weight")[1],
            channels=width_of_heads(found, "txt_in.weight", HEAD_CHANNELS),
            inner=matrix(found, "double_blocks.0.img_mlp.0.weight")[0],
            double=count(found, "double_blocks."),
            single=count(found, "single_blocks."),
            given=numbers_in,
            hidden=hidden,
            layers=count(found, "distilled_guidance_layer.layers."),
        ),
        pixel_channels=kernel[1],
        kernel=kernel[2],
        width=vector(found, "nerf_blocks.0.norm.scale"),
        ratio=numbers // (3 * width**2),
        depth=count(found, "nerf_blocks."),
        waves=waves,
        by_convolution=CONVOLUTION in found,
        clean=CLEAN in found,
        halves=HALVES in found,
    )
