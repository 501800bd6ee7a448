"""Names of language models' tensors, in all common layouts, and what identifies a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.text.decoder_network import LAYER, MARK
from engine.text.encoder import TOKENIZER_TENSORS
from engine.weights.state_dict import Entry, StateDict

OUTER = ("", "transformer.")
"""Prefixes of whole files."""
INNER: Mapping[str, str] = {
    "model.embed_tokens.weight": "model.",
    "model.language_model.embed_tokens.weight": "model.language_model.",
    "language_model.model.embed_tokens.weight": "language_model.model.",
    "language_model.embed_tokens.weight": "language_model.",
}
"""The tensor that shows a layout, and the prefix of `embed_tokens` and `layers` in it."""
VISION = ("visual.", "model.visual.")
_GGUF_LAYER: Mapping[str, str] = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_GGUF_OUTER: Mapping[str, str] = {
    "token_embd.weight": MARK,
    "output_norm.weight": "model.norm.weight",
}
_GEMMA_LAYER: Mapping[str, str] = {
    **_GGUF_LAYER,
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
ARCHITECTURE = "general.architecture"


@dataclass(frozen=True, slots=True)
class Traits:
    """What distinguishes language models.

    Attributes:
        vocabulary: rows of the table of tokens.
        width: of the states.
        key_bias: rows of the bias of keys; 0 without one.
        normed_heads: whether queries and keys are normalised.
        sees: whether there is a vision tower, or the layout of a model that has one.
        tower: the width of the vision tower; 0 without one.
        norms_after: whether there are norms after the parts of a layer, as Gemma has.
        tekken: whether the file holds Mistral's tokenizer.
    """

    vocabulary: int
    width: int
    key_bias: int
    normed_heads: bool
    sees: bool
    tower: int
    norms_after: bool
    tekken: bool


def traits(weights: StateDict, tensors: StateDict) -> Traits:
    """The traits of a file, and of its tensors under the module's names."""
    table = tensors.shape(MARK) or (0, 0)
    bias = tensors.shape(f"{LAYER}self_attn.k_proj.bias") or (0,)
    tower = tensors.shape("visual.patch_embed.proj.weight") or (0,)
    return Traits(
        vocabulary=table[0],
        width=table[-1],
        key_bias=bias[0],
        normed_heads=f"{LAYER}self_attn.q_norm.weight" in tensors,
        sees=any(name.startswith("visual.") for name in tensors) or _of_seeing_model(weights),
        tower=tower[0],
        norms_after=f"{LAYER}post_feedforward_layernorm.weight" in tensors,
        tekken="tekken_model" in tensors,
    )


def _of_seeing_model(weights: StateDict) -> bool:
    """Whether a file without a vision tower has the layout of a model that has one."""
    layouts = list(INNER)[1:3]
    named = any(f"{outer}{mark}" in weights for outer in OUTER for mark in layouts)
    return named or weights.metadata.get(ARCHITECTURE) in ("qwen2vl", "qwen3vl")


def find_tensors(weights: StateDict) -> StateDict | None:
    """A language model's tensors under the module's names; None without one.

    Names of the head that predicts words, and of other parts, are left out.

    Raises:
        WeightsError: a tensor is empty.
    """
    weights = _of_gguf(weights)
    for outer in OUTER:
        for mark, inner in INNER.items():
            if f"{outer}{mark}" in weights:
                return _renamed(weights, outer, f"{outer}{inner}").refuse_empty()
    return None


def find_head(weights: StateDict) -> StateDict | None:
    """The layer that scores words, as the tensors of one projection; None without one."""

    def name(theirs: str) -> str | None:
        for ending in ("lm_head.", "output."):
            before, found, ours = theirs.rpartition(ending)
            if found and before in _BEFORE_HEAD and "." not in ours:
                return ours
        return None

    found = weights.rename(name)
    return found.refuse_empty() if len(found) else None


_BEFORE_HEAD = frozenset({"", "model.", "language_model.", "transformer.", "model.language_model."})


def _renamed(weights: StateDict, outer: str, inner: str) -> StateDict:
    vision = tuple(f"{outer}{prefix}" for prefix in VISION)

    def name(theirs: str) -> str | None:
        short = theirs.removeprefix(outer)
        if short in TOKENIZER_TENSORS:
            return short
        for prefix in vision:
            if theirs.startswith(prefix):
                return f"visual.{theirs.removeprefix(prefix)}"
        ours = theirs.removeprefix(inner)
        if theirs.startswith(inner) and ours.startswith(("embed_tokens.", "layers.", "norm.")):
            # A table of wavelengths in old files, which the network computes.
            return None if ours.endswith("inv_freq") else f"model.{ours}"
        return None

    return weights.rename(name)


def _of_gguf(weights: StateDict) -> StateDict:
    """A GGUF file under transformers' names; other files as they are."""
    if "blk.0.attn_q.weight" not in weights:
        return weights
    gemma = weights.metadata.get(ARCHITECTURE, "").startswith("gemma")
    names = _GEMMA_LAYER if gemma else _GGUF_LAYER

    def name(theirs: str) -> str | None:
        if theirs in _GGUF_OUTER:
            return _GGUF_OUTER[theirs]
        place, _, kind = theirs.removeprefix("blk.").rpartition(".")
        number, _, module = place.partition(".")
        ours = names.get(module)
        return f"model.layers.{number}.{ours}.{kind}" if ours else None

    found = weights.rename(name)
    if not gemma:
        return found
    # These files have Gemma's norms with the one added that the network adds itself.
    norms = {key: _less_one(each) for key, each in found.entries.items() if "norm" in key}
    return replace(found, entries={**found.entries, **norms})


def _less_one(entry: Entry) -> Entry:
    return Entry(entry.shape, entry.dtype, lambda: entry.read() - 1, is_made=True)


def pairs_are_neighbours(weights: StateDict) -> bool:
    """Whether rows of queries and keys are in the order that GGUF files of these kinds have."""
    return weights.metadata.get(ARCHITECTURE) in ("llama", "mistral3")
