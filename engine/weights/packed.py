"""Which tensors of a file belong together as one packed tensor, and what cannot be unpacked.

Files say how a layer is packed in three ways: by the names of the tensors beside its weight
(`X.scale_weight` or `X.weight_scale`; older ones with a marker `scaled_fp8`), by a description in
JSON in `X.comfy_quant`, or by one description of all layers in the header's metadata. bitsandbytes
has names of its own. Floats of 8 bits without a scale are plain tensors.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import torch

from engine.weights import bitsandbytes
from engine.weights.described import Beside, damaged, described, document_of, foreign, shown
from engine.weights.layers import SIGNS, Layer, packed_layer
from engine.weights.state_dict import StateDict

MARKER = "scaled_fp8"
ASIDE = (
    ".scale_input",
    ".input_scale",
    ".comfy_quant",
    ".comfy_attention.config",
    ".weight_format",
)
"""Tensors beside a packed weight that are not needed to unpack it: scales of activations, for
devices that multiply in 8 bits, and preferences."""
METADATA = "_quantization_metadata"
_SVDQUANT = "4-bit weights of SVDQuant (nunchaku), which need its own kernels"
FOREIGN: tuple[tuple[str, str], ...] = (
    (".wscales", _SVDQUANT),
    (".wtscale", _SVDQUANT),
    (".weight_proj_down", _SVDQUANT),
    (".weight._data", "weights packed by quanto"),
    (".qzeros", "4-bit weights of GPTQ or AWQ"),
    (".qweight", "4-bit weights of GPTQ, AWQ or SVDQuant"),
)
"""Forms that are refused: the end of a tensor's name, and what it shows."""
_WHOLE = (torch.int8, torch.uint8, torch.int16, torch.int32)


def with_packed(weights: StateDict) -> StateDict:
    """The tensors of a file, each packed weight and its parts as one tensor.

    Raises:
        WeightsError: parts are missing or do not fit, or the weights are packed in a way that is
            not supported.
    """
    _refuse_foreign(weights)
    options = dict(_described(weights))
    said_nothing = [base for base in _signed(weights) if base not in options]
    blocks = bitsandbytes.bases(weights.entries)
    entries = dict(weights.entries)
    beside = Beside(weights.origin, weights.entries, set())
    for base in (*options, *said_nothing):
        weight = weights.entries.get(f"{base}.weight")
        if weight is None:
            what = shown(f"description of {base}")
            if base not in options:
                what = shown(
                    next(f"{base}.{sign}" for sign in SIGNS if beside.has(f"{base}.{sign}"))
                )
            raise damaged(
                weights.origin, f"its {what} has no weight {shown(f'{base}.weight')} beside it"
            )
        layer = Layer(base, beside, weight, options.get(base, {}))
        entries[layer.name] = packed_layer(layer)
    for name, state in blocks.items():
        entries[name] = bitsandbytes.packed(beside, name, state)
    aside = {*beside.used, *blocks.values(), *(name for name in weights if _is_aside(name))}
    found = {name: entry for name, entry in entries.items() if name not in aside}
    _refuse_whole(weights, found)
    return replace(weights, entries=found)


def _signed(weights: StateDict) -> dict[str, None]:
    """The layers with a tensor beside their weight that shows that it is packed, in order."""
    found: dict[str, None] = {}
    for name in weights:
        base, _, last = name.rpartition(".")
        if last in SIGNS:
            found[base] = None
    return found


def _described(weights: StateDict) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(layer, its description) for each description in the file."""
    text = weights.metadata.get(METADATA)
    if text is not None:
        layers = document_of(weights.origin, f"metadata {METADATA}", text).get("layers")
        known = frozenset(
            name.removesuffix(".weight") for name in weights if name.endswith(".weight")
        )
        said = cast("dict[Any, Any]", layers if isinstance(layers, dict) else {})
        for base, each in said.items():
            # The description can include layers of parts that were removed.
            if str(base) in known:
                yield str(base), _options(weights, str(base), each)
    for name in weights:
        if name.endswith(".comfy_quant"):
            base = name.removesuffix(".comfy_quant")
            yield (
                base,
                _options(weights, base, described(weights.origin, name, weights.entries[name])),
            )


def _options(weights: StateDict, base: str, said: object) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise damaged(weights.origin, f"its layer {shown(base)} does not say how it is packed")
    found = cast("dict[str, Any]", said)
    if "format" not in found:
        logging.getLogger(__name__).warning(
            "%s: its layer %s does not name its format; it is taken for what its tensors are",
            weights.origin,
            shown(base),
        )
    return found


def _refuse_foreign(weights: StateDict) -> None:
    for ending, what in FOREIGN:
        name = next((name for name in weights if name.endswith(ending)), None)
        if name is not None:
            raise foreign(weights.origin, f"it holds {what}, such as {shown(name)}")


def _refuse_whole(weights: StateDict, entries: Mapping[str, Any]) -> None:
    """Refuse whole numbers as weights: nothing says which values they stand for."""
    for name, entry in entries.items():
        if name.endswith(".weight") and len(entry.shape) > 1 and entry.dtype in _WHOLE:
            raise foreign(
                weights.origin,
                f"its {shown(name)} is packed as {entry.dtype}, and nothing beside it says how",
            )


def _is_aside(name: str) -> bool:
    return name.endswith(ASIDE) or name.rpartition(".")[2] == MARKER
