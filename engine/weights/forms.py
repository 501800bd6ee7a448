"""The forms in which files pack tensors, each with its unpacking.

The parts of a form are identified by position. `packed.py` determines which tensors of a file
belong together. Values are computed in float32, a few rows at a time, so that unpacking needs
little memory beside its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor

SLICE_BYTES: Mapping[str, int] = {"cpu": 2**20, "cuda": 2**26}
"""Bytes of float32 values that are unpacked at a time, by the type of device: what its cache holds,
or what keeps it busy."""


BLOCK_OF_MX, BLOCK_OF_NV = 32, 16
"""Values that share a factor."""
PADDING_OF_MX, PADDING_OF_NV = 32, 16
"""Rows and columns are filled up to a multiple of this."""


class Form(Protocol):
    """How one kind of file packs a tensor."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """The values in `dtype`, on the device of the parts."""
        ...


@runtime_checkable
class Padded(Form, Protocol):
    """A form whose parts may have more rows and columns than the tensor."""

    @property
    def padding(self) -> int:
        """Rows and columns are filled up to a multiple of this."""
        ...

    def cut(self, rows: int, columns: int) -> Self:
        """The form of a tensor of that size, of the same parts."""
        ...


def by_rows(
    rows: int,
    shape: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
    make: Callable[[int, int], Tensor],
) -> Tensor:
    """A tensor that is computed a few rows at a time.

    Args:
        rows: how many there are.
        shape: of the result; its elements are those of the rows in order.
        dtype: of the result.
        device: of the result.
        make: from the first and the last row (exclusive) to their values in float32.
    """
    result = torch.empty(shape, dtype=dtype, device=device)
    flat = result.view(rows, -1)
    wide = max(flat.shape[1], 1) * torch.float32.itemsize
    step = max(SLICE_BYTES.get(device.type, SLICE_BYTES["cuda"]) // wide, 1)
    for first in range(0, rows, step):
        last = min(first + step, rows)
        flat[first:last] = make(first, last).view(last - first, -1)
    return result


@dataclass(frozen=True, slots=True)
class ScaledFloat8:
    """8-bit floats and one scale for all of them: values = parts[0] * parts[1].

    parts[1] is one number, or one for each row of the values: [N], or [N, 1, ...].
    """

    name: str = "scaled fp8"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`. The product is computed in float32."""
        values, scale = parts
        scale = scale.float().flatten()
        rows = values.shape[0] if values.ndim else 1
        each = values.reshape(rows, -1)
        is_one = scale.numel() == 1

        def make(first: int, last: int) -> Tensor:
            factor = scale if is_one else scale[first:last, None]
            return each[first:last].float().mul_(factor)

        return by_rows(rows, values.shape, dtype, values.device, make)


@dataclass(frozen=True, slots=True)
class TiledFloat8:
    """8-bit floats with a scale for each tile of `size` x `size`.

    parts: [N, K] values, [N / size, K / size] factors (rounded up). DeepSeek's and Qwen's files
    call the factors `weight_scale_inv`.
    """

    size: int
    name: str = "fp8 with a scale for each tile"

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        values, scale = parts
        columns = values.shape[1]
        wide = scale.float().repeat_interleave(self.size, 1)[:, :columns]

        def make(first: int, last: int) -> Tensor:
            rows = torch.arange(first, last, device=values.device) // self.size
            return values[first:last].float().mul_(wide[rows])

        return by_rows(values.shape[0], values.shape, dtype, values.device, make)


@dataclass(frozen=True, slots=True)
class MxFloat8:
    """8-bit floats with a power of two for each 32 in a row (mxfp8).

    parts: [N, K] values; exponents (e8m0), swizzled, see `unswizzled`. OCP Microscaling Formats
    1.0, section 5.1.
    """

    rows: int
    columns: int
    name: str = "mxfp8"
    padding: int = PADDING_OF_MX

    def cut(self, rows: int, columns: int) -> Self:
        """See `Padded`."""
        return replace(self, rows=rows, columns=columns)

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        values, scales = parts
        blocks = values.shape[1] // BLOCK_OF_MX
        plain = unswizzled(scales.view(torch.uint8), values.shape[0], blocks)
        factors = powers_of_two(plain)

        def make(first: int, last: int) -> Tensor:
            found = values[first:last].float().view(last - first, blocks, BLOCK_OF_MX)
            return found.mul_(factors[first:last, :, None]).flatten(1)[:, : self.columns]

        return by_rows(self.rows, (self.rows, self.columns), dtype, values.device, make)


@dataclass(frozen=True, slots=True)
class NvFloat4:
    """4-bit floats (e2m1) with an 8-bit float for each 16 in a row, and a factor for all (nvfp4).

    parts: [N, K / 2] pairs, the first in the high half of its byte; factors (e4m3), swizzled, see
    `unswizzled`; one number; optionally [K], factors of the layer's input, which are the columns'.
    """

    rows: int
    columns: int
    name: str = "nvfp4"
    padding: int = PADDING_OF_NV

    def cut(self, rows: int, columns: int) -> Self:
        """See `Padded`."""
        return replace(self, rows=rows, columns=columns)

    def unpack(self, parts: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        """See `Form`."""
        pairs, scales, scale, *inputs = parts
        blocks = pairs.shape[1] * 2 // BLOCK_OF_NV
        plain = unswizzled(scales.view(torch.uint8), pairs.shape[0], blocks)
        factors = plain.view(torch.float8_e4m3fn).float().mul_(scale.float())
        table = pair_table(E2M1, pairs.device, high_first=True)
        columns = inputs[0].float().flatten()[: self.columns] if inputs else None

        def make(first: int, last: int) -> Tensor:
            found = looked_up(table, pairs[first:last]).view(last - first, blocks, BLOCK_OF_NV)
            found = found.mul_(factors[first:last, :, None]).flatten(1)[:, : self.columns]
            return found if columns is None else found * columns

        return by_rows(self.rows, (self.rows, self.columns), dtype, pairs.device, make)


E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
"""The values of a 4-bit float by its bits."""
_TILE_ROWS, _TILE_COLUMNS = 128, 4


def swizzled_size(rows: int, columns: int) -> int:
    """How many numbers `unswizzled` reads for a matrix of that size."""
    down, across = -(-rows // _TILE_ROWS), -(-columns // _TILE_COLUMNS)
    return down * _TILE_ROWS * across * _TILE_COLUMNS


def unswizzled(scales: Tensor, rows: int, columns: int) -> Tensor:
    """The factors of blocks as a matrix [rows, columns].

    Tensor cores read them in tiles of 128 x 4, in which 4 groups of 32 rows lie side by side:
    https://docs.nvidia.com/cuda/cublas/#d-block-scaling-factors-layout.
    """
    down, across = -(-rows // _TILE_ROWS), -(-columns // _TILE_COLUMNS)
    tiles = scales.reshape(down, across, _TILE_ROWS // 4, 4, _TILE_COLUMNS)
    whole = tiles.permute(0, 3, 2, 1, 4).reshape(down * _TILE_ROWS, across * _TILE_COLUMNS)
    return whole[:rows, :columns].contiguous()


def powers_of_two(exponents: Tensor) -> Tensor:
    """2 ** (e - 127) of bytes (e8m0) in float32; 0 where e is 0, as such blocks hold zeros."""
    return (exponents.int() << 23).view(torch.float32)


def pair_table(
    values: Sequence[float] | Tensor, device: torch.device, *, high_first: bool
) -> Tensor:
    """[256, 2] the two values of each byte that holds two of 16."""
    table = torch.as_tensor(values, dtype=torch.float32, device=device).flatten()
    high, low = table.repeat_interleave(16), table.repeat(16)
    return torch.stack((high, low) if high_first else (low, high), dim=1)


def looked_up(table: Tensor, pairs: Tensor) -> Tensor:
    """[..., K] values in float32 of [..., K / 2] bytes, by `pair_table`."""
    indices = pairs.view(torch.uint8).int().flatten()
    return table.index_select(0, indices).view(*pairs.shape[:-1], -1)
