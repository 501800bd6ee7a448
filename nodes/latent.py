"""Nodes that create, scale, composite, blend and mask latents."""

from __future__ import annotations

from typing import Annotated

import torch

from engine.inference.sample import PIXELS_OF_CELL
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_scaling import Crop, as_masks, match_count, scale_masks, size_in_proportion
from nodes.latent_shapes import CELL, UpscaleMethod, fit_size, require_alike, resize
from nodes.sockets import Latent, Mask

Side = Annotated[int, Range(16, 16384, step=8)]
UpscaledSide = Annotated[int, Range(0, 16384, step=8)]
Offset = Annotated[int, Range(0, 16384, step=8)]
LEAST_SIDE = 64
"""Pixels below which LatentUpscale goes neither way."""
CHANNELS = 4


@node("EmptyLatentImage", category="latent", display="Empty Latent Image")
def empty_latent_image(
    width: Side = 512,
    height: Side = 512,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
) -> Latent:
    """Create an empty latent for text to image; sides in pixels."""
    samples = torch.zeros(batch_size, CHANNELS, height // CELL, width // CELL)
    return {"samples": samples, PIXELS_OF_CELL: CELL}


@node("LatentUpscale", category="latent", display="Upscale Latent")
def latent_upscale(
    samples: Latent,
    upscale_method: UpscaleMethod,
    width: UpscaledSide = 512,
    height: UpscaledSide = 512,
    *,
    crop: Crop,
) -> Latent:
    """Scale a latent to a size in pixels.

    A side of 0 follows from the other; both of 0 change nothing. `bislerp` interpolates the
    direction of the cells' channel vectors where `bilinear` mixes them, and so preserves their
    contrast.
    """
    rows, columns = samples["samples"].shape[-2:]
    if width == 0 and height == 0:
        return samples
    if width == 0:
        width = round(columns * max(height, LEAST_SIDE) / rows)
    elif height == 0:
        height = round(rows * max(width, LEAST_SIDE) / columns)
    width, height = size_in_proportion(width, height, of=(columns * CELL, rows * CELL))
    wide, high = (max(side, LEAST_SIDE) // CELL for side in (width, height))
    scaled = resize(samples["samples"], wide, high, method=upscale_method, crop=crop)
    return samples | {"samples": scaled}


@node("LatentUpscaleBy", category="latent", display="Upscale Latent By")
def latent_upscale_by(
    samples: Latent,
    upscale_method: UpscaleMethod,
    scale_by: Annotated[float, Range(0.01, 8.0, step=0.01)] = 1.5,
) -> Latent:
    """Scale a latent by a factor."""
    rows, columns = samples["samples"].shape[-2:]
    width, height = (max(round(side * scale_by), 1) for side in (columns, rows))
    return samples | {"samples": resize(samples["samples"], width, height, method=upscale_method)}


@node("LatentComposite", category="latent", display="Latent Composite")
def latent_composite(
    samples_to: Latent,
    samples_from: Latent,
    x: Offset = 0,
    y: Offset = 0,
    feather: Offset = 0,
) -> Latent:
    """Place one latent over another at x, y in pixels.

    Its borders fade in over `feather` pixels, except at the border of the other.
    """
    below = samples_to["samples"]
    above = match_count(samples_from["samples"], below.shape[0])
    left, top, fade = x // CELL, y // CELL, feather // CELL
    rows, columns = below.shape[-2:]
    height, width = above.shape[-2:]
    cover = torch.ones(height, width)
    for step in range(min(fade, max(height, width))):
        share = (step + 1) / fade
        if top > 0:
            cover[step : step + 1, :] *= share
        if top + height < rows:
            cover[height - 1 - step : height - step, :] *= share
        if left > 0:
            cover[:, step : step + 1] *= share
        if left + width < columns:
            cover[:, width - 1 - step : width - step] *= share
    return samples_to | {"samples": _lay_over(below, above, cover, left, top)}


@node("LatentCompositeMasked", category="latent")
def latent_composite_masked(
    destination: Latent,
    source: Latent,
    x: Offset = 0,
    y: Offset = 0,
    resize_source: bool = False,
    mask: Mask | None = None,
) -> Latent:
    """Place a source over a destination at x, y in pixels, where a mask is white."""
    below, above = destination["samples"], source["samples"]
    if resize_source:
        above = resize(above, below.shape[-1], below.shape[-2])
    above = match_count(above, below.shape[0])
    height, width = above.shape[-2:]
    cover = torch.ones(1, height, width)
    if mask is not None:
        cover = match_count(scale_masks(as_masks(mask), width, height), below.shape[0])
    cover = cover.reshape(-1, *(1,) * (below.ndim - 3), height, width)
    return destination | {"samples": _lay_over(below, above, cover, x // CELL, y // CELL)}


def _lay_over(
    below: torch.Tensor, above: torch.Tensor, cover: torch.Tensor, left: int, top: int
) -> torch.Tensor:
    """One latent over another by a cover [..., h, w]; what exceeds the edges is cut off."""
    require_alike(above, below)
    rows, columns = below.shape[-2:]
    height, width = above.shape[-2:]
    seen = (..., slice(0, max(rows - top, 0)), slice(0, max(columns - left, 0)))
    covered = (..., slice(top, top + height), slice(left, left + width))
    cover = cover.to(below)
    result = below.clone()
    result[covered] = cover[seen] * above.to(below)[seen] + (1 - cover[seen]) * below[covered]
    return result


@node("LatentBlend", category="_for_testing", display="Latent Blend")
def latent_blend(
    samples1: Latent,
    samples2: Latent,
    blend_factor: Annotated[float, Range(0, 1, step=0.01)] = 0.5,
) -> Latent:
    """Mix two latents: the factor is the share of the first.

    A first latent of one row is mixed with every row of the second; otherwise the second is
    repeated or cut.
    """
    first = samples1["samples"]
    second = fit_size(samples2["samples"], first, method="bicubic")
    if first.shape[0] > 1:
        second = match_count(second, first.shape[0])
    return samples1 | {"samples": first * blend_factor + second * (1 - blend_factor)}


@node("SetLatentNoiseMask", category="latent/inpaint", display="Set Latent Noise Mask")
def set_latent_noise_mask(samples: Latent, mask: Mask) -> Latent:
    """Sample only where the mask is white; elsewhere the latent is unchanged."""
    return samples | {"noise_mask": as_masks(mask).unsqueeze(1)}
