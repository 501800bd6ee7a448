"""Functions beside the nodes in modules of `comfy_extras`, which plugins call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.compat.core_nodes.calling import call
from engine.diffusion.guidance import Predictions
from engine.diffusion.guidance_variants import tangentially_damped
from engine.diffusion.published import GITS_STEPS, gits_levels
from engine.diffusion.schedules import loglinear
from engine.errors import NodeError
from nodes.model_saving import save_checkpoint as save_checkpoint_node

STANDING_UPRIGHT = math.radians(90)


def composite(
    destination: Tensor,
    source: Tensor,
    x: int,
    y: int,
    mask: Tensor | None = None,
    multiplier: int = 8,
    resize_source: bool = False,
) -> Tensor:
    """Paste `source` into `destination` in place, where the mask is white.

    Args:
        destination: [B, C, H, W].
        source: [B', C, h, w].
        x, y: where its corner goes, in units of `1 / multiplier`; may be outside.
        mask: [B'', h, w] or [B'', 1, h, w] of any size; without one, all is pasted.
        multiplier: 8 for latents with `x` in pixels, 1 for pictures.
        resize_source: first scale it to the destination's size.

    Returns:
        `destination`.
    """
    source = source.to(destination)
    if resize_source:
        source = functional.interpolate(source, destination.shape[2:], mode="bilinear")
    source = _repeated(source, len(destination))
    rows, columns = source.shape[2:]
    x = max(-columns * multiplier, min(x, destination.shape[3] * multiplier)) // multiplier
    y = max(-rows * multiplier, min(y, destination.shape[2] * multiplier)) // multiplier
    if mask is None:
        cover = torch.ones(1, 1, rows, columns)
    else:
        cover = mask.reshape(-1, 1, mask.shape[-2], mask.shape[-1]).float()
        cover = functional.interpolate(cover, (rows, columns), mode="bilinear")
    cover = _repeated(cover.to(destination), len(destination))
    top, left = max(-y, 0), max(-x, 0)
    height = min(rows - top, destination.shape[2] - max(y, 0))
    width = min(columns - left, destination.shape[3] - max(x, 0))
    if height <= 0 or width <= 0:
        return destination
    seen = (..., slice(top, top + height), slice(left, left + width))
    below = (..., slice(max(y, 0), max(y, 0) + height), slice(max(x, 0), max(x, 0) + width))
    destination[below] = cover[seen] * source[seen] + (1 - cover[seen]) * destination[below]
    return destination


def _repeated(batch: Tensor, count: int) -> Tensor:
    """The batch, repeated and cut to `count`."""
    return batch.repeat(math.ceil(count / len(batch)), *[1] * (batch.ndim - 1))[:count]


def gaussian_blur_2d(img: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """Pictures [B, C, H, W] under a Gaussian of `kernel_size` pixels a side, mirrored outside."""
    offsets = torch.arange(kernel_size, dtype=torch.float32, device=img.device)
    weights = torch.exp(-0.5 * ((offsets - (kernel_size - 1) / 2) / sigma) ** 2)
    weights = (weights / weights.sum()).to(img.dtype)
    channels = img.shape[-3]
    kernel = (weights[:, None] * weights[None]).expand(channels, 1, -1, -1)
    reach = kernel_size // 2
    around = functional.pad(img, [reach] * 4, mode="reflect")
    return functional.conv2d(around, kernel, groups=channels)


def gaussian_kernel(
    kernel_size: int, sigma: float, device: torch.device | str | None = None
) -> Tensor:
    """[kernel_size, kernel_size], with the sum 1; `sigma` counts in half sides of the kernel."""
    offsets = torch.linspace(-1, 1, kernel_size, device=device)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = weights[:, None] * weights[None]
    return kernel / kernel.sum()


def loglinear_interp(t_steps: Sequence[float], num_steps: int) -> np.ndarray:
    """`num_steps` levels with the ends of those, interpolated linearly in log sigma."""
    return loglinear(list(t_steps), num_steps).double().numpy()


@cache
def gits_noise_levels() -> dict[float, list[list[float]]]:
    """The tables of GITS by coefficient: a row of levels for each number of steps from 2 to 20."""
    return {
        each / 20: [gits_levels(each / 20, steps) for steps in range(2, GITS_STEPS + 1)]
        for each in range(16, 31)
    }


def score_tangential_damping(cond_score: Tensor, uncond_score: Tensor) -> Tensor:
    """The negative's noise [B, ...] without what is not along the direction common to both.

    See `engine.diffusion.guidance_variants.tangentially_damped`.
    """
    nothing = torch.zeros_like(cond_score)
    given = Predictions(nothing, torch.ones(1), -cond_score, -uncond_score, 1.0)
    return -tangentially_damped(given).negative


def create_blur_map(x0: Tensor, attn: Tensor, sigma: float = 3.0, threshold: float = 1.0) -> Tensor:
    """A prediction, blurred where attention is high: Self-Attention Guidance, arXiv 2210.00939.

    Args:
        x0: the prediction [B, C, H, W].
        attn: attention of the middle block [B, heads, tokens, tokens].
        sigma: of the blur.
        threshold: on the attention that each token receives, averaged over heads.
    """
    received = attn.mean(1).sum(1)
    rows, columns = _grid(received.shape[1], x0.shape[-2], x0.shape[-1])
    mask = (received > threshold).reshape(len(attn), 1, rows, columns).to(x0)
    mask = functional.interpolate(mask, x0.shape[2:])
    return gaussian_blur_2d(x0, 9, sigma) * mask + x0 * (1 - mask)


def _grid(tokens: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the tokens of a latent, whose sides were halved and rounded up."""
    rows, columns = height, width
    while rows * columns > tokens and max(rows, columns) > 1:
        rows, columns = math.ceil(rows / 2), math.ceil(columns / 2)
    if rows * columns != tokens:
        raise NodeError(
            f"{tokens} tokens do not fit a latent of {height} x {width} that is halved; pass the "
            "attention of the same latent"
        )
    return rows, columns


def camera_embeddings(elevation: float, azimuth: float) -> Tensor:
    """[1, 1, 4]: the change of the camera that Zero123 is given; angles in degrees."""
    around = math.radians(azimuth)
    lowered = -math.radians(elevation)
    return torch.tensor([[[lowered, math.sin(around), math.cos(around), STANDING_UPRIGHT]]])


def save_checkpoint(
    model: Any,
    clip: Any = None,
    vae: Any = None,
    clip_vision: Any = None,
    filename_prefix: str | None = None,
    output_dir: str | None = None,
    prompt: Mapping[str, Any] | None = None,
    extra_pnginfo: Mapping[str, Any] | None = None,
) -> None:
    """Save a plugin's MODEL, CLIP and VAE as one checkpoint in the output folder.

    Raises:
        NodeError: an encoder of pictures was to be saved, too.
    """
    del output_dir, prompt, extra_pnginfo
    if clip_vision is not None:
        raise NodeError("a checkpoint with a CLIP_VISION was requested; save it without one")
    prefix = filename_prefix or "checkpoints/ComfyUI"
    given = {"model": model, "clip": clip, "vae": vae, "filename_prefix": prefix}
    call(save_checkpoint_node, given)


def get_noise_mask(latent: Mapping[str, Any]) -> Tensor:
    """The noise mask of a latent [B, C, T, H, W], one for each frame; all ones without one."""
    mask = latent.get("noise_mask")
    samples: Tensor = latent["samples"]
    if mask is None:
        batch, _, frames, _, _ = samples.shape
        return torch.ones(batch, 1, frames, 1, 1, dtype=torch.float32, device=samples.device)
    return mask.clone()


def get_keyframe_idxs(cond: Any) -> tuple[Tensor | None, int]:
    """The places of guiding frames in a CONDITIONING, and of how many frames they are."""
    found = next((each[1].get("keyframe_idxs") for each in cond), None)
    if found is None:
        return None, 0
    return found, int(torch.unique(found[:, 0, :, 0] if found.ndim == 4 else found[:, 0]).numel())
