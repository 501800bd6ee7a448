"""Tells from the header of a file which text encoder it holds that may lack its tokenizer.

The same marks as in `engine/text`, which reads tensors and therefore needs torch; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.graph.prompt import is_list, is_mapping
from engine.tensor_header import HeaderError, decode, read_text
from engine.tokenizer_sources import candidates

_T5_MARK = "encoder.block.0.layer.0.SelfAttention.q.weight"
_T5_SECOND_BIAS = "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"
_LARGE_VOCABULARY = 200_000
_LANGUAGE_MARK = "embed_tokens.weight"
_WIDTHS: Mapping[int, str] = {5120: "mistral3_24b", 3072: "ministral3_3b"}
_LLAMA31_VOCABULARY, _LLAMA_VOCABULARY = 128_256, range(128_257, 131_072)
_HELD = ("spiece_model", "tekken_model")
_MOST_HEADER = 16 << 20
"""Bytes of a header that is looked at; those of text encoders have less than 1 MB."""


def lacking_encoder(path: Path) -> str | None:
    """The name of the text encoder in a file that has no tokenizer, neither in it nor beside it.

    None where there is none, it needs none, or the file is no `.safetensors` that can be read:
    whatever is wrong with it, the run says.
    """
    if path.suffix.lower() not in (".safetensors", ".sft"):
        return None
    try:
        with path.open("rb") as stream:
            text = read_text(stream, path.stat().st_size, most=_MOST_HEADER)
        # Most files have neither mark: then nothing is decoded, and this takes a millisecond.
        has_mark = any(each.encode() in text for each in (_T5_MARK, _LANGUAGE_MARK))
        encoder = encoder_of(decode(text).tensors) if has_mark else None
    except (OSError, HeaderError):
        return None
    if encoder is None or any(each.is_file() for each in candidates(path, encoder)):
        return None
    return encoder


def encoder_of(tensors: Mapping[str, Any]) -> str | None:
    """The encoder of a header's entries that may lack a tokenizer, if they hold none.

    Args:
        tensors: entries with a `shape`, as a stranger wrote them.
    """
    if any(name.rpartition(".")[2] in _HELD for name in tensors):
        return None
    for name in tensors:
        if name.endswith(_T5_MARK):
            return _t5(tensors, name.removesuffix(_T5_MARK))
        if name.endswith(_LANGUAGE_MARK) and "visual." not in name:
            found = _language(tensors, name, name.removesuffix(_LANGUAGE_MARK))
            if found is not None:
                return found
    return None


def _t5(tensors: Mapping[str, Any], prefix: str) -> str | None:
    table = _shape(tensors, f"{prefix}shared.weight") or _shape(
        tensors, f"{prefix}encoder.embed_tokens.weight"
    )
    if table and table[0] >= _LARGE_VOCABULARY:
        return "umt5xxl"
    return "pile_t5xl" if f"{prefix}{_T5_SECOND_BIAS}" in tensors else None


def _language(tensors: Mapping[str, Any], table: str, prefix: str) -> str | None:
    layer = f"{prefix}layers.0."
    if f"{layer}self_attn.q_proj.weight" not in tensors:
        return None
    has_norms = f"{layer}self_attn.q_norm.weight" in tensors
    if f"{layer}post_feedforward_layernorm.weight" in tensors:
        return None if has_norms else "gemma2_2b"
    if has_norms or f"{layer}self_attn.k_proj.bias" in tensors:
        return None
    shape = _shape(tensors, table) or (0,)
    llama = "llama3_8b" if shape[0] in _LLAMA_VOCABULARY else None
    if shape[0] == _LLAMA31_VOCABULARY:
        llama = "llama31_8b"
    return _WIDTHS.get(shape[-1], llama)


def _shape(tensors: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """The shape of an entry; empty where there is none, or it is none."""
    entry: object = tensors.get(name)
    given: object = entry.get("shape") if is_mapping(entry) else None
    if not is_list(given) or not all(isinstance(each, int) for each in given):
        return ()
    return tuple(given)
