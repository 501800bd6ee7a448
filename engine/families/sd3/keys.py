"""Names of Stable Diffusion 3's tensors: the original layout, and diffusers'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.families.other_layouts import original_layout
from engine.families.sd3.network import MMDiTConfig
from engine.families.shapes import count, matrix
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "transformer.", "")
MARK = "joint_blocks.0.context_block.attn.qkv.weight"
DIFFUSERS_MARKS = ("transformer_blocks.0.attn.add_q_proj.weight", "pos_embed.proj.weight")
POSITIONS = "pos_embed.pos_embed"
"""Diffusers' name of the table of positions."""
HEAD = 64
"""Channels of a head, unless its norms show another number."""
_PARTS = (
    "pos_embed",
    "x_embedder.",
    "t_embedder.",
    "y_embedder.",
    "context_embedder.",
    "joint_blocks.",
    "final_layer.",
)
OUTER: Mapping[str, str] = {
    "pos_embed.proj": "x_embedder.proj",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
    "context_embedder": "context_embedder",
    "proj_out": "final_layer.linear",
}
_OF_BLOCK: Mapping[str, str] = {
    "norm1.linear": "x_block.adaLN_modulation.1",
    "norm1_context.linear": "context_block.adaLN_modulation.1",
    "attn.to_out.0": "x_block.attn.proj",
    "attn.to_add_out": "context_block.attn.proj",
    "attn.norm_q": "x_block.attn.ln_q",
    "attn.norm_k": "x_block.attn.ln_k",
    "attn.norm_added_q": "context_block.attn.ln_q",
    "attn.norm_added_k": "context_block.attn.ln_k",
    "attn2.to_out.0": "x_block.attn2.proj",
    "attn2.norm_q": "x_block.attn2.ln_q",
    "attn2.norm_k": "x_block.attn2.ln_k",
    "ff.net.0.proj": "x_block.mlp.fc1",
    "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1",
    "ff_context.net.2": "context_block.mlp.fc2",
}
_PROJECTIONS: Mapping[str, tuple[str, str, str]] = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
}


def diffusers_names(depth: int, width: int) -> dict[str, str | Rows]:
    """Diffusers' names of the modules to ours."""
    names: dict[str, str | Rows] = dict(OUTER)
    for number in range(depth):
        ours, theirs = f"joint_blocks.{number}.", f"transformer_blocks.{number}."
        names |= {f"{theirs}{other}": f"{ours}{own}" for other, own in _OF_BLOCK.items()}
        for own, others in _PROJECTIONS.items():
            for place, other in enumerate(others):
                rows = Rows(f"{ours}{own}", place * width, (place + 1) * width)
                names[f"{theirs}{other}"] = rows
    # Modulations without a gate hold scale and shift, the original ones shift and scale.
    for theirs, ours in (
        (f"transformer_blocks.{depth - 1}.norm1_context.linear", _last_modulation(depth)),
        ("norm_out.linear", "final_layer.adaLN_modulation.1"),
    ):
        names[theirs] = Rows(ours, 0, 2 * width, swapped=True)
    return names


def _last_modulation(depth: int) -> str:
    return f"joint_blocks.{depth - 1}.context_block.adaLN_modulation.1"


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under their original names; None without one.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            found = weights.part(prefix)
            found = found.rename(lambda name: name if name.startswith(_PARTS) else None)
            return found.refuse_empty()
        if all(f"{prefix}{mark}" in weights for mark in DIFFUSERS_MARKS):
            return _from_diffusers(weights.part(prefix)).refuse_empty()
    return None


def _from_diffusers(weights: StateDict) -> StateDict:
    width, _ = matrix(weights, "context_embedder.weight")
    depth = count(weights, "transformer_blocks.")
    found = original_layout(weights, diffusers_names(depth, width))
    if POSITIONS in weights:
        found = replace(found, entries={**found.entries, "pos_embed": weights.entries[POSITIONS]})
    return found


def config_of(found: StateDict) -> MMDiTConfig:
    """The sizes of a network from tensors under their original names.

    Raises:
        WeightsError: a tensor is missing or has another number of axes.
    """
    width, channels, *_ = _shape(found, "x_embedder.proj.weight", 4)
    _, places, _ = _shape(found, "pos_embed", 3)
    side = round(places**0.5)
    if side**2 != places:
        raise WeightsError(f"its pos_embed has {places} positions, which form no square")
    norm = found.shape("joint_blocks.0.x_block.attn.ln_q.weight")
    depth = count(found, "joint_blocks.")
    head = norm[0] if norm else HEAD
    if width % head:
        raise WeightsError(f"its width {width} is no multiple of a head's {head} channels")
    return MMDiTConfig(
        width=width,
        depth=depth,
        head=head,
        feed_forward=matrix(found, "joint_blocks.0.x_block.mlp.fc1.weight")[0],
        channels=channels,
        context=matrix(found, "context_embedder.weight")[1],
        vector=matrix(found, "y_embedder.mlp.0.weight")[1],
        positions=side,
        norms=norm is not None,
        attend_twice=frozenset(
            number
            for number in range(depth)
            if f"joint_blocks.{number}.x_block.attn2.qkv.weight" in found
        ),
    )


def _shape(found: StateDict, name: str, axes: int) -> tuple[int, ...]:
    shape = found.shape(name)
    if shape is None:
        raise WeightsError(f"its tensor {name} is missing")
    if len(shape) != axes:
        raise WeightsError(f"its {name} has the shape {list(shape)}, expected {axes} axes")
    return shape
