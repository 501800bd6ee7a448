"""Names of AuraFlow's tensors: the original layout, diffusers', and those in LoRA files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.families.auraflow.network import HEAD_CHANNELS, AuraFlowConfig
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix, width_of_heads
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK = "double_layers.0.attn.w1q.weight"
DIFFUSERS_MARK = "joint_transformer_blocks.0.ff_context.linear_1.weight"
PARTS = (
    "init_x_linear.",
    "positional_encoding",
    "register_tokens",
    "cond_seq_linear.",
    "t_embedder.",
    "double_layers.",
    "single_layers.",
    "modF.",
    "final_linear.",
)
PLACES, REGISTERS = "positional_encoding", "register_tokens"
DIFFUSERS_PLACES = "pos_embed.pos_embed"
_FEED_FORWARD: Mapping[str, str] = {
    "linear_1": "c_fc1",
    "linear_2": "c_fc2",
    "out_projection": "c_proj",
}
_ATTENTION: Mapping[str, str] = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "o"}
_OF_TEXT: Mapping[str, str] = {
    "add_q_proj": "q",
    "add_k_proj": "k",
    "add_v_proj": "v",
    "to_add_out": "o",
}
_OUTER: Mapping[str, str] = {
    "pos_embed.proj": "init_x_linear",
    "context_embedder": "cond_seq_linear",
    "time_step_proj.linear_1": "t_embedder.mlp.0",
    "time_step_proj.linear_2": "t_embedder.mlp.2",
    "proj_out": "final_linear",
}


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
            return _original(weights.part(prefix)).refuse_empty()
    return None


def _original(part: StateDict) -> StateDict:
    double, single = (count(part, f"{kind}_transformer_blocks.") for kind in ("joint", "single"))
    width = matrix(part, "context_embedder.weight")[0]
    found = original_layout(part, _names(double, single, width))
    whole = {PLACES: DIFFUSERS_PLACES, REGISTERS: REGISTERS}
    extra = {ours: part.entries[name] for ours, name in whole.items() if name in part}
    return replace(found, entries={**found.entries, **extra})


def config(found: StateDict) -> AuraFlowConfig:
    """The sizes.

    Raises:
        WeightsError: a tensor that tells them is missing or has another number of axes.
    """
    places, registers = (_rows(found, name) for name in (PLACES, REGISTERS))
    if round(places**0.5) ** 2 != places:
        raise WeightsError(f"its {PLACES} has {places} rows, expected a square number")
    single = count(found, "single_layers.")
    return AuraFlowConfig(
        in_channels=matrix(found, "init_x_linear.weight")[1],
        context_channels=matrix(found, "cond_seq_linear.weight")[1],
        channels=width_of_heads(found, "init_x_linear.weight", HEAD_CHANNELS),
        inner=matrix(found, "double_layers.0.mlpX.c_fc1.weight")[0],
        double=count(found, "double_layers."),
        single=single,
        registers=registers,
        places=places,
    )


def _rows(found: StateDict, name: str) -> int:
    shape = found.shape(name)
    if shape is None or len(shape) != 3:
        known = "missing" if shape is None else f"of shape {list(shape)}"
        raise WeightsError(f"its tensor {name} is {known}, expected [1, rows, channels]")
    return shape[1]


def lora_names(config: AuraFlowConfig) -> Mapping[str, str | Rows]:
    """Diffusers' names of the denoiser's modules to ours, without `.weight`."""
    return _names(config.double, config.single, config.channels)


def _names(double: int, single: int, width: int) -> dict[str, str | Rows]:
    found: dict[str, str | Rows] = dict(_OUTER)
    # Diffusers has the halves of the last modulation in the other order.
    found["norm_out.linear"] = Rows("modF.1", 0, 2 * width, swapped=True)
    for i in range(double):
        theirs, ours = f"joint_transformer_blocks.{i}", f"double_layers.{i}"
        found |= {f"{theirs}.norm1.linear": f"{ours}.modX.1"}
        found |= {f"{theirs}.norm1_context.linear": f"{ours}.modC.1"}
        for there, here in _FEED_FORWARD.items():
            found[f"{theirs}.ff.{there}"] = f"{ours}.mlpX.{here}"
            found[f"{theirs}.ff_context.{there}"] = f"{ours}.mlpC.{here}"
        found |= {f"{theirs}.attn.{there}": f"{ours}.attn.w2{k}" for there, k in _ATTENTION.items()}
        found |= {f"{theirs}.attn.{there}": f"{ours}.attn.w1{k}" for there, k in _OF_TEXT.items()}
    for i in range(single):
        theirs, ours = f"single_transformer_blocks.{i}", f"single_layers.{i}"
        found[f"{theirs}.norm1.linear"] = f"{ours}.modCX.1"
        for there, here in _FEED_FORWARD.items():
            found[f"{theirs}.ff.{there}"] = f"{ours}.mlp.{here}"
        found |= {f"{theirs}.attn.{there}": f"{ours}.attn.w1{k}" for there, k in _ATTENTION.items()}
    return found
