"""Chroma: a FLUX.1 schnell of 8.9 billion parameters, with a text of T5-XXL alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.diffusion.shifts import MuShift
from engine.errors import WeightsError
from engine.families.chroma.network import Chroma, ChromaConfig
from engine.families.family import Checkpoint, Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import FLUX_LATENT
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix, width_of_heads
from engine.families.stream_names import block_names, xlabs_names
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.nets.transformer_layers import patch_grid
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARKS = (
    "distilled_guidance_layer.in_proj.weight",
    "img_in.weight",
    "double_blocks.0.img_mlp.0.weight",
)
DIFFUSERS_MARKS = ("distilled_guidance_layer.in_proj.weight", "x_embedder.weight")
PARTS = (
    "img_in.",
    "txt_in.",
    "distilled_guidance_layer.",
    "double_blocks.",
    "single_blocks.",
    "final_layer.",
)
TEXT_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "t5xxl": ("text_encoders.t5xxl.transformer.", "text_encoder.")
}
SHIFT = 1.15


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of T5-XXL.

    Raises:
        WeightsError: it is missing.
    """
    if "t5xxl" not in encoded:
        raise WeightsError(
            "Chroma needs the text encoder T5-XXL, which is missing. Load it with Load CLIP, type "
            "chroma."
        )
    return encoded["t5xxl"].states, {}


class ChromaFamily(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Chroma"
    examples = "Chroma1 HD, Base, Flash (huggingface.co/lodestones)"
    text = TextPlan(
        {"t5xxl": TextStyle(from_padding=True)},
        combine,
        file_types=frozenset({"chroma"}),
        places={"t5xxl": TEXT_PREFIXES["t5xxl"][0]},
    )
    network = Chroma
    latent_format = FLUX_LATENT
    encoder_prefixes = TEXT_PREFIXES

    @staticmethod
    def tensors(weights: StateDict) -> StateDict | None:
        """See `tensors` below."""
        return tensors(weights)

    @staticmethod
    def configure(found: StateDict) -> ChromaConfig:
        """The sizes, from the shapes of the denoiser's tensors."""
        given, hidden = matrix(found, "distilled_guidance_layer.in_proj.weight")[::-1]
        return ChromaConfig(
            in_channels=matrix(found, "img_in.weight")[1],
            out_channels=matrix(found, "final_layer.linear.weight")[0],
            context_channels=matrix(found, "txt_in.weight")[1],
            channels=width_of_heads(found, "img_in.weight", HEAD_CHANNELS),
            inner=matrix(found, "double_blocks.0.img_mlp.0.weight")[0],
            double=count(found, "double_blocks."),
            single=count(found, "single_blocks."),
            given=given,
            hidden=hidden,
            layers=count(found, "distilled_guidance_layer.layers."),
        )

    def parameterization(self, config: ChromaConfig) -> Parameterization:
        """As FLUX.1 dev."""
        del config
        return flow(MuShift(SHIFT), multiplier=1.0, levels=10_000)

    def dtypes(self, config: ChromaConfig) -> Sequence[torch.dtype]:
        """As FLUX.1."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def inputs(
        self, config: ChromaConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, and a strength of guidance, which released models know as 0 only.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with T5-XXL: Load CLIP, type chroma.",
        )
        guidance = float(entry.extras.get("guidance") or 0.0)
        return {
            "context": Input(entry.embedding),
            "guidance": Input(torch.tensor([guidance])),
        }

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
        """One call of the denoiser; see `ModelFamily`."""
        return net(
            x,
            timestep,
            inputs["context"],
            inputs["guidance"],
            mask=inputs.get("mask"),
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: ChromaConfig) -> Mapping[str, str | Rows]:
        """Diffusers' names of the denoiser's modules, and those of XLabs."""
        blocks = (config.sizes, config.double, config.single)
        return {**diffusers_names(config), **xlabs_names(*blocks)}

    def activation_bytes(self, config: ChromaConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """As FLUX.1."""
        rows, columns = patch_grid(shape[-2], shape[-1])
        tokens = shape[0] * (rows * columns + 512)
        return tokens * (14 * config.channels + 3 * config.inner) * dtype_bytes


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under their original names; None without one.

    Raises:
        WeightsError: one of them is empty, or they are incomplete.
    """
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in MARKS):
            return weights.part(prefix).rename(_original).refuse_empty()
        if all(f"{prefix}{mark}" in weights for mark in DIFFUSERS_MARKS):
            found = weights.part(prefix)
            channels, _ = matrix(found, "x_embedder.weight")
            inner, _ = matrix(found, "transformer_blocks.0.ff.net.0.proj.weight")
            blocks = (
                count(found, "transformer_blocks."),
                count(found, "single_transformer_blocks."),
            )
            layers = count(found, "distilled_guidance_layer.layers.")
            given = ChromaConfig(0, 0, 0, channels, inner, *blocks, 0, 0, layers)
            names = diffusers_names(given)
            return original_layout(found, names, parameter=_norm_scale).refuse_empty()
    return None


def diffusers_names(config: ChromaConfig) -> dict[str, str | Rows]:
    """The names in diffusers' layout."""
    names: dict[str, str | Rows] = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "proj_out": "final_layer.linear",
    }
    outer = "distilled_guidance_layer."
    names |= {f"{outer}{name}": f"{outer}{name}" for name in ("in_proj", "out_proj")}
    for number in range(config.layers):
        names[f"{outer}norms.{number}"] = f"{outer}norms.{number}"
        for theirs, ours in (("linear_1", "in_layer"), ("linear_2", "out_layer")):
            place = f"{outer}layers.{number}."
            names[place + theirs] = place + ours
    return names | block_names(config.sizes, config.double, config.single)


def _original(name: str) -> str | None:
    return _norm_scale(name) if name.startswith(PARTS) else None


def _norm_scale(name: str) -> str:
    """Some files call the weight of a norm `weight`."""
    is_norm = name.endswith("_norm.weight") or ".norms." in name
    return f"{name.removesuffix('.weight')}.scale" if is_norm and name.endswith(".weight") else name
