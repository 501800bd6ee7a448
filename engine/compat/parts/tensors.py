"""Scaling of pictures as the host's `common_upscale` does it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from engine.compat.install import host_module


def common_upscale(samples: Tensor, width: int, height: int, method: str, crop: str) -> Any:
    """Pictures [B, C, H, W] of another size, by the facade's function as it is now."""
    return host_module("comfy.utils").common_upscale(samples, width, height, method, crop)
