"""Further parts of Wan's networks that diffusers' class lacks: a reference picture and a camera.

Of Wan Fun (https://github.com/aigc-apps/VideoX-Fun, Apache-2.0, which is the reference for sizes
and names): `ref_conv` makes tokens of a picture, which stand before those of the video like one
more frame; `control_adapter` makes something of the rays of a camera, which is added to the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

RAY_CHANNELS = 24
"""Of a camera: the six numbers of a ray, for each of the four frames of a cell."""


class ResidualBlock(nn.Module):
    """Two convolutions beside their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, C, h, w]."""
        return x + self.conv2(functional.relu(self.conv1(x)))


class CameraAdapter(nn.Module):
    """The rays of a camera, as pixels of cells, to something like the tokens of a video."""

    def __init__(self, channels: int, channels_out: int, blocks: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels_out, 2, 2)
        self.residual_blocks = nn.Sequential(*(ResidualBlock(channels_out) for _ in range(blocks)))

    def forward(self, rays: Tensor) -> Tensor:
        """[B, channels, t, h, w] -> [B, channels_out, t, h / 2, w / 2]."""
        frames = rays.transpose(1, 2).flatten(0, 1)
        found: Tensor = self.residual_blocks(self.conv(frames))
        return found.unflatten(0, (len(rays), -1)).transpose(1, 2)


@contextmanager
def embedded_with(net: nn.Module, reference: Tensor | None, rays: Tensor | None) -> Iterator[None]:
    """Have the first layer of a network add what these parts make, in a `with`.

    Args:
        net: diffusers' class with the parts as `ref_conv` and `control_adapter`.
        reference: [B, C, h, w]; its tokens take the place of the first frame of the input.
        rays: [B, C, t, h, w], see `CameraAdapter`.
    """
    layer: Any = net.patch_embedding
    original: Callable[[Tensor], Tensor] = layer.forward

    def forward(x: Tensor) -> Tensor:
        tokens = original(x if reference is None else x[:, :, 1:])
        if rays is not None:
            tokens = tokens + net.control_adapter(rays)  # type: ignore[operator]
        if reference is None:
            return tokens
        first: Tensor = net.ref_conv(reference)  # type: ignore[operator]
        return torch.cat((first[:, :, None], tokens), dim=2)

    # An attribute of the instance, so that hooks around the call remain.
    layer.__dict__["forward"] = forward
    try:
        yield
    finally:
        del layer.__dict__["forward"]
