"""Nodes that multiply parts of attention by constants, for experiments."""

from __future__ import annotations

from typing import Annotated

from engine.inference.attention_scaling import by_module, scaled_clip, scaled_model
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Clip, Model

CATEGORY = "_for_testing/attention_experiments"
Factor = Annotated[float, Range(0.0, 10.0, step=0.01)]


@node("UNetSelfAttentionMultiply", category=CATEGORY, experimental=True)
def multiply_self_attention(
    model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Multiply query, key, value and output of every self-attention of a UNet."""
    return scaled_model(model, by_module("attn1", _unet_names(q, k, v, out)))


@node("UNetCrossAttentionMultiply", category=CATEGORY, experimental=True)
def multiply_cross_attention(
    model: Model, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Model:
    """Multiply query, key, value and output of every attention of a UNet to the text."""
    return scaled_model(model, by_module("attn2", _unet_names(q, k, v, out)))


@node("CLIPAttentionMultiply", category=CATEGORY, experimental=True)
def multiply_clip_attention(
    clip: Clip, q: Factor = 1.0, k: Factor = 1.0, v: Factor = 1.0, out: Factor = 1.0
) -> Clip:
    """Multiply query, key, value and output of every attention of CLIP's text encoders."""
    names = {"q_proj": q, "k_proj": k, "v_proj": v, "out_proj": out}
    return scaled_clip(clip, by_module("self_attn", names))


@node("UNetTemporalAttentionMultiply", category=CATEGORY, experimental=True)
def multiply_temporal_attention(
    model: Model,
    self_structural: Factor = 1.0,
    self_temporal: Factor = 1.0,
    cross_structural: Factor = 1.0,
    cross_temporal: Factor = 1.0,
) -> Model:
    """Multiply the outputs of a video UNet's attentions, within frames and between frames."""
    within, between = (
        (by_module("attn1", {"to_out.0": own}), by_module("attn2", {"to_out.0": text}))
        for own, text in ((self_structural, cross_structural), (self_temporal, cross_temporal))
    )

    def factor(name: str) -> float:
        own, text = between if ".time_stack." in name else within
        return own(name) * text(name)

    return scaled_model(model, factor)


def _unet_names(q: float, k: float, v: float, out: float) -> dict[str, float]:
    return {"to_q": q, "to_k": k, "to_v": v, "to_out.0": out}
