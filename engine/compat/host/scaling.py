"""`comfy.utils`: pictures and latents at other sizes, in tiles, and in packed form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from engine.inference.pictures import crop_to_proportions
from nodes.latent_shapes import resize

Amount = float | Callable[[float], float]
"""A factor, or a function of a length."""


def bislerp(samples: Tensor, width: int, height: int) -> Tensor:
    """A latent [B, C, H, W] at another size; directions of cells are turned, not mixed."""
    return resize(samples, width, height, method="bislerp")


def lanczos(samples: Tensor, width: int, height: int) -> Tensor:
    """Pictures [B, C, H, W] in 0..1 at another size, in 8 bits, as Pillow's filter does."""
    pictures = samples.movedim(1, -1).float().cpu()
    levels = (pictures * 255.0).clamp(0, 255).to(torch.uint8).numpy()
    scaled = [_resized(each, width, height) for each in levels]
    return torch.stack(scaled).movedim(-1, 1).to(samples.device, samples.dtype)


def _resized(levels: np.ndarray, width: int, height: int) -> Tensor:
    flat = levels[..., 0] if levels.shape[-1] == 1 else levels
    picture = Image.fromarray(flat).resize((width, height), resample=Image.Resampling.LANCZOS)
    values = torch.from_numpy(np.array(picture).astype(np.float32) / 255.0)
    return values if values.ndim == 3 else values.unsqueeze(-1)


def common_upscale(
    samples: Tensor, width: int, height: int, upscale_method: str, crop: str
) -> Tensor:
    """Pictures or latents [B, C, H, W] or [B, C, T, H, W] at another size.

    Args:
        samples: what to scale.
        width: in cells.
        height: in cells.
        upscale_method: `nearest-exact`, `bilinear`, `area`, `bicubic`, `bislerp`, `lanczos`.
        crop: `center` to cut them to the new proportions first, else `disabled`.
    """
    frames = samples.shape[2] if samples.ndim == 5 else 0
    flat = samples.movedim(2, 1).flatten(0, 1) if frames else samples
    if crop == "center":
        flat = crop_to_proportions(flat.movedim(1, -1), width, height).movedim(-1, 1)
    if upscale_method == "bislerp":
        scaled = bislerp(flat, width, height)
    elif upscale_method == "lanczos":
        scaled = lanczos(flat, width, height)
    else:
        scaled = interpolate(flat, size=(height, width), mode=upscale_method)
    return scaled.unflatten(0, (-1, frames)).movedim(1, 2) if frames else scaled


def get_tiled_scale_steps(width: int, height: int, tile_x: int, tile_y: int, overlap: int) -> int:
    """The number of tiles that cover a picture."""
    across = 1 if width <= tile_x else math.ceil((width - overlap) / (tile_x - overlap))
    down = 1 if height <= tile_y else math.ceil((height - overlap) / (tile_y - overlap))
    return across * down


def tiled_scale(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile_x: int = 64,
    tile_y: int = 64,
    overlap: int = 8,
    upscale_amount: float = 4,
    out_channels: int = 3,
    output_device: torch.device | str = "cpu",
    pbar: Any = None,
) -> Tensor:
    """`tiled_scale_multidim` of pictures [B, C, H, W]."""
    return tiled_scale_multidim(
        samples,
        function,
        (tile_y, tile_x),
        overlap=overlap,
        upscale_amount=upscale_amount,
        out_channels=out_channels,
        output_device=output_device,
        pbar=pbar,
    )


def tiled_scale_multidim(
    samples: Tensor,
    function: Callable[[Tensor], Tensor],
    tile: Sequence[int] = (64, 64),
    overlap: int | Sequence[int] = 8,
    upscale_amount: Amount | Sequence[Amount] = 4,
    out_channels: int = 3,
    output_device: torch.device | str = "cpu",
    downscale: bool = False,
    index_formulas: Amount | Sequence[Amount] | None = None,
    pbar: Any = None,
) -> Tensor:
    """Call a function for each tile of each sample, and blend the results where tiles overlap.

    Args:
        samples: [B, C, ...].
        function: takes [1, C, ...] of a tile's size.
        tile: the largest size of a tile along each of the last axes.
        overlap: cells that neighbours share; one number, or one for each axis.
        upscale_amount: how much longer a result is: a factor or a function of the length; one, or
            one for each axis.
        out_channels: of the results.
        output_device: where they are blended.
        downscale: divide by factors instead.
        index_formulas: where a tile's result begins, as `upscale_amount`; None for the same.
        pbar: its `update(1)` is called after each tile.
    """
    axes = len(tile)
    lengths = _for_each(upscale_amount, axes)
    places = lengths if index_formulas is None else _for_each(index_formulas, axes)
    tiling = _Tiling(tile, _for_each(overlap, axes), lengths, places, downscale)
    results: list[Tensor] = []
    for sample in samples.split(1):
        if all(side <= most for side, most in zip(sample.shape[2:], tile, strict=True)):
            results.append(function(sample).to(output_device))
            _count(pbar)
        else:
            results.append(_blended(sample, function, tiling, out_channels, output_device, pbar))
    return torch.cat(results)


@dataclass(frozen=True, slots=True)
class _Tiling:
    """How large tiles are, and where their results go; one value for each axis."""

    tile: Sequence[int]
    overlap: Sequence[int]
    lengths: Sequence[Any]
    places: Sequence[Any]
    downscale: bool

    def scaled(self, amounts: Sequence[Any], axis: int, value: float) -> int:
        amount: Any = amounts[axis]
        if not isinstance(amount, float | int):
            return round(amount(value))
        return round(value / amount) if self.downscale else round(value * amount)


def _blended(
    sample: Tensor,
    function: Callable[[Tensor], Tensor],
    tiling: _Tiling,
    channels: int,
    device: torch.device | str,
    pbar: Any,
) -> Tensor:
    sides, axes = sample.shape[2:], range(len(tiling.tile))
    size = [tiling.scaled(tiling.lengths, axis, sides[axis]) for axis in axes]
    total = torch.zeros(1, channels, *size, device=device)
    weights = torch.zeros_like(total)
    starts = [_starts(sides[axis], tiling.tile[axis], tiling.overlap[axis]) for axis in axes]
    for start in itertools.product(*starts):
        part = sample
        for axis, first in enumerate(start):
            part = part.narrow(axis + 2, first, min(tiling.tile[axis], sides[axis] - first))
        result = function(part).to(device)
        ramp = torch.ones_like(result[:, :1])
        where: list[slice] = []
        for axis, first in enumerate(start):
            begin = tiling.scaled(tiling.places, axis, first)
            feather = tiling.scaled(tiling.lengths, axis, tiling.overlap[axis])
            ramp *= _ramp(result.shape[axis + 2], feather, axes.stop - axis - 1, result)
            where.append(slice(begin, begin + result.shape[axis + 2]))
        total[(..., *where)] += result * ramp
        weights[(..., *where)] += ramp
        _count(pbar)
    return total / weights


def _for_each(value: Any, axes: int) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value] * axes


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """The first cell of each tile; the last one ends with the axis."""
    if length <= tile:
        return [0]
    starts = range(0, length - overlap, tile - overlap)
    return [max(0, min(length - overlap, each)) for each in starts]


def _ramp(length: int, feather: int, axes_after: int, like: Tensor) -> Tensor:
    """Weights along one axis that rise over `feather` cells and fall again."""
    up = torch.arange(1, length + 1, device=like.device, dtype=like.dtype) / max(feather, 1)
    up = up.clamp(max=1.0)
    return (up * up.flip(0)).reshape(-1, *(1,) * axes_after)


def _count(pbar: Any) -> None:
    if pbar is not None:
        pbar.update(1)


def repeat_to_batch_size(tensor: Tensor, batch_size: int, dim: int = 0) -> Tensor:
    """Exactly that many along an axis: repeated from the start, or cut off."""
    have = tensor.shape[dim]
    if have < batch_size:
        times = [1] * tensor.ndim
        times[dim] = math.ceil(batch_size / have)
        tensor = tensor.repeat(times)
    return tensor if tensor.shape[dim] == batch_size else tensor.narrow(dim, 0, batch_size)


def resize_to_batch_size(tensor: Tensor, batch_size: int) -> Tensor:
    """Exactly that many along the first axis: the nearest of evenly spaced ones."""
    have = tensor.shape[0]
    if have == batch_size:
        return tensor
    if batch_size <= 1:
        return tensor[:batch_size]
    steps = torch.arange(batch_size, dtype=torch.float64)
    if batch_size < have:
        wanted = (steps * ((have - 1) / (batch_size - 1))).round()
    else:
        wanted = ((steps + 0.5) * (have / batch_size)).floor()
    return tensor[wanted.long().clamp(max=have - 1).to(tensor.device)]


def reshape_mask(input_mask: Tensor, output_shape: Sequence[int]) -> Tensor:
    """A mask of any leading axes fitted to the shape [B, C, ...] of a latent."""
    axes = len(output_shape) - 2
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[axes]
    if axes == 2:
        input_mask = input_mask.reshape(-1, 1, *input_mask.shape[-2:])
    elif axes == 3 and input_mask.ndim < 5:
        input_mask = input_mask.reshape(1, 1, -1, *input_mask.shape[-2:])
    elif axes == 1:
        input_mask = input_mask.reshape(-1, 1, input_mask.shape[-1])
    mask = interpolate(input_mask, size=tuple(output_shape[2:]), mode=mode)
    mask = repeat_to_batch_size(mask, output_shape[1], dim=1)
    return repeat_to_batch_size(mask, output_shape[0])


def pack_latents(latents: Sequence[Tensor]) -> tuple[Tensor, list[torch.Size]]:
    """Latents of different shapes as one [B, 1, N], and their shapes."""
    flat = [each.reshape(each.shape[0], 1, -1) for each in latents]
    return torch.cat(flat, dim=-1), [each.shape for each in latents]


def unpack_latents(combined_latent: Tensor, latent_shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    """What `pack_latents` packed; one of a single shape is returned as it is."""
    if len(latent_shapes) < 2:
        return [combined_latent]
    sizes = [math.prod(shape[1:]) for shape in latent_shapes]
    parts = combined_latent.split(sizes, dim=-1)
    batch = combined_latent.shape[0]
    return [
        part.reshape(batch, *shape[1:]) for part, shape in zip(parts, latent_shapes, strict=True)
    ]
