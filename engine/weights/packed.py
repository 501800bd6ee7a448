"""Which tensors of a file belong together as one packed tensor, and what cannot be unpacked yet.

Files mark weights as 8-bit floats with a scale in three ways: `X.scale_weight` beside `X.weight`,
with a marker `scaled_fp8`; `X.weight_scale`, with a description in JSON in `X.comfy_quant`; and the
same with one description of all layers in the header's metadata. Floats of 8 bits without a scale
are plain tensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any, NoReturn, cast

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.forms import ScaledFloat8
from engine.weights.state_dict import Entry, StateDict

MARKER = "scaled_fp8"
SCALES = (".scale_weight", ".weight_scale")
ASIDE = (".scale_input", ".input_scale", ".comfy_quant")
"""Tensors beside a packed weight that are not needed to unpack it: scales of activations, for
devices that multiply in 8 bits."""
METADATA = "_quantization_metadata"
FORMATS: Mapping[str, torch.dtype] = {
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
LONGEST_DESCRIPTION = 1 << 16
FOREIGN: tuple[tuple[str, str], ...] = (
    (".quant_state.bitsandbytes__nf4", "4-bit weights of bitsandbytes (nf4)"),
    (".quant_state.bitsandbytes__fp4", "4-bit weights of bitsandbytes (fp4)"),
    (".wscales", "4-bit weights of SVDQuant (nunchaku)"),
    (".weight_scale_inv", "8-bit weights with a scale for each tile"),
)
"""Forms that are refused: the end of a tensor's name, and what it shows."""


def with_packed(weights: StateDict) -> StateDict:
    """The tensors of a file, each packed weight and its scale as one tensor.

    Raises:
        WeightsError: a scale fits no weight, or the weights are packed in a way that is not
            supported.
    """
    described = dict(_described(weights))
    scales = {
        name.removesuffix(ending): name
        for ending in SCALES
        for name in weights
        if name.endswith(ending)
    }
    _refuse_foreign(weights)
    if not described and not scales and not any(map(_is_aside, weights)):
        return weights
    entries = {
        name: entry
        for name, entry in weights.entries.items()
        if name not in scales.values() and not _is_aside(name)
    }
    for base, kind in described.items():
        if kind not in FORMATS:
            _refuse(weights, f"its layer {_shown(base)} is packed as {kind[:60]!r}")
    for base in described.keys() | scales.keys():
        name = f"{base}.weight"
        weight = entries.get(name)
        if weight is None:
            what = scales.get(base, f"description of {base}")
            _refuse_damaged(weights, f"its {_shown(what)} has no weight {_shown(name)} beside it")
        expected = FORMATS[described[base]] if base in described else None
        if expected is not None and weight.dtype != expected:
            _refuse_damaged(
                weights, f"its {_shown(name)} should be {expected}, found {weight.dtype}"
            )
        if base in scales:
            entries[name] = _scaled(weights, name, weight, scales[base])
    return replace(weights, entries=entries)


def _scaled(weights: StateDict, name: str, weight: Entry, scale_name: str) -> Entry:
    scale = weights.entries[scale_name]
    if not weight.dtype.is_floating_point:
        _refuse(weights, f"its {_shown(name)} is packed as {weight.dtype} with a scale")
    rows = weight.shape[0] if weight.shape else 1
    fits = prod(scale.shape) == 1 or scale.shape in (
        (rows,),
        (rows, *(1 for _ in weight.shape[1:])),
    )
    if not fits or prod(weight.shape) == 0 or not scale.dtype.is_floating_point:
        raise WeightsError(
            f"{weights.origin}: its scale {_shown(scale_name)} has the shape "
            f"{str(list(scale.shape))[:60]} and {scale.dtype}; expected one number, or one for "
            f"each of the {rows:,} rows of the weight, of floating point. Download the file again, "
            "or get another version of it."
        )
    checked = replace(scale, read=lambda: _finite(weights.origin, scale_name, scale.read()))
    one_byte = weight.dtype.itemsize == 1
    logical = torch.bfloat16 if one_byte else weight.dtype
    return Entry.packed(ScaledFloat8(), (weight, checked), weight.shape, logical)


def _finite(origin: str, name: str, scale: Tensor) -> Tensor:
    """The scale, checked when it is read."""
    if not bool(torch.isfinite(scale.float()).all()):
        raise WeightsError(
            f"{origin}: its scale {_shown(name)} is not a number everywhere; the file is damaged. "
            "Download it again."
        )
    return scale


def _described(weights: StateDict) -> Iterator[tuple[str, str]]:
    """(layer, name of its format) for each description in the file."""
    text = weights.metadata.get(METADATA)
    if text is not None:
        layers = _json(weights, f"metadata {METADATA}", text).get("layers")
        known = _names_of_layers(weights)
        for base, each in cast(
            "dict[Any, Any]", layers if isinstance(layers, dict) else {}
        ).items():
            # The description can include layers of parts that were removed.
            if str(base) in known:
                yield str(base), _format(weights, str(base), each)
    for name in weights:
        if name.endswith(".comfy_quant"):
            base = name.removesuffix(".comfy_quant")
            entry = weights.entries[name]
            if entry.dtype != torch.uint8 or prod(entry.shape) > LONGEST_DESCRIPTION:
                _refuse_damaged(weights, f"its {_shown(name)} should be a short text in bytes")
            document = _json(weights, _shown(name), bytes(entry.read().flatten().tolist()))
            yield base, _format(weights, base, document)


def _names_of_layers(weights: StateDict) -> frozenset[str]:
    return frozenset(name.removesuffix(".weight") for name in weights if name.endswith(".weight"))


def _json(weights: StateDict, what: str, text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(
            f"{weights.origin}: its {what} is no JSON ({str(error)[:80]}); download it again."
        ) from error
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _format(weights: StateDict, base: str, described: object) -> str:
    found = cast("dict[str, Any]", described).get("format") if isinstance(described, dict) else None
    if not isinstance(found, str):
        _refuse_damaged(weights, f"its layer {_shown(base)} does not say how it is packed")
    return found


def _refuse_foreign(weights: StateDict) -> None:
    for ending, what in FOREIGN:
        name = next((name for name in weights if name.endswith(ending)), None)
        if name is not None:
            _refuse(weights, f"it holds {what}, such as {_shown(name)}")


def _refuse(weights: StateDict, finding: str) -> NoReturn:
    raise WeightsError(
        f"{weights.origin}: {finding}, which Calotype does not read yet; get the model in "
        "fp16, bf16 or fp8."
    )


def _refuse_damaged(weights: StateDict, finding: str) -> NoReturn:
    raise WeightsError(
        f"{weights.origin}: {finding}; the file is damaged. Download it again, or get another "
        "version of it."
    )


def _is_aside(name: str) -> bool:
    return name.endswith(ASIDE) or name.rpartition(".")[2] == MARKER


def _shown(name: str) -> str:
    return repr(name[:120])
