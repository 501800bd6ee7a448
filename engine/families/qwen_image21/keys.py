"""Qwen-Image 2.1's tensors in a file: with fused gates as ComfyUI's files, or as diffusers'."""

from __future__ import annotations

from collections.abc import Mapping

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.families.other_layouts import original_layout
from engine.families.qwen_image21.network import QwenImage21Config
from engine.families.shapes import count, matrix, vector
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK = "txt_in.text_norm.weight"
PARTS = (
    "img_in.",
    "txt_in.",
    "time_text_embed.",
    "modulation.",
    "transformer_blocks.",
    "norm_out.",
    "proj_out.",
)
BLOCK = "transformer_blocks.0."
GATE, UP, FUSED = "img_mlp.gate_layer", "img_mlp.proj", "img_mlp.gate_up"


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under the names of the fused layout; None without them.

    Raises:
        WeightsError: one of them is empty, or half of a fused one is missing.
    """
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            part = weights.part(prefix).rename(lambda n: n if n.startswith(PARTS) else None)
            return _fused(part.refuse_empty())
    return None


def _fused(found: StateDict) -> StateDict:
    gate = found.shape(f"{BLOCK}{GATE}.weight")
    if gate is None:
        return found
    names: dict[str, str | Rows] = {}
    for name in found:
        module = name.rpartition(".")[0]
        names[module] = _rows(module, gate[0]) or module
    return original_layout(found, names)


def _rows(module: str, inner: int) -> Rows | None:
    """The rows of a fused projection that a module of diffusers' layout is; None if it is whole."""
    for ending, start in ((GATE, 0), (UP, inner)):
        if module.endswith(f".{ending}"):
            return Rows(f"{module.removesuffix(ending)}{FUSED}", start, start + inner)
    return None


def config(found: StateDict) -> QwenImage21Config:
    """The sizes.

    Raises:
        WeightsError: a tensor that tells them is missing or has another number of axes.
    """
    channels, in_channels = matrix(found, "img_in.weight")
    heads = vector(found, f"{BLOCK}attn.norm_q.weight")
    fused = matrix(found, f"{BLOCK}{FUSED}.weight")[0]
    if heads % 16 or not heads or channels % heads or fused % 2:
        raise WeightsError(
            f"its img_in.weight has {channels} rows, its heads {heads} channels and its "
            f"{BLOCK}{FUSED}.weight {fused} rows, expected a multiple of the heads', which are a "
            "multiple of 16, and an even number"
        )
    return QwenImage21Config(
        in_channels=in_channels,
        out_channels=matrix(found, "proj_out.weight")[0],
        context_channels=vector(found, MARK),
        channels=channels,
        head_channels=heads,
        inner=fused // 2,
        blocks=count(found, "transformer_blocks."),
    )


def lora_names(config: QwenImage21Config) -> Mapping[str, str | Rows]:
    """Diffusers' names of the halves of fused projections; all others are ours."""
    found: dict[str, str | Rows] = {}
    for number in range(config.blocks):
        for ending in (GATE, UP):
            module = f"transformer_blocks.{number}.{ending}"
            rows = _rows(module, config.inner)
            if rows is not None:
                found[module] = rows
    return found
