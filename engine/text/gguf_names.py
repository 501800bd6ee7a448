"""Names of text encoders' tensors in GGUF files, and transformers' names of them."""

from __future__ import annotations

from collections.abc import Mapping

from engine.weights.state_dict import StateDict

_T5: Mapping[str, str] = {
    "attn_q": "layer.0.SelfAttention.q",
    "attn_k": "layer.0.SelfAttention.k",
    "attn_v": "layer.0.SelfAttention.v",
    "attn_o": "layer.0.SelfAttention.o",
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
    "attn_norm": "layer.0.layer_norm",
    "ffn_gate": "layer.1.DenseReluDense.wi_0",
    "ffn_up": "layer.1.DenseReluDense.wi_1",
    "ffn_down": "layer.1.DenseReluDense.wo",
    "ffn_norm": "layer.1.layer_norm",
}
_T5_OUTER: Mapping[str, str] = {
    "token_embd.weight": "shared.weight",
    "enc.output_norm.weight": "encoder.final_layer_norm.weight",
}


def t5(weights: StateDict) -> StateDict:
    """A T5 encoder of a GGUF file under transformers' names; other files as they are."""
    if "enc.blk.0.attn_q.weight" not in weights:
        return weights
    gated = "enc.blk.0.ffn_gate.weight" in weights

    def name(theirs: str) -> str | None:
        if theirs in _T5_OUTER:
            return _T5_OUTER[theirs]
        place, _, kind = theirs.removeprefix("enc.blk.").rpartition(".")
        number, _, module = place.partition(".")
        if module == "ffn_up" and not gated:
            return f"encoder.block.{number}.layer.1.DenseReluDense.wi.{kind}"
        ours = _T5.get(module)
        return f"encoder.block.{number}.{ours}.{kind}" if ours else None

    return weights.rename(name)
