"""`comfy.utils`: names and values of state dicts, and attributes by dotted names."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import Any

import torch
from torch import Tensor, nn

_RESIDUAL_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
_TEXT_OUTER = {
    "positional_embedding": "embeddings.position_embedding.weight",
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}


def calculate_parameters(sd: Mapping[str, Tensor], prefix: str = "") -> int:
    """The number of values in the tensors whose names begin with `prefix`."""
    return sum(value.nelement() for name, value in sd.items() if name.startswith(prefix))


def weight_dtype(sd: Mapping[str, Tensor], prefix: str = "") -> torch.dtype | None:
    """The dtype that most of the values have; None without tensors."""
    counts: Counter[torch.dtype] = Counter()
    for name, value in sd.items():
        if name.startswith(prefix):
            counts[value.dtype] += value.numel()
    return counts.most_common(1)[0][0] if counts else None


def state_dict_key_replace(
    state_dict: MutableMapping[str, Any], keys_to_replace: Mapping[str, str]
) -> MutableMapping[str, Any]:
    """Rename entries in place; names that are not there are skipped."""
    for old, new in keys_to_replace.items():
        if old in state_dict:
            state_dict[new] = state_dict.pop(old)
    return state_dict


def state_dict_prefix_replace(
    state_dict: MutableMapping[str, Any],
    replace_prefix: Mapping[str, str],
    filter_keys: bool = False,
) -> MutableMapping[str, Any]:
    """Rename entries by their beginnings, taking them out of `state_dict`.

    Returns:
        `state_dict` with the new names; with `filter_keys` a new dictionary of the renamed only.
    """
    renamed = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for name in [each for each in state_dict if each.startswith(old)]:
            renamed[new + name[len(old) :]] = state_dict.pop(name)
    return renamed


def transformers_convert(
    sd: MutableMapping[str, Tensor], prefix_from: str, prefix_to: str, number: int
) -> MutableMapping[str, Tensor]:
    """Rename OpenCLIP's residual blocks to those of transformers' CLIP, in place.

    Args:
        sd: has names such as `{prefix_from}resblocks.0.ln_1.weight`.
        prefix_from: before `resblocks`.
        prefix_to: before `encoder.layers`.
        number: of blocks. The joint projection of attention is split into three.
    """
    for index in range(number):
        ours = f"{prefix_from}resblocks.{index}."
        theirs = f"{prefix_to}encoder.layers.{index}."
        for old, new in _RESIDUAL_BLOCK.items():
            for kind in ("weight", "bias"):
                if f"{ours}{old}.{kind}" in sd:
                    sd[f"{theirs}{new}.{kind}"] = sd.pop(f"{ours}{old}.{kind}")
        for kind in ("weight", "bias"):
            joint = sd.pop(f"{ours}attn.in_proj_{kind}", None)
            if joint is not None:
                for name, part in zip("qkv", joint.chunk(3), strict=True):
                    sd[f"{theirs}self_attn.{name}_proj.{kind}"] = part
    return sd


def clip_text_transformers_convert(
    sd: MutableMapping[str, Tensor], prefix_from: str, prefix_to: str
) -> MutableMapping[str, Tensor]:
    """Rename an OpenCLIP text encoder's tensors to those of transformers, in place."""
    outer = {
        f"{prefix_from}{old}": f"{prefix_to}text_model.{new}" for old, new in _TEXT_OUTER.items()
    }
    state_dict_key_replace(sd, outer)
    transformers_convert(sd, f"{prefix_from}transformer.", f"{prefix_to}text_model.", 32)
    projection = f"{prefix_to}text_projection.weight"
    if f"{prefix_from}text_projection.weight" in sd:
        sd[projection] = sd.pop(f"{prefix_from}text_projection.weight")
    elif f"{prefix_from}text_projection" in sd:  # a parameter, multiplied from the other side
        sd[projection] = sd.pop(f"{prefix_from}text_projection").transpose(0, 1).contiguous()
    return sd


def convert_sd_to(
    state_dict: MutableMapping[str, Tensor], dtype: torch.dtype
) -> MutableMapping[str, Tensor]:
    """Convert all tensors in place."""
    for name in list(state_dict):
        state_dict[name] = state_dict[name].to(dtype)
    return state_dict


def detect_layer_quantization(state_dict: Mapping[str, Any], prefix: str) -> dict[str, bool] | None:
    """Whether layers carry a mark of their own quantization; None if none does."""
    marked = any(n.startswith(prefix) and n.endswith(".comfy_quant") for n in state_dict)
    return {"mixed_ops": True} if marked else None


def convert_old_quants(
    state_dict: MutableMapping[str, Any],
    model_prefix: str = "",  # noqa: ARG001 - the name is part of the interface
    metadata: dict[str, Any] | None = None,
) -> tuple[MutableMapping[str, Any], dict[str, Any]]:
    """The same tensors and metadata: files of every form are read here as they are."""
    return state_dict, metadata if metadata is not None else {}


def get_attr(obj: Any, attr: str) -> Any:
    """The attribute with a dotted name, such as `blocks.0.weight`. Raises `AttributeError`."""
    for part in attr.split("."):
        obj = getattr(obj, part)
    return obj


def set_attr(obj: Any, attr: str, value: Any) -> Any:
    """Set the attribute with a dotted name; returns what was there."""
    above, _, last = attr.rpartition(".")
    holder = get_attr(obj, above) if above else obj
    before = getattr(holder, last)
    setattr(holder, last, value)
    return before


def set_attr_param(obj: Any, attr: str, value: Tensor) -> Any:
    """The same with a parameter that is not trained."""
    return set_attr(obj, attr, nn.Parameter(value, requires_grad=False))


def set_attr_buffer(obj: Any, attr: str, value: Tensor) -> Any:
    """The same with a buffer."""
    above, _, last = attr.rpartition(".")
    holder = get_attr(obj, above) if above else obj
    before = getattr(holder, last, None)
    persistent = last not in getattr(holder, "_non_persistent_buffers_set", set())
    holder.register_buffer(last, value, persistent=persistent)
    return before


def copy_to_param(obj: Any, attr: str, value: Tensor) -> None:
    """Copy values into the parameter with a dotted name, which stays the same object."""
    get_attr(obj, attr).data.copy_(value)


def string_to_seed(data: str | bytes) -> int:
    """A number in 0..2^32 - 1 from a text: its CRC-32."""
    return zlib.crc32(data.encode() if isinstance(data, str) else data)
