"""Matches latents of different sizes and counts; shared by several latent nodes.

Pure functions of tensors [B, C, h, w] or, with time, [B, C, T, h, w]. Sizes count in cells of the
latent, not in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch.nn.functional import normalize

from engine.errors import NodeError
from nodes.image_scaling import crop_to_proportions, match_count, scale

UpscaleMethod = Literal["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]
CELL = 8
"""Pixels to a cell, each way: what these nodes' widgets take, whatever the model."""
_PARALLEL = 1e-5
"""How near to 1 the cosine is where two directions count as one, or as opposite."""


def resize(
    samples: torch.Tensor,
    width: int,
    height: int,
    *,
    method: str = "bilinear",
    crop: str = "disabled",
) -> torch.Tensor:
    """Latents at another size; `crop="center"` first cuts them to its proportions.

    Raises:
        NodeError: the size is not positive, or the method unknown.
    """
    if width < 1 or height < 1:
        raise NodeError(f"cannot scale a latent to {width}x{height} cells; both must be at least 1")
    images = _folded(samples).movedim(1, -1)
    if method == "bislerp":
        if crop == "center":
            images = crop_to_proportions(images, width, height)
        images = _spherical(_spherical(images, width, 2), height, 1)
    else:
        images = scale(images, width, height, method=method, crop=crop)
    return _unfolded(images.movedim(-1, 1), samples)


def fit(samples: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Latents at the size and count of others: scaled to fill, repeated or cut off."""
    return match_count(fit_size(samples, like), like.shape[0])


def require_alike(samples: torch.Tensor, like: torch.Tensor, *, any_frames: bool = False) -> None:
    """Refuse latents that do not go together.

    Raises:
        NodeError: they have other channels, or only one of them has time, or, unless `any_frames`,
            another number of frames.
    """
    if samples.ndim != like.ndim or samples.shape[1] != like.shape[1]:
        raise NodeError(
            f"these latents do not go together: {list(samples.shape)} and {list(like.shape)} "
            "(batch, channels, ...); both must come from models of one family"
        )
    if like.ndim == 5 and samples.shape[2] != like.shape[2] and not any_frames:
        raise NodeError(
            f"these latents do not go together: one has {samples.shape[2]} frames, the other "
            f"{like.shape[2]}; cut one of them along t first"
        )


def fit_size(
    samples: torch.Tensor,
    like: torch.Tensor,
    *,
    method: str = "bilinear",
    any_frames: bool = False,
) -> torch.Tensor:
    """Latents at the size of others: scaled to fill and cropped.

    Raises:
        NodeError: as for `require_alike`.
    """
    require_alike(samples, like, any_frames=any_frames)
    if samples.shape[-2:] == like.shape[-2:]:
        return samples
    height, width = like.shape[-2:]
    return resize(samples, width, height, method=method, crop="center")


def join_batches(latents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One batch of several, all at the first one's size; each row keeps its number for noise.

    Raises:
        NodeError: there are none, or they do not go together.
    """
    if not latents:
        raise NodeError("asked for a batch of no latents; connect at least one")
    first = latents[0]
    samples = torch.cat([fit_size(each["samples"], first["samples"]) for each in latents])
    numbers = [number for each in latents for number in row_numbers(each)]
    return first | {"samples": samples, "batch_index": numbers}


def row_numbers(latent: dict[str, Any], *, start: int = 0) -> list[int]:
    """Which draw of noise belongs to each row: as the latent says, or counted from `start`."""
    given = latent.get("batch_index")
    if given is not None:
        return list(given)
    return list(range(start, start + latent["samples"].shape[0]))


def _folded(samples: torch.Tensor) -> torch.Tensor:
    """The time axis, if there is one, merged into the batch."""
    return samples.movedim(2, 1).flatten(0, 1) if samples.ndim == 5 else samples


def _unfolded(samples: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if like.ndim == 5:
        return samples.unflatten(0, (like.shape[0], like.shape[2])).movedim(1, 2)
    return samples.contiguous()


def _spherical(images: torch.Tensor, size: int, dim: int) -> torch.Tensor:
    """Images [B, H, W, C] at another size along one side, directions turned, not mixed.

    Cell centres fall as in bilinear scaling; between two of them, see `blend_directions`.
    """
    have = images.shape[dim]
    positions = (torch.arange(size, dtype=torch.float32) + 0.5) * (have / size) - 0.5
    positions = positions.clamp(0, have - 1).to(images.device)
    low = positions.floor().long()
    high = (low + 1).clamp(max=have - 1)
    shape = [1, 1, 1, 1]
    shape[dim] = size
    share = (positions - low).reshape(shape).to(images.dtype)
    return blend_directions(
        images.index_select(dim, low), images.index_select(dim, high), share, dim=-1, mix=slerp
    )


Mix = Callable[[torch.Tensor, torch.Tensor, "torch.Tensor | float", int], torch.Tensor]


def blend_directions(
    first: torch.Tensor, second: torch.Tensor, share: torch.Tensor | float, *, dim: int, mix: Mix
) -> torch.Tensor:
    """Vectors along `dim` blended, `share` of the second: lengths linearly, directions by `mix`."""
    lengths = [torch.linalg.vector_norm(each, dim=dim, keepdim=True) for each in (first, second)]
    length = lengths[0] * (1 - share) + lengths[1] * share
    return mix(normalize(first, dim=dim), normalize(second, dim=dim), share, dim) * length


def slerp(
    first: torch.Tensor, second: torch.Tensor, share: torch.Tensor | float, dim: int
) -> torch.Tensor:
    """Unit vectors turned towards others along the great circle (Shoemake 1985, section 3.3).

    Where two are nearly parallel or opposite no circle is defined, and they are mixed linearly.
    """
    cosine = (first * second).sum(dim, keepdim=True)
    plain = cosine.abs() > 1 - _PARALLEL
    angle = torch.where(plain, 1.0, cosine.clamp(-1, 1).acos())
    weights = ((1 - share) * angle).sin() / angle.sin(), (share * angle).sin() / angle.sin()
    turned = first * weights[0] + second * weights[1]
    return torch.where(plain, first * (1 - share) + second * share, turned)


def lerp_directions(
    first: torch.Tensor, second: torch.Tensor, share: torch.Tensor | float, dim: int
) -> torch.Tensor:
    """Unit vectors mixed linearly and made unit again; opposite ones of equal share give zero."""
    return normalize(first * (1 - share) + second * share, dim=dim)
