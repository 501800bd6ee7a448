"""Names of Krea 2's tensors: the original layout, diffusers', and those in LoRA files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import prod

from engine.errors import WeightsError
from engine.families.krea2.network import AttentionSizes, Krea2Config
from engine.families.shapes import count, matrix, vector
from engine.weights.state_dict import Entry, StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK = "txtfusion.projector.weight"
DIFFUSERS_MARK = "text_fusion.projector.weight"
PARTS = ("first.", "tmlp.", "tproj.", "txtfusion.", "txtmlp.", "blocks.", "last.")
TABLE = ".mod.lin"
_MODULES = (
    (r"^img_in$", "first"),
    (r"^time_embed\.linear_1$", "tmlp.0"),
    (r"^time_embed\.linear_2$", "tmlp.2"),
    (r"^time_mod_proj$", "tproj.1"),
    (r"^txt_in\.norm$", "txtmlp.0"),
    (r"^txt_in\.linear_1$", "txtmlp.1"),
    (r"^txt_in\.linear_2$", "txtmlp.3"),
    (r"^text_fusion\.", "txtfusion."),
    (r"^transformer_blocks\.", "blocks."),
    (r"^final_layer\.", "last."),
    (r"\.attn\.to_q$", ".attn.wq"),
    (r"\.attn\.to_k$", ".attn.wk"),
    (r"\.attn\.to_v$", ".attn.wv"),
    (r"\.attn\.to_out\.0$", ".attn.wo"),
    (r"\.attn\.to_gate$", ".attn.gate"),
    (r"\.attn\.norm_q$", ".attn.qknorm.qnorm"),
    (r"\.attn\.norm_k$", ".attn.qknorm.knorm"),
    (r"\.ff\.", ".mlp."),
    (r"\.norm1$", ".prenorm"),
    (r"\.norm2$", ".postnorm"),
)
_PATTERNS = tuple((re.compile(pattern), ours) for pattern, ours in _MODULES)
_NORMS = (".norm", ".prenorm", ".postnorm", ".qnorm", ".knorm", "txtmlp.0")


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under their original names; None without one.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            part = weights.part(prefix)
            return part.rename(lambda n: n if n.startswith(PARTS) else None).refuse_empty()
        if f"{prefix}{DIFFUSERS_MARK}" in weights:
            part = weights.part(prefix).rename(_original).refuse_empty()
            return replace(part, entries={n: _flat(n, entry) for n, entry in part.entries.items()})
    return None


def _original(name: str) -> str | None:
    if name == "final_layer.scale_shift_table":
        return "last.modulation.lin"
    if name.endswith(".scale_shift_table"):
        return _module(name.removesuffix(".scale_shift_table")) + TABLE
    module, _, kind = name.rpartition(".")
    module = _module(module)
    if module.endswith(_NORMS) and kind == "weight":
        kind = "scale"
    name = f"{module}.{kind}"
    return name if name.startswith(PARTS) else None


def _module(name: str) -> str:
    for pattern, ours in _PATTERNS:
        name = pattern.sub(ours, name)
    return name


def _flat(name: str, entry: Entry) -> Entry:
    """The tables of blocks as the original files have them: six vectors in a row."""
    if not name.endswith(TABLE) or len(entry.shape) != 2:
        return entry
    return Entry((prod(entry.shape),), entry.dtype, lambda: entry.read().flatten())


def config(found: StateDict) -> Krea2Config:
    """The sizes.

    Raises:
        WeightsError: a tensor that tells them is missing or has another number of axes.
    """
    text = "txtfusion.layerwise_blocks.0."
    return Krea2Config(
        in_channels=matrix(found, "first.weight")[1],
        time_channels=matrix(found, "tmlp.0.weight")[1],
        blocks=count(found, "blocks."),
        block=_sizes(found, "blocks.0."),
        layers=matrix(found, MARK)[1],
        layerwise=count(found, "txtfusion.layerwise_blocks."),
        refiners=count(found, "txtfusion.refiner_blocks."),
        text=_sizes(found, text),
    )


def _sizes(found: StateDict, block: str) -> AttentionSizes:
    heads = vector(found, f"{block}attn.qknorm.qnorm.scale")
    channels = matrix(found, f"{block}attn.wq.weight")[1]
    shared = matrix(found, f"{block}attn.wk.weight")[0]
    if heads % 8 or channels % heads or shared % heads or channels % shared:
        raise WeightsError(
            f"{block} has {channels} channels, {shared} of keys and {heads} of a head, expected "
            "multiples of each other, and of 8"
        )
    return AttentionSizes(channels, shared, heads, matrix(found, f"{block}mlp.gate.weight")[0])


def lora_names(config: Krea2Config) -> Mapping[str, str]:
    """Diffusers' names of the denoiser's modules to ours, without `.weight`."""
    layers = (
        *("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.to_gate"),
        *("ff.gate", "ff.up", "ff.down"),
    )
    blocks = [f"transformer_blocks.{i}" for i in range(config.blocks)]
    blocks += [f"text_fusion.layerwise_blocks.{i}" for i in range(config.layerwise)]
    blocks += [f"text_fusion.refiner_blocks.{i}" for i in range(config.refiners)]
    names = [f"{block}.{layer}" for block in blocks for layer in layers]
    names += ["img_in", "time_embed.linear_1", "time_embed.linear_2", "time_mod_proj"]
    names += ["txt_in.linear_1", "txt_in.linear_2", "text_fusion.projector", "final_layer.linear"]
    return {name: _module(name) for name in names}
