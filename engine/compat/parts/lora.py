"""Adapters in the form of dictionaries: `comfy.lora`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.adapters.algorithms.table import WEIGHT, changes
from engine.adapters.names import flat
from engine.adapters.rows import Rows
from engine.compat.install import host_module
from engine.compat.parts.weight_adapters import (
    GLoRAAdapter,
    LoHaAdapter,
    LoKrAdapter,
    LoRAAdapter,
    WeightAdapterBase,
    modules_of,
    of_change,
)
from engine.inference.values import Model

DENOISER = "diffusion_model."
TEXT_NAMES: Mapping[str, tuple[str, ...]] = {
    "clip_l": ("lora_te_", "lora_te1_"),
    "clip_h": ("lora_te_",),
    "clip_g": ("lora_te2_",),
}
"""The prefixes that programs write before a text encoder's modules."""
_LOGGER = logging.getLogger(__name__)


def model_lora_keys_unet(model: Any, key_map: dict[str, Any] | None = None) -> dict[str, Any]:
    """Names of modules in adapter files to the tensors of a denoiser, `diffusion_model. ...`.

    Args:
        model: a BaseModel, as `ModelPatcher.model`.
        key_map: is extended and returned.
    """
    found: dict[str, Any] = {} if key_map is None else key_map
    value = getattr(model, "value", None)
    if isinstance(value, Model):
        names = [DENOISER + name for name in value.net.sources]
        others = value.family.lora_names(value.config)
    else:
        names = [name for name in model.state_dict() if name.startswith(DENOISER)]
        others = {}
    weights = [name for name in names if name.endswith(".weight")]
    for name in weights:
        module = name.removeprefix(DENOISER).removesuffix(".weight")
        found[f"lora_unet_{flat(module)}"] = name
        found[f"lora_prior_unet_{flat(module)}"] = name
        found[name.removesuffix(".weight")] = name
    found |= {name: name for name in set(names) - set(weights)}
    existing = set(names)
    for theirs, ours in others.items():
        target = f"{DENOISER}{ours.module if isinstance(ours, Rows) else ours}.weight"
        if target in existing:
            key = _rows_key(target, ours) if isinstance(ours, Rows) else target
            spellings = (f"lora_unet_{flat(theirs)}", f"lycoris_{flat(theirs)}", f"unet.{theirs}")
            found |= dict.fromkeys((*spellings, f"{theirs}.processor"), key)
            found |= dict.fromkeys(
                (f"transformer.{theirs}", f"lora_transformer_{flat(theirs)}"), key
            )
    return found


def _rows_key(target: str, rows: Rows) -> tuple[Any, ...]:
    """Rows of a tensor as `(key, (axis, start, length))`, with a function for swapped halves."""
    key = (target, (0, rows.start, rows.stop - rows.start))
    return (*key, _swapped) if rows.swapped else key


def _swapped(values: Tensor) -> Tensor:
    return torch.cat(values.chunk(2)[::-1])


def model_lora_keys_clip(model: Any, key_map: dict[str, Any] | None = None) -> dict[str, Any]:
    """Names of modules in adapter files to the tensors of text encoders.

    Args:
        model: `clip.cond_stage_model`.
        key_map: is extended and returned.
    """
    found: dict[str, Any] = {} if key_map is None else key_map
    names: list[str] = (
        model.tensor_names() if hasattr(model, "tensor_names") else list(model.state_dict())
    )
    encoders = {name.split(".", 1)[0] for name in names}
    for name in names:
        if not name.endswith(".weight"):
            continue
        encoder, _, rest = name.removesuffix(".weight").partition(".")
        module = rest.removeprefix("transformer.")
        found[f"text_encoders.{encoder}.{rest}"] = name
        found[name.removesuffix(".weight")] = name
        prefixes = TEXT_NAMES.get(encoder, (f"lora_{encoder}_",))
        if encoder == "clip_l" and "clip_g" in encoders:
            prefixes = ("lora_te1_",)
        for prefix in prefixes:
            found[f"{prefix}{flat(module)}"] = name
        number = "_2" if encoder == "clip_g" else ""
        found[f"text_encoder{number}.{module}"] = name
        if encoder == "clip_g" and "clip_l" not in encoders:
            found[f"lora_prior_te_{flat(module)}"] = name
    return found


def load_lora(
    lora: Mapping[str, Tensor], to_load: Mapping[str, Any], log_missing: bool = True
) -> dict[Any, Any]:
    """An adapter as changes by key, for `add_patches`.

    Args:
        lora: the tensors of a file.
        to_load: names of modules to keys, of `model_lora_keys_unet` and `model_lora_keys_clip`.
        log_missing: whether modules that have no key are logged.
    """
    spelled = {flat(name): key for name, key in to_load.items()}
    found: dict[Any, Any] = {}
    missing: list[str] = []
    for name, parts in modules_of(lora).items():
        key = _key(name, to_load, spelled)
        if key is None:
            missing.append(name)
            continue
        for tensor, change in changes(parts):
            target = key if tensor == WEIGHT else _bias(key)
            if target is not None:
                found[target] = of_change(parts, tensor, change)
    if missing and log_missing:
        _LOGGER.warning(
            "%d modules of an adapter match nothing, such as %s", len(missing), missing[0]
        )
    return found


def _key(name: str, to_load: Mapping[str, Any], spelled: Mapping[str, Any]) -> Any:
    if name in to_load:
        return to_load[name]
    plain = flat(name).removeprefix("base_model_model_")
    for spelling in (plain, plain.replace("_processor_", "_")):
        for ending in ("", "_0"):  # attn1.processor.to_out is to_out.0
            if spelling + ending in spelled:
                return spelled[spelling + ending]
    return None


def _bias(key: Any) -> Any:
    if isinstance(key, str):
        return f"{key.removesuffix('.weight')}.bias" if key.endswith(".weight") else None
    return (_bias(key[0]), *key[1:]) if isinstance(key, tuple) else None


TUPLES: Mapping[str, type[WeightAdapterBase]] = {
    each.name: each for each in (LoRAAdapter, LoHaAdapter, LoKrAdapter, GLoRAAdapter)
}
"""Adapters that older packs write as a tuple of the name and the weights."""


def calculate_weight(
    patches: Sequence[Sequence[Any]],
    weight: Tensor,
    key: str,
    intermediate_dtype: torch.dtype = torch.float32,
    original_weights: Any = None,
) -> Tensor:
    """A weight with patches applied in order; `weight` may be changed.

    Args:
        patches: `(strength, value, strength_model, offset, function)`. A value is an adapter, a
            tuple `("lora", weights)`, `("diff", (tensor,))`, `("set", (tensor,))`,
            `("model_as_lora", (tensor,))`, `(tensor,)`, or a list of a weight and its own patches,
            whose result is the difference.
        weight: on the device to compute on.
        key: the tensor's name, for messages.
        intermediate_dtype: to compute adapters in.
        original_weights: by key, `[(tensor, function)]`, for `model_as_lora`.
    """
    for strength, given, strength_model, offset, function in patches:
        value: Any = given
        if isinstance(value, tuple) and len(value) == 2 and value[0] in TUPLES:
            value = TUPLES[value[0]]((), value[1])
        whole, part = weight, weight
        if offset is not None:
            part = whole.narrow(offset[0], offset[1], offset[2])
        if strength_model != 1.0:
            part *= strength_model
        if isinstance(value, list):
            (base, convert), *inner = value
            started = convert(base.to(part.device, intermediate_dtype).clone())
            nested = host_module("comfy.lora").calculate_weight(inner, started, key)
            value = (nested,)
        if isinstance(value, WeightAdapterBase) or hasattr(value, "calculate_weight"):
            adapter: Any = value
            changed = adapter.calculate_weight(
                part,
                key,
                strength,
                strength_model,
                offset,
                function,
                intermediate_dtype,
                original_weights,
            )
            if changed is None:
                _LOGGER.warning("a patch of %s was not applied", key)
            elif offset is None:
                weight = changed
            else:
                part.copy_(changed)
            continue
        weight = _with_tuple(whole, part, value, strength, function, key, original_weights)
    return weight


def _with_tuple(
    whole: Tensor,
    part: Tensor,
    value: Any,
    strength: float,
    function: Callable[[Tensor], Tensor] | None,
    key: str,
    original_weights: Any,
) -> Tensor:
    """`whole` after a value that is a tuple changed `part`, a view of it."""
    kind, data = ("diff", value) if len(value) == 1 else (value[0], value[1])
    change = function or (lambda a: a)
    if kind == "diff":
        tensor: Tensor = data[0]
        if len(data) > 1 and data[1].get("pad_weight") and tensor.shape != part.shape:
            wide = torch.zeros(tensor.shape, dtype=part.dtype, device=part.device)
            wide[tuple(slice(0, side) for side in part.shape)] = part
            whole = part = wide
        if strength == 0.0:
            return whole
        if tensor.shape != part.shape:
            _LOGGER.warning(
                "a patch of %s was not applied: it is %s, the weight %s",
                key,
                list(tensor.shape),
                list(part.shape),
            )
            return whole
        part += change(strength * tensor.to(part.device, part.dtype))
    elif kind == "set":
        part.copy_(data[0])
    elif kind == "model_as_lora":
        original = part if original_weights is None else original_weights[key][0][0]
        target = data[0].to(part.device, part.dtype)
        part += change(strength * (target - original.to(part.device, part.dtype)))
    else:
        _LOGGER.warning("a patch of %s was not applied: its kind is %r", key, kind)
    return whole
