"""Names of FLUX.1's tensors: the original layout, diffusers', and those in LoRA files."""

from __future__ import annotations

from engine.adapters.rows import Rows
from engine.families.flux.network import FluxConfig
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix, width_of_heads
from engine.families.stream_names import block_names, xlabs_names
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
OWN = "vector_in.in_layer.weight"
MARKS = ("double_blocks.0.img_attn.qkv.weight", "img_in.weight", OWN)
"""FLUX.2 and Chroma have no `vector_in`, HunyuanVideo has other names inside `img_in`."""
DIFFUSERS_MARKS = (
    "single_transformer_blocks.0.proj_mlp.weight",
    "time_text_embed.text_embedder.linear_1.weight",
    "x_embedder.weight",
)
OTHERS = ("controlnet_blocks.0.weight", "controlnet_x_embedder.weight")
"""What ControlNets have beside the same blocks."""
PARTS = (
    "img_in.",
    "time_in.",
    "vector_in.",
    "guidance_in.",
    "txt_in.",
    "double_blocks.",
    "single_blocks.",
    "final_layer.",
)


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under their original names; None without one.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in MARKS) and not any(
            f"{prefix}{mark}" in weights for mark in OTHERS
        ):
            return weights.part(prefix).rename(_original).refuse_empty()
        if all(f"{prefix}{mark}" in weights for mark in DIFFUSERS_MARKS) and not any(
            f"{prefix}{mark}" in weights for mark in OTHERS
        ):
            return _from_diffusers(weights.part(prefix)).refuse_empty()
    return None


def _from_diffusers(weights: StateDict) -> StateDict:
    channels, _ = matrix(weights, "x_embedder.weight")
    inner, _ = matrix(weights, "transformer_blocks.0.ff.net.0.proj.weight")
    plain = FluxConfig(
        in_channels=0,
        out_channels=0,
        context_channels=0,
        vector_channels=0,
        channels=channels,
        inner=inner,
        double=count(weights, "transformer_blocks."),
        single=count(weights, "single_transformer_blocks."),
        guidance=True,
    )
    return original_layout(weights, diffusers_names(plain), parameter=norm_scale)


def norm_scale(name: str) -> str:
    """Diffusers and newer files call the weight of a norm `weight`."""
    return f"{name.removesuffix('.weight')}.scale" if name.endswith("_norm.weight") else name


def _original(name: str) -> str | None:
    return norm_scale(name) if name.startswith(PARTS) else None


def config(found: StateDict) -> FluxConfig:
    """The sizes.

    Raises:
        WeightsError: a tensor that tells them is missing or has another number of axes.
    """
    return FluxConfig(
        in_channels=matrix(found, "img_in.weight")[1],
        out_channels=matrix(found, "final_layer.linear.weight")[0],
        context_channels=matrix(found, "txt_in.weight")[1],
        vector_channels=matrix(found, OWN)[1],
        channels=width_of_heads(found, "img_in.weight", HEAD_CHANNELS),
        inner=matrix(found, "double_blocks.0.img_mlp.0.weight")[0],
        double=count(found, "double_blocks."),
        single=count(found, "single_blocks."),
        guidance="guidance_in.in_layer.weight" in found,
    )


def lora_names(config: FluxConfig) -> dict[str, str | Rows]:
    """Other programs' names of the denoiser's modules to ours, without `.weight`."""
    blocks = (config.sizes, config.double, config.single)
    return {**diffusers_names(config), **xlabs_names(*blocks)}


def diffusers_names(config: FluxConfig) -> dict[str, str | Rows]:
    """The names in diffusers' layout."""
    last = Rows("final_layer.adaLN_modulation.1", 0, 2 * config.channels, swapped=True)
    names: dict[str, str | Rows] = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "norm_out.linear": last,
        "proj_out": "final_layer.linear",
    }
    embedders = (("timestep", "time_in"), ("guidance", "guidance_in"), ("text", "vector_in"))
    for theirs, ours in embedders:
        for number, layer in ((1, "in_layer"), (2, "out_layer")):
            names[f"time_text_embed.{theirs}_embedder.linear_{number}"] = f"{ours}.{layer}"
    return names | block_names(config.sizes, config.double, config.single)
