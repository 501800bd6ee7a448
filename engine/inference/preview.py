"""Previews: latents to small pictures by a linear map, far cheaper than an autoencoder.

Also fits the factors of the map, which are part of a latent format. `preview_run.py` decides when
a run makes previews, and how.
"""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch import Tensor

from engine.families.latent_format import LatentFormat

LARGEST = 512
"""Pixels along the longer side of a preview."""
QUALITY = 80
RGB = 3
FALSE_COLOUR = 0.5
"""The brightness of a channel of a latent whose colours are not known."""


def preview(latent: Tensor, form: LatentFormat) -> bytes:
    """A JPEG of the first latent of a batch.

    A video is shown by its middle frame, a latent of one axis as a strip. A format without factors
    has false colours: its first three channels as red, green and blue.

    Args:
        latent: [B, C, ...] or [C, ...] in the denoiser's scale, with 1 to 3 axes.
        form: the format, whose `rgb_factors` map to -1..1.
    """
    cells = first_cells(latent, form)
    if form.rgb_factors is None:
        factors = torch.eye(form.channels, RGB, device=cells.device) * FALSE_COLOUR
    else:
        factors = torch.tensor(form.rgb_factors, device=cells.device)
    bias = torch.tensor(form.rgb_bias, device=cells.device)
    pixels = cells.float().movedim(0, -1) @ factors + bias
    return jpeg(pixels, (cells.shape[-2], cells.shape[-1]), form.pixels)


def first_cells(latent: Tensor, form: LatentFormat) -> Tensor:
    """The cells [C, h, w] of a batch that its preview shows."""
    cells = latent.detach()[0] if latent.ndim == 2 + form.dims else latent.detach()
    while cells.ndim > 3:
        cells = cells[:, cells.shape[1] // 2]
    return cells[:, None] if cells.ndim == 2 else cells


def jpeg(pixels: Tensor, cells: tuple[int, int], scale: int) -> bytes:
    """Pixels [h, w, 3] in -1..1 as a JPEG of the size of the decoded latent, at most `LARGEST`.

    Args:
        pixels: of any size.
        cells: rows and columns of the latent.
        scale: pixels per cell along one side.
    """
    # A diverged sampler shows black instead of ending the run.
    levels = pixels.nan_to_num().add(1).mul(127.5).clamp(0, 255).byte().cpu()
    scaled = min(float(scale), LARGEST / max(cells))
    rows, columns = (max(round(side * scaled), 1) for side in cells)
    image = Image.fromarray(levels.numpy())
    if image.size != (columns, rows):
        image = image.resize((columns, rows), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def fit_rgb_factors(
    latents: Tensor, images: Tensor
) -> tuple[tuple[tuple[float, float, float], ...], tuple[float, float, float]]:
    """The `rgb_factors` and `rgb_bias` that fit pictures best, by least squares.

    Args:
        latents: [B, C, h, w] in the denoiser's scale.
        images: [B, H, W, 3] in 0..1, the decoded latents; H a multiple of h.
    """
    channels, size = latents.shape[1], (latents.shape[-2], latents.shape[-1])
    pixels = torch.nn.functional.adaptive_avg_pool2d(images.movedim(-1, 1).float() * 2 - 1, size)
    cells = latents.float().movedim(1, -1).reshape(-1, channels)
    known = torch.cat((cells, torch.ones(len(cells), 1)), dim=1)
    found = torch.linalg.lstsq(known, pixels.movedim(1, -1).reshape(-1, 3)).solution
    *factors, bias = ((r, g, b) for r, g, b in found.tolist())
    return tuple(factors), bias
