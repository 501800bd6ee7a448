"""Names of the tensors: Tencent's, FLUX.1's, those of diffusers, and those in LoRA files.

Tencent's own files have the projections of a block apart or joined, both under its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.families.hunyuan_video import keys as line
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphsConfig
from engine.families.hunyuan_video.network import AXES, HunyuanVideoConfig
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix, width_of_heads
from engine.families.stream_names import projections
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.weights.state_dict import StateDict

PICTURE_AXES = (64, 64)
GLYPHS, SEEN = "byt5_in.fc1.weight", "vision_in.proj.1.weight"
KINDS, TARGET = "cond_type_embedding.weight", "time_r_in.in_layer.weight"
Kind = Literal["video", "picture", "refiner"]
_OF_DIFFUSERS: Mapping[str, str | Rows] = {
    "context_embedder_2.norm": "byt5_in.layernorm",
    "context_embedder_2.linear_1": "byt5_in.fc1",
    "context_embedder_2.linear_2": "byt5_in.fc2",
    "context_embedder_2.linear_3": "byt5_in.fc3",
    "image_embedder.norm_in": "vision_in.proj.0",
    "image_embedder.linear_1": "vision_in.proj.1",
    "image_embedder.linear_2": "vision_in.proj.3",
    "image_embedder.norm_out": "vision_in.proj.4",
    "cond_type_embed": "cond_type_embedding",
} | {
    f"{start}.{theirs}.linear_{number}": f"{ours}.{layer}"
    for start in ("time_embed", "time_guidance_embed")
    for theirs, ours in (
        ("timestep_embedder", "time_in"),
        ("timestep_embedder_r", "time_r_in"),
        ("guidance_embedder", "guidance_in"),
    )
    for number, layer in ((1, "in_layer"), (2, "out_layer"))
}


def tensors(weights: StateDict, kind: Kind) -> StateDict | None:
    """The denoiser's tensors under FLUX.1's names; None without one of that kind.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in line.PREFIXES:
        if f"{prefix}{line.REFINER}0.norm1.weight" in weights:
            if _kind(weights, prefix, line.PATCHES, line.POOLED, "vision_in.") == kind:
                return _original(weights.part(prefix)).refuse_empty()
        elif f"{prefix}{line.DIFFUSERS_REFINER}0.norm1.weight" in weights:
            first = line.DIFFUSERS_MARKS[0], line.DIFFUSERS_POOLED
            if _kind(weights, prefix, *first, "image_embedder.") == kind:
                return _from_diffusers(weights.part(prefix)).refuse_empty()
    return None


def _kind(weights: StateDict, prefix: str, patches: str, pooled: str, seen: str) -> Kind | None:
    """Of the denoiser below a prefix; None: it is none of these."""
    shape = weights.shape(f"{prefix}{patches}") or ()
    if f"{prefix}{pooled}" in weights or len(shape) not in (4, 5):
        return None
    if len(shape) == 4:
        return "picture"
    sees = any(name.startswith(f"{prefix}{seen}") for name in weights)
    return "video" if sees else "refiner"


def _original(weights: StateDict) -> StateDict:
    apart = "double_blocks.0.img_attn_q.weight"
    if apart not in weights:
        return weights.rename(_own_name)
    modules = {name.rpartition(".")[0] for name in weights}
    names: dict[str, str | Rows] = {module: _own_name(module) for module in modules}
    channels = matrix(weights, "txt_in.input_embedder.weight")[0]
    inner = matrix(weights, "double_blocks.0.img_mlp.fc1.weight")[0]
    found = names | names_apart(
        channels, inner, count(weights, "double_blocks."), count(weights, "single_blocks.")
    )
    return original_layout(weights, found, parameter=line.parameter)


def _own_name(name: str) -> str:
    """Our name of a tensor, or of a module, in Tencent's layout."""
    name = line.own_name(name)
    for place, layer in ((0, "in_layer"), (2, "out_layer")):
        name = name.replace(f"time_r_in.mlp.{place}", f"time_r_in.{layer}")
    return name


def names_apart(channels: int, inner: int, double: int, single: int) -> dict[str, str | Rows]:
    """Tencent's names of projections that it stores apart, as rows of ours."""
    names: dict[str, str | Rows] = {}
    for number in range(double):
        for stream in ("img", "txt"):
            block = f"double_blocks.{number}.{stream}_attn"
            names |= projections(f"{block}_{{}}", f"{block}.qkv", channels)
    for number in range(single):
        first = f"single_blocks.{number}.linear1"
        names |= projections(f"{first}_{{}}", first, channels)
        names[f"{first}_mlp"] = Rows(first, 3 * channels, 3 * channels + inner)
        names[f"single_blocks.{number}.linear2.fc"] = f"single_blocks.{number}.linear2"
    return names


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
        refiner=count(weights, line.DIFFUSERS_REFINER),
        guidance=True,
    )
    return original_layout(weights, diffusers_names(plain), parameter=line.parameter)


def diffusers_names(blocks: HunyuanVideoConfig) -> dict[str, str | Rows]:
    """The names in diffusers' layout."""
    return {**line.diffusers_names(blocks), **_OF_DIFFUSERS}


def config(found: StateDict, beside: frozenset[int]) -> HunyuanGlyphsConfig:
    """The sizes.

    Args:
        found: under FLUX.1's names.
        beside: the numbers of channels that may be given beside those of the latent.

    Raises:
        WeightsError: a tensor that tells them is missing or has another shape.
    """
    patch = found.shape(line.PATCHES) or (0, 0)
    latent = matrix(found, "final_layer.linear.weight")[0]
    if any(side != 1 for side in patch[2:]) or patch[1] - latent not in beside:
        wanted = " or ".join(str(latent + each) for each in sorted(beside))
        raise WeightsError(
            f"its {line.PATCHES} has the shape {list(patch)}, expected single cells of {wanted} "
            "channels"
        )
    blocks = HunyuanVideoConfig(
        in_channels=patch[1],
        out_channels=latent,
        context_channels=matrix(found, "txt_in.input_embedder.weight")[1],
        vector_channels=0,
        channels=width_of_heads(found, "txt_in.input_embedder.weight", HEAD_CHANNELS),
        inner=matrix(found, "double_blocks.0.img_mlp.0.weight")[0],
        double=count(found, "double_blocks."),
        single=count(found, "single_blocks."),
        refiner=count(found, line.REFINER),
        guidance="guidance_in.in_layer.weight" in found,
    )
    inner, channels = matrix(found, GLYPHS) if GLYPHS in found else (0, 0)
    return HunyuanGlyphsConfig(
        blocks,
        axes=AXES if len(patch) == 5 else PICTURE_AXES,
        glyph_channels=channels,
        glyph_inner=inner,
        seen_channels=matrix(found, SEEN)[1] if SEEN in found else 0,
        kinds=KINDS in found,
        flow_map=TARGET in found,
    )


def lora_names(config: HunyuanGlyphsConfig) -> dict[str, str | Rows]:
    """Other programs' names of the denoiser's modules to ours, without `.weight`."""
    blocks = config.blocks
    apart = names_apart(blocks.channels, blocks.inner, blocks.double, blocks.single)
    return diffusers_names(blocks) | line.tencent_names(blocks) | apart
