"""Qwen-Image's tensors in a file. The original layout is diffusers', so no name changes."""

from __future__ import annotations

from engine.errors import WeightsError
from engine.families.qwen_image.network import QwenImageConfig
from engine.families.shapes import count, matrix, vector
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK = "transformer_blocks.0.attn.add_q_proj.weight"
TEXT = "txt_norm.weight"
CONTROL = "controlnet_blocks.0.weight"
"""What its ControlNets have beside the same blocks."""
CLEAN = "__index_timestep_zero__"
"""A tensor without meaning, by which files of Edit 2511 are told from those of Edit 2509."""
LAYERED = "time_text_embed.addition_t_embedding.weight"
MAGE_FLOW = (("txt_norm.weight", 2560), ("proj_out.weight", 128))
"""Rows by which Mage-Flow differs, whose names are the same."""
PARTS = (
    "img_in.",
    "txt_in.",
    "txt_norm.",
    "time_text_embed.",
    "transformer_blocks.",
    "norm_out.",
    "proj_out.",
)


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors, and `CLEAN` if it is there; None without them.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in (MARK, TEXT)):
            if f"{prefix}{CONTROL}" in weights:
                return None
            part = weights.part(prefix)
            if all((part.shape(name) or (0,))[0] == rows for name, rows in MAGE_FLOW):
                return None
            return part.rename(lambda name: name if _is_ours(name) else None)
    return None


def denoiser(found: StateDict) -> StateDict:
    """Those of them that the module has.

    Raises:
        WeightsError: one of them is empty.
    """
    return found.rename(lambda name: name if name != CLEAN else None).refuse_empty()


def config(found: StateDict) -> QwenImageConfig:
    """The sizes. Raises like `sizes`."""
    return sizes(found, out_channels=matrix(found, "proj_out.weight")[0])


def sizes(found: StateDict, *, out_channels: int) -> QwenImageConfig:
    """The sizes of a network with such blocks.

    Raises:
        WeightsError: a tensor that tells them is missing or has another number of axes.
    """
    channels, in_channels = matrix(found, "img_in.weight")
    heads = vector(found, "transformer_blocks.0.attn.norm_q.weight")
    if heads % 16 or not heads or channels % heads:
        raise WeightsError(
            f"its img_in.weight has {channels} rows and its heads {heads} channels, expected a "
            "multiple of them, and of 16"
        )
    return QwenImageConfig(
        in_channels=in_channels,
        out_channels=out_channels,
        context_channels=matrix(found, "txt_in.weight")[1],
        channels=channels,
        head_channels=heads,
        inner=matrix(found, "transformer_blocks.0.img_mlp.net.0.proj.weight")[0],
        blocks=count(found, "transformer_blocks."),
        clean_references=CLEAN in found,
        layered=LAYERED in found,
    )


def _is_ours(name: str) -> bool:
    return name == CLEAN or name.startswith(PARTS)
