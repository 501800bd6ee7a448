"""Anima's tensors in a file, and diffusers' names of its modules in LoRA files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import WeightsError
from engine.families.anima.adapter import AdapterConfig
from engine.families.anima.network import AnimaConfig
from engine.families.shapes import count, matrix, vector
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "net.", "model.", "")
MARK = "llm_adapter.blocks.0.cross_attn.q_proj.weight"
PARTS = ("x_embedder.", "t_embedder.", "t_embedding_norm.", "blocks.", "final_layer.")
ADAPTER = "llm_adapter."
LEFT_OUT = (".inv_freq", ".seq", ".dim_spatial_range", ".dim_temporal_range")
"""Endings of tensors that follow from the sizes."""
_BLOCK: Mapping[str, str] = MappingProxyType(
    {
        "norm1.linear_1": "adaln_modulation_self_attn.1",
        "norm1.linear_2": "adaln_modulation_self_attn.2",
        "norm2.linear_1": "adaln_modulation_cross_attn.1",
        "norm2.linear_2": "adaln_modulation_cross_attn.2",
        "norm3.linear_1": "adaln_modulation_mlp.1",
        "norm3.linear_2": "adaln_modulation_mlp.2",
        "attn1.to_q": "self_attn.q_proj",
        "attn1.to_k": "self_attn.k_proj",
        "attn1.to_v": "self_attn.v_proj",
        "attn1.to_out.0": "self_attn.output_proj",
        "attn2.to_q": "cross_attn.q_proj",
        "attn2.to_k": "cross_attn.k_proj",
        "attn2.to_v": "cross_attn.v_proj",
        "attn2.to_out.0": "cross_attn.output_proj",
        "ff.net.0.proj": "mlp.layer1",
        "ff.net.2": "mlp.layer2",
    }
)
_OUTER: Mapping[str, str] = MappingProxyType(
    {
        "norm_out.linear_1": "final_layer.adaln_modulation.1",
        "norm_out.linear_2": "final_layer.adaln_modulation.2",
        "proj_out": "final_layer.linear",
        "time_embed.t_embedder.linear_1": "t_embedder.1.linear_1",
        "time_embed.t_embedder.linear_2": "t_embedder.1.linear_2",
        "patch_embed.proj": "x_embedder.proj.1",
    }
)


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors, those of the adapter among them; None without one.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            return weights.part(prefix).rename(_ours).refuse_empty()
    return None


def _ours(name: str) -> str | None:
    return name if name.startswith((*PARTS, ADAPTER)) and not name.endswith(LEFT_OUT) else None


def config(found: StateDict) -> AnimaConfig:
    """The sizes.

    Raises:
        WeightsError: a tensor that tells them is missing or has another number of axes.
    """
    channels, in_channels = matrix(found, "x_embedder.proj.1.weight")
    heads = vector(found, "blocks.0.self_attn.q_norm.weight")
    adapter = _adapter(found)
    if not _fits(heads, channels) or not _fits(adapter.head_channels, adapter.channels):
        raise WeightsError(
            f"it has {channels} and {adapter.channels} channels with {heads} and "
            f"{adapter.head_channels} of a head, expected even numbers that divide them"
        )
    return AnimaConfig(
        in_channels=in_channels,
        out_channels=matrix(found, "final_layer.linear.weight")[0],
        context_channels=matrix(found, "blocks.0.cross_attn.k_proj.weight")[1],
        channels=channels,
        head_channels=heads,
        inner=matrix(found, "blocks.0.mlp.layer1.weight")[0],
        modulation=matrix(found, "blocks.0.adaln_modulation_mlp.1.weight")[0],
        blocks=count(found, "blocks."),
        adapter=adapter,
    )


def _adapter(found: StateDict) -> AdapterConfig:
    tokens, out = matrix(found, f"{ADAPTER}embed.weight")
    channels, source = matrix(found, f"{ADAPTER}blocks.0.cross_attn.k_proj.weight")
    return AdapterConfig(
        tokens=tokens,
        channels_out=out,
        channels=channels,
        source=source,
        head_channels=vector(found, f"{ADAPTER}blocks.0.self_attn.q_norm.weight"),
        inner=matrix(found, f"{ADAPTER}blocks.0.mlp.0.weight")[0],
        blocks=count(found, f"{ADAPTER}blocks."),
    )


def _fits(heads: int, channels: int) -> bool:
    # The channels of a head are divided among three axes, each of more than two.
    return heads >= 12 and heads % 2 == 0 and channels % heads == 0


def lora_names(config: AnimaConfig) -> Mapping[str, str]:
    """Diffusers' names of the denoiser's modules to ours, without `.weight`."""
    blocks = {
        f"transformer_blocks.{i}.{theirs}": f"blocks.{i}.{ours}"
        for i in range(config.blocks)
        for theirs, ours in _BLOCK.items()
    }
    return {**blocks, **_OUTER}
