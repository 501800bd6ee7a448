"""Converts pictures to the channels of an upscale model, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import NodeError

KNOWN = (1, 3, 4)
"""Grey, colour, colour with transparency."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitting:
    """Pictures converted for a model, and the inverse conversion.

    Attributes:
        pictures: [N, the model's channels, H, W].
        restore: the model's results [N, its result channels, H', W'] as pictures [B, H', W', C].
    """

    pictures: Tensor
    restore: Callable[[Tensor], Tensor]


def fitted(images: Tensor, channels: int, result_channels: int, scale: int) -> Fitting:
    """Pictures [B, H, W, C] for a model.

    A colour model gets a grey picture in all three channels, and transparency is enlarged
    separately (bicubic). A grey model gets every channel as a separate picture. The result has the
    channels of `images`, unless the model changes their number (grey to colour).

    Raises:
        NodeError: the number of channels is not in `KNOWN`.
    """
    held = images.shape[-1]
    if held not in KNOWN or channels not in KNOWN:
        raise NodeError(
            f"the upscale model takes pictures of {channels} channels and the pictures have "
            f"{held}; 1 (grey), 3 (colour) and 4 (with transparency) can be used"
        )
    planes = images.float().movedim(-1, 1)
    if result_channels != channels:
        return Fitting(_converted(planes, channels), _finished)
    if channels == 1:
        return _plane_by_plane(planes)
    transparency = planes[:, 3:]

    def restore(results: Tensor) -> Tensor:
        if held == 1:
            return _finished(results[:, :3].mean(1, keepdim=True))
        if held == 4 and channels == 3:
            enlarged = functional.interpolate(transparency, scale_factor=scale, mode="bicubic")
            results = torch.cat([results, enlarged], 1)
        return _finished(results[:, :held])

    return Fitting(_converted(planes, channels), restore)


def _plane_by_plane(planes: Tensor) -> Fitting:
    batch, held = planes.shape[:2]
    return Fitting(
        planes.flatten(0, 1)[:, None],
        lambda results: _finished(results[:, 0].unflatten(0, (batch, held))),
    )


def _converted(planes: Tensor, channels: int) -> Tensor:
    """Planes [B, 1, 3 or 4, H, W] converted to another number of channels."""
    colour = planes[:, :3]
    if channels == 1:
        return colour.mean(1, keepdim=True)
    colour = colour.expand(-1, 3, -1, -1)
    if channels == 3:
        return colour
    transparency = planes[:, 3:] if planes.shape[1] == 4 else torch.ones_like(colour[:, :1])
    return torch.cat([colour, transparency], 1)


def _finished(planes: Tensor) -> Tensor:
    return planes.clamp(0, 1).movedim(1, -1).contiguous()
