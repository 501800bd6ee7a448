"""Names of HunyuanVideo's tensors: Tencent's, FLUX.1's, diffusers', and those in LoRA files."""

from __future__ import annotations

import re

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.families.hunyuan_video.network import PATCH, HunyuanVideoConfig
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix, width_of_heads
from engine.families.stream_names import block_names, projections
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.model.", "model.", "transformer.", "")
REFINER = "txt_in.individual_token_refiner.blocks."
PATCHES, POOLED = "img_in.proj.weight", "vector_in.in_layer.weight"
MARKS = (PATCHES, POOLED, f"{REFINER}0.norm1.weight")
"""HunyuanVideo 1.5 and HunyuanImage have no `vector_in`."""
DIFFUSERS_REFINER = "context_embedder.token_refiner.refiner_blocks."
DIFFUSERS_MARKS = ("x_embedder.proj.weight", f"{DIFFUSERS_REFINER}0.norm1.weight")
DIFFUSERS_POOLED = "time_text_embed.text_embedder.linear_1.weight"
LATENT_CHANNELS = 16
BESIDE = (0, LATENT_CHANNELS, LATENT_CHANNELS + 1)
"""Channels beside the noisy latent: none, a picture (SkyReels), a picture and a mask."""
_TENCENT = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(img|txt)_attn_qkv", r"\1_attn.qkv"),
        (r"(img|txt)_attn_proj", r"\1_attn.proj"),
        (r"(img|txt)_attn_q_norm", r"\1_attn.norm.query_norm"),
        (r"(img|txt)_attn_k_norm", r"\1_attn.norm.key_norm"),
        (r"(img_mod|txt_mod|modulation)\.linear", r"\1.lin"),
        (r"self_attn_(qkv|proj)", r"self_attn.\1"),
        (r"^(single_blocks\.\d+)\.q_norm", r"\1.norm.query_norm"),
        (r"^(single_blocks\.\d+)\.k_norm", r"\1.norm.key_norm"),
        (r"mlp\.fc1", "mlp.0"),
        (r"mlp\.fc2", "mlp.2"),
        (r"(time_in|guidance_in|t_embedder)\.mlp\.0", r"\1.in_layer"),
        (r"(time_in|guidance_in|t_embedder)\.mlp\.2", r"\1.out_layer"),
        (r"c_embedder\.linear_1", "c_embedder.in_layer"),
        (r"c_embedder\.linear_2", "c_embedder.out_layer"),
    )
)


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under FLUX.1's names; None without one.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in MARKS):
            return weights.part(prefix).rename(own_name).refuse_empty()
        of_diffusers = (*DIFFUSERS_MARKS, DIFFUSERS_POOLED)
        if all(f"{prefix}{mark}" in weights for mark in of_diffusers):
            return _from_diffusers(weights.part(prefix)).refuse_empty()
    return None


def own_name(name: str) -> str:
    """Our name of a tensor, or of a module, in Tencent's layout."""
    for pattern, ours in _TENCENT:
        name = pattern.sub(ours, name)
    return parameter(name)


def _from_diffusers(weights: StateDict) -> StateDict:
    plain = HunyuanVideoConfig(
        in_channels=0,
        out_channels=0,
        context_channels=0,
        vector_channels=0,
        channels=matrix(weights, "context_embedder.proj_in.weight")[0],
        inner=matrix(weights, "transformer_blocks.0.ff.net.0.proj.weight")[0],
        double=count(weights, "transformer_blocks."),
        single=count(weights, "single_transformer_blocks."),
        refiner=count(weights, DIFFUSERS_REFINER),
        guidance=True,
    )
    return original_layout(weights, diffusers_names(plain), parameter=parameter)


def parameter(name: str) -> str:
    """The name of a tensor of ours from that of its module: norms have a scale."""
    is_norm = name.endswith(("query_norm.weight", "key_norm.weight"))
    return f"{name.removesuffix('.weight')}.scale" if is_norm else name


def config(found: StateDict) -> HunyuanVideoConfig:
    """The sizes.

    Raises:
        WeightsError: a tensor that tells them is missing or has another shape.
    """
    patch = found.shape(PATCHES) or ()
    if len(patch) != 5 or patch[2:] != PATCH or patch[1] - LATENT_CHANNELS not in BESIDE:
        raise WeightsError(
            f"its {PATCHES} has the shape {list(patch)}, expected patches of 1 x 2 x 2 cells of "
            "16 channels (text to video), 32 or 33 (with a picture)"
        )
    return HunyuanVideoConfig(
        in_channels=patch[1],
        out_channels=matrix(found, "final_layer.linear.weight")[0] // (PATCH[1] * PATCH[2]),
        context_channels=matrix(found, "txt_in.input_embedder.weight")[1],
        vector_channels=matrix(found, POOLED)[1],
        channels=width_of_heads(found, "txt_in.input_embedder.weight", HEAD_CHANNELS),
        inner=matrix(found, "double_blocks.0.img_mlp.0.weight")[0],
        double=count(found, "double_blocks."),
        single=count(found, "single_blocks."),
        refiner=count(found, REFINER),
        guidance="guidance_in.in_layer.weight" in found,
    )


def lora_names(config: HunyuanVideoConfig) -> dict[str, str | Rows]:
    """Other programs' names of the denoiser's modules to ours, without `.weight`."""
    return diffusers_names(config) | tencent_names(config)


def tencent_names(config: HunyuanVideoConfig) -> dict[str, str | Rows]:
    """Those of Tencent's own names that differ from ours."""
    names = [f"{part}.mlp.{place}" for part in ("time_in", "guidance_in") for place in (0, 2)]
    for number in range(config.double):
        block = f"double_blocks.{number}."
        for stream in ("img", "txt"):
            parts = ("attn_qkv", "attn_proj", "mlp.fc1", "mlp.fc2", "mod.linear")
            names += [f"{block}{stream}_{part}" for part in parts]
    names += [f"single_blocks.{number}.modulation.linear" for number in range(config.single)]
    for number in range(config.refiner):
        parts = ("self_attn_qkv", "self_attn_proj", "mlp.fc1", "mlp.fc2")
        names += [f"{REFINER}{number}.{part}" for part in parts]
    return {name: own_name(name) for name in names}


def diffusers_names(config: HunyuanVideoConfig) -> dict[str, str | Rows]:
    """The names in diffusers' layout."""
    last = Rows("final_layer.adaLN_modulation.1", 0, 2 * config.channels, swapped=True)
    names: dict[str, str | Rows] = {
        "x_embedder.proj": "img_in.proj",
        "context_embedder.proj_in": "txt_in.input_embedder",
        "norm_out.linear": last,
        "proj_out": "final_layer.linear",
    }
    embedders = (
        ("time_text_embed.timestep_embedder", "time_in"),
        ("time_text_embed.guidance_embedder", "guidance_in"),
        ("time_text_embed.text_embedder", "vector_in"),
        ("context_embedder.time_text_embed.timestep_embedder", "txt_in.t_embedder"),
        ("context_embedder.time_text_embed.text_embedder", "txt_in.c_embedder"),
    )
    for theirs, ours in embedders:
        for number, layer in ((1, "in_layer"), (2, "out_layer")):
            names[f"{theirs}.linear_{number}"] = f"{ours}.{layer}"
    for number in range(config.refiner):
        theirs, ours = f"{DIFFUSERS_REFINER}{number}.", f"{REFINER}{number}."
        names |= projections(f"{theirs}attn.to_{{}}", f"{ours}self_attn.qkv", config.channels)
        names |= {
            f"{theirs}norm1": f"{ours}norm1",
            f"{theirs}norm2": f"{ours}norm2",
            f"{theirs}attn.to_out.0": f"{ours}self_attn.proj",
            f"{theirs}ff.net.0.proj": f"{ours}mlp.0",
            f"{theirs}ff.net.2": f"{ours}mlp.2",
            f"{theirs}norm_out.linear": f"{ours}adaLN_modulation.1",
        }
    return names | block_names(config.sizes, config.double, config.single)
