"""Packed layers of files: from the name of a format to one tensor of its parts.

Formats: the PyPI package comfy-kitchen, and files that say nothing but what their tensors are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import torch

from engine.errors import WeightsError
from engine.weights.described import Beside, damaged, finite, foreign, shown, whole
from engine.weights.forms import (
    BLOCK_OF_MX,
    BLOCK_OF_NV,
    PADDING_OF_MX,
    PADDING_OF_NV,
    Form,
    MxFloat8,
    NvFloat4,
    ScaledFloat8,
    TiledFloat8,
    swizzled_size,
)
from engine.weights.integer_forms import (
    GroupedInt4,
    Int8,
    RotatedInt4,
    ZeroPointInt4,
    is_rotation,
)
from engine.weights.state_dict import Entry

VALUES = torch.bfloat16
"""What packed weights are values of, if nothing else says it."""
_BYTES = (torch.int8, torch.uint8)
_FLOAT8: Mapping[str, torch.dtype] = {
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
}
_ROTATED, _GROUP, _AWQ_GROUP, _TILE = 256, 16, 64, 128
_LLM_INT8 = 127.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One packed layer.

    Attributes:
        base: its name; `base.weight` is the packed weight.
        beside: the tensors of the file.
        weight: the packed weight.
        options: what its description says.
    """

    base: str
    beside: Beside
    weight: Entry
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of its weight."""
        return f"{self.base}.weight"

    def option(self, name: str) -> object:
        """A setting of the description, at its top or under `params`."""
        inner = self.options.get("params")
        below = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
        return self.options.get(name, below.get(name))

    def size(self, name: str, otherwise: int) -> int:
        """A setting that is a positive whole number."""
        found = self.option(name)
        size = otherwise if found is None else whole(found)
        if size is None:
            raise damaged(self.beside.origin, f"its layer {shown(self.base)} says {name} {found!r}")
        return size

    def matrix(self, kinds: tuple[torch.dtype, ...]) -> tuple[int, int]:
        """The shape of the stored weight, which must be a matrix of one of these dtypes."""
        weight = self.weight
        if weight.dtype not in kinds or len(weight.shape) != 2 or 0 in weight.shape:
            raise damaged(
                self.beside.origin,
                f"its {shown(self.name)} should be a matrix of {' or '.join(map(str, kinds))}, "
                f"found {str(list(weight.shape))[:60]} of {weight.dtype}",
            )
        return weight.shape[0], weight.shape[1]

    def divides(self, columns: int, size: int, what: str) -> None:
        """Refuse groups that do not divide the columns."""
        if columns % size:
            raise damaged(
                self.beside.origin,
                f"its {shown(self.name)} has {columns:,} columns, which are no groups of {size} "
                f"({what})",
            )

    def rotation(self, columns: int) -> int:
        """The size of its rotated groups."""
        size = self.size("convrot_groupsize", _ROTATED)
        if not is_rotation(size):
            raise damaged(
                self.beside.origin, f"its layer {shown(self.base)} says convrot_groupsize {size}"
            )
        self.divides(columns, size, "convrot_groupsize")
        return size

    def cut(self, rows: int, columns: int, padding: int) -> tuple[int, int]:
        """The size without padding, as far as the description or the bias says it."""
        said = self.option("orig_shape")
        sides = [whole(side) for side in said] if isinstance(said, list) else []
        if [_padded(side or 0, padding) for side in sides] == [rows, columns]:
            return sides[0] or rows, sides[1] or columns
        bias = self.beside.entries.get(f"{self.base}.bias")
        if bias is not None and len(bias.shape) == 1 and _padded(bias.shape[0], padding) == rows:
            return bias.shape[0], columns
        return rows, columns

    def entry(self, form: Form, *parts: Entry, shape: tuple[int, ...] | None = None) -> Entry:
        """One tensor of the weight and these parts."""
        return Entry.packed(form, (self.weight, *parts), shape or self.weight.shape, VALUES)

    def factors(self) -> Entry:
        """The factor of all values, or one for each row."""
        old, new = f"{self.base}.scale_weight", f"{self.name}_scale"
        name = old if self.beside.has(old) else new
        scale = self.beside.entries.get(name)
        shape = self.weight.shape
        rows = shape[0] if shape else 1
        if scale is None:
            raise damaged(
                self.beside.origin,
                f"its packed weight {shown(self.name)} needs {shown(new)}, which is missing",
            )
        self.beside.used.add(name)
        fits = prod(scale.shape) == 1 or scale.shape in ((rows,), (rows, *(1 for _ in shape[1:])))
        if not fits or 0 in shape or not scale.dtype.is_floating_point:
            raise WeightsError(
                f"{self.beside.origin}: its scale {shown(name)} has the shape "
                f"{str(list(scale.shape))[:60]} and {scale.dtype}; expected one number, or one for "
                f"each of the {rows:,} rows of the weight, of floating point. Download the file "
                "again, or get another version of it."
            )
        return finite(self.beside.origin, name, scale)


def _padded(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple


def _float8(layer: Layer) -> Entry:
    expected = _FLOAT8.get(str(layer.options.get("format")))
    if expected is not None and layer.weight.dtype != expected:
        raise damaged(
            layer.beside.origin,
            f"its {shown(layer.name)} should be {expected}, found {layer.weight.dtype}",
        )
    made = layer.entry(ScaledFloat8(), layer.factors())
    if layer.weight.dtype.itemsize == 1:
        return made
    return Entry.packed(made.form or ScaledFloat8(), made.stored, made.shape, layer.weight.dtype)


def _mxfp8(layer: Layer) -> Entry:
    rows, columns = layer.matrix(tuple(_FLOAT8.values()))
    layer.divides(columns, BLOCK_OF_MX, "mxfp8")
    count = swizzled_size(rows, columns // BLOCK_OF_MX)
    scales = layer.beside.need_scales(f"{layer.name}_scale", count, torch.float8_e8m0fnu)
    shape = layer.cut(rows, columns, PADDING_OF_MX)
    return layer.entry(MxFloat8(*shape), scales, shape=shape)


def _nvfp4(layer: Layer) -> Entry:
    rows, half = layer.matrix(_BYTES)
    layer.divides(half * 2, BLOCK_OF_NV, "nvfp4")
    count = swizzled_size(rows, half * 2 // BLOCK_OF_NV)
    beside, name = layer.beside, layer.name
    parts = [
        beside.need_scales(f"{name}_scale", count, torch.float8_e4m3fn),
        beside.need(f"{name}_scale_2", 1),
    ]
    shape = layer.cut(rows, half * 2, PADDING_OF_NV)
    inputs = f"{layer.base}.pre_quant_scale"
    if beside.has(inputs):
        found = prod(beside.entries[inputs].shape)
        parts.append(beside.need(inputs, min(max(found, shape[1]), half * 2)))
    return layer.entry(NvFloat4(*shape), *parts, shape=shape)


def _int8(layer: Layer) -> Entry:
    weight = layer.weight
    if weight.dtype != torch.int8 or not weight.shape:
        raise damaged(
            layer.beside.origin,
            f"its {shown(layer.name)} should be torch.int8, found {weight.dtype}",
        )
    group = layer.rotation(layer.matrix((torch.int8,))[1]) if layer.option("convrot") else 0
    return layer.entry(Int8(group), layer.factors())


def _convrot_w4a4(layer: Layer) -> Entry:
    rows, half = layer.matrix(_BYTES)
    scales = layer.beside.need(f"{layer.name}_scale", rows)
    form = RotatedInt4(layer.rotation(half * 2))
    return layer.entry(form, scales, shape=(rows, half * 2))


def _asym_w4a8(layer: Layer) -> Entry:
    beside, name = layer.beside, layer.name
    rows, stored = layer.matrix(_BYTES)
    size = layer.size("group_size", _GROUP)
    relative = beside.entries.get(f"{name}_s_rel")
    groups = relative.shape[1] if relative is not None and len(relative.shape) == 2 else 0
    columns = groups * size
    if groups and stored * 2 != columns and stored * 4 != columns * 3:
        raise damaged(
            beside.origin,
            f"its {shown(name)} has {stored:,} bytes in a row, which are neither 4 nor 6 bits for "
            f"each of {columns:,} columns",
        )
    parts = [
        beside.need_shape(f"{name}_s_rel", (rows, max(groups, 1))),
        beside.need(f"{name}_s_channel", rows),
    ]
    has_table, has_correction = (
        beside.has(f"{name}_{part}") for part in ("codebook", "correction")
    )
    if has_table:
        parts.append(beside.need(f"{name}_codebook", 16))
    if has_correction:
        parts.append(beside.need_shape(f"{name}_correction", (groups, rows)))
    form = GroupedInt4(size, layer.rotation(columns), has_table, has_correction)
    return layer.entry(form, *parts, shape=(rows, columns))


def _awq_w4a16(layer: Layer) -> Entry:
    rows, half = layer.matrix(_BYTES)
    size = layer.size("group_size", _AWQ_GROUP)
    layer.divides(half * 2, size, "group_size")
    shape = (half * 2 // size, rows)
    parts = [layer.beside.need_shape(f"{layer.name}_{part}", shape) for part in ("scale", "zeros")]
    return layer.entry(ZeroPointInt4(size), *parts, shape=(rows, half * 2))


def _tiled_float8(layer: Layer) -> Entry:
    rows, columns = layer.matrix(tuple(_FLOAT8.values()))
    shape = (-(-rows // _TILE), -(-columns // _TILE))
    scales = layer.beside.need_shape(f"{layer.name}_scale_inv", shape)
    return layer.entry(TiledFloat8(_TILE), scales)


def _llm_int8(layer: Layer) -> Entry:
    rows, _ = layer.matrix((torch.int8,))
    scales = layer.beside.need(f"{layer.base}.SCB", rows)
    return layer.entry(Int8(divisor=_LLM_INT8, name="LLM.int8"), scales)


FORMATS: Mapping[str, Callable[[Layer], Entry]] = {
    "float8_e4m3fn": _float8,
    "float8_e5m2": _float8,
    "mxfp8": _mxfp8,
    "nvfp4": _nvfp4,
    "int8_tensorwise": _int8,
    "convrot_w4a4": _convrot_w4a4,
    "asym_w4a8_int8": _asym_w4a8,
    "awq_w4a16": _awq_w4a16,
}
"""Layers by the format that their description names."""
_BY_TENSORS: tuple[tuple[str, Callable[[Layer], Entry]], ...] = (
    ("weight_s_rel", _asym_w4a8),
    ("weight_zeros", _awq_w4a16),
    ("weight_scale_2", _nvfp4),
    ("weight_scale_inv", _tiled_float8),
    ("SCB", _llm_int8),
)
SIGNS = (*(sign for sign, _ in _BY_TENSORS), "weight_scale", "scale_weight")
"""Names of tensors beside a weight that show that it is packed."""
_BLOCK_SCALES = (torch.uint8, torch.float8_e8m0fnu)


def packed_layer(layer: Layer) -> Entry:
    """The layer's weight as one tensor.

    Raises:
        WeightsError: its format is not known, or its parts are missing or do not fit.
    """
    said = layer.options.get("format")
    if said is None:
        return _by_tensors(layer)
    make = FORMATS.get(said) if isinstance(said, str) else None
    if make is None:
        raise foreign(
            layer.beside.origin, f"its layer {shown(layer.base)} is packed as {str(said)[:60]!r}"
        )
    return make(layer)


def _by_tensors(layer: Layer) -> Entry:
    """The layer's weight where nothing names its format."""
    for sign, make in _BY_TENSORS:
        if layer.beside.has(f"{layer.base}.{sign}"):
            return make(layer)
    scale = layer.beside.entries.get(f"{layer.name}_scale")
    if scale is not None and scale.dtype in _BLOCK_SCALES:
        return _mxfp8(layer)
    if layer.weight.dtype == torch.int8:
        return _int8(layer)
    if layer.weight.dtype.is_floating_point:
        return _float8(layer)
    raise foreign(
        layer.beside.origin,
        f"its {shown(layer.name)} is packed as {layer.weight.dtype} with a scale",
    )
