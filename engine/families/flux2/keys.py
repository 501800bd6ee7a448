"""Names of FLUX.2's tensors: the original layout, diffusers', and those in LoRA files."""

from __future__ import annotations

from engine.adapters.rows import Rows
from engine.families.flux2.network import Flux2Config
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix, width_of_heads
from engine.families.stream_names import projections
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARKS = ("double_stream_modulation_img.lin.weight", "img_in.weight")
DIFFUSERS_MARKS = ("double_stream_modulation_img.linear.weight", "x_embedder.weight")
PARTS = (
    "img_in.",
    "time_in.",
    "guidance_in.",
    "txt_in.",
    "double_stream_modulation_img.",
    "double_stream_modulation_txt.",
    "single_stream_modulation.",
    "double_blocks.",
    "single_blocks.",
    "final_layer.",
)


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under their original names; None without one.

    Raises:
        WeightsError: one of them is empty, or they are incomplete.
    """
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in MARKS):
            return weights.part(prefix).rename(_original).refuse_empty()
        if all(f"{prefix}{mark}" in weights for mark in DIFFUSERS_MARKS):
            return _from_diffusers(weights.part(prefix)).refuse_empty()
    return None


def config(found: StateDict) -> Flux2Config:
    """The sizes.

    Raises:
        WeightsError: a tensor that tells them is missing or has another number of axes.
    """
    return Flux2Config(
        in_channels=matrix(found, "img_in.weight")[1],
        context_channels=matrix(found, "txt_in.weight")[1],
        channels=width_of_heads(found, "img_in.weight", HEAD_CHANNELS),
        inner=matrix(found, "double_blocks.0.img_mlp.0.weight")[0] // 2,
        double=count(found, "double_blocks."),
        single=count(found, "single_blocks."),
        guidance="guidance_in.in_layer.weight" in found,
    )


def diffusers_names(config: Flux2Config) -> dict[str, str | Rows]:
    """Diffusers' names of the modules to ours, without `.weight`."""
    last = Rows("final_layer.adaLN_modulation.1", 0, 2 * config.channels, swapped=True)
    names: dict[str, str | Rows] = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "norm_out.linear": last,
        "proj_out": "final_layer.linear",
    }
    for theirs, ours in (("timestep", "time_in"), ("guidance", "guidance_in")):
        for number, layer in ((1, "in_layer"), (2, "out_layer")):
            names[f"time_guidance_embed.{theirs}_embedder.linear_{number}"] = f"{ours}.{layer}"
    for number in range(config.double):
        their, our = f"transformer_blocks.{number}.", f"double_blocks.{number}."
        for stream, to, out, added, mlp in (
            ("img", "to_{}", "to_out.0", "", "ff"),
            ("txt", "add_{}_proj", "to_add_out", "added_", "ff_context"),
        ):
            place = f"{our}{stream}_"
            names |= projections(f"{their}attn.{to}", f"{place}attn.qkv", config.channels)
            names[f"{their}attn.{out}"] = f"{place}attn.proj"
            names[f"{their}attn.norm_{added}q"] = f"{place}attn.norm.query_norm"
            names[f"{their}attn.norm_{added}k"] = f"{place}attn.norm.key_norm"
            names[f"{their}{mlp}.linear_in"] = f"{place}mlp.0"
            names[f"{their}{mlp}.linear_out"] = f"{place}mlp.2"
    for number in range(config.single):
        their, our = f"single_transformer_blocks.{number}.attn.", f"single_blocks.{number}."
        names[f"{their}to_qkv_mlp_proj"] = f"{our}linear1"
        names[f"{their}to_out"] = f"{our}linear2"
        names[f"{their}norm_q"] = f"{our}norm.query_norm"
        names[f"{their}norm_k"] = f"{our}norm.key_norm"
    return names


def _from_diffusers(weights: StateDict) -> StateDict:
    plain = Flux2Config(
        in_channels=0,
        context_channels=0,
        channels=matrix(weights, "x_embedder.weight")[0],
        inner=0,
        double=count(weights, "transformer_blocks."),
        single=count(weights, "single_transformer_blocks."),
        guidance=True,
    )
    return original_layout(weights, diffusers_names(plain), parameter=_norm_scale)


def _original(name: str) -> str | None:
    return _norm_scale(name) if name.startswith(PARTS) else None


def _norm_scale(name: str) -> str:
    """Diffusers and newer files call the weight of a norm `weight`."""
    return f"{name.removesuffix('.weight')}.scale" if name.endswith("_norm.weight") else name
