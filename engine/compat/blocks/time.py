# pyright: basic
# ruff: noqa: D102 - what the base class documents
"""Small parts of the latent diffusion networks: embeddings of time, blending, layers by axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.blocks.ops import disable_weight_init
from engine.nets.layers import timestep_embedding as embedded


def timestep_embedding(
    timesteps: Tensor, dim: int, max_period: float = 10000, repeat_only: bool = False
) -> Tensor:
    """[B] as [B, dim]: cosines, then sines, of falling frequency (Vaswani et al. 2017)."""
    if repeat_only:
        return timesteps[:, None].expand(-1, dim)
    return embedded(timesteps, dim, period=float(max_period))


def checkpoint(func: Callable[..., Any], inputs: Iterable[Any], params: Any, flag: Any) -> Any:
    """Call a function; its intermediate results are never dropped and computed again here."""
    del params, flag
    return func(*inputs)


def zero_module(module: nn.Module) -> nn.Module:
    """The module with all parameters 0, in place."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    return module


def scale_module(module: nn.Module, scale: float) -> nn.Module:
    """The module with all parameters multiplied, in place."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(scale)
    return module


def mean_flat(tensor: Tensor) -> Tensor:
    """The mean over all axes but the first."""
    return tensor.mean(dim=list(range(1, tensor.ndim)))


def conv_nd(dims: int, *args: Any, **kwargs: Any) -> nn.Module:
    """A convolution over 1 to 3 axes."""
    return {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims](*args, **kwargs)


def avg_pool_nd(dims: int, *args: Any, **kwargs: Any) -> nn.Module:
    """Pooling over 1 to 3 axes."""
    return {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}[dims](*args, **kwargs)


def linear(*args: Any, **kwargs: Any) -> nn.Module:
    """A projection."""
    return disable_weight_init.Linear(*args, **kwargs)


def normalization(channels: int, dtype: torch.dtype | None = None) -> nn.Module:
    """A norm over 32 groups."""
    return nn.GroupNorm(32, channels, dtype=dtype)


class AlphaBlender(nn.Module):
    """Blends a spatial and a temporal result by a learned or fixed share.

    Blattmann et al. 2023, "Align your Latents", eq. 3. `merge_strategy`: "fixed", "learned", or
    "learned_with_images" (1 where `image_only_indicator` is set).
    """

    strategies = ("learned", "fixed", "learned_with_images")

    def __init__(
        self,
        alpha: float,
        merge_strategy: str = "learned_with_images",
        rearrange_pattern: str = "b t -> (b t) 1 1",
    ) -> None:
        super().__init__()
        if merge_strategy not in self.strategies:
            raise ValueError(f"merge_strategy is {merge_strategy!r}, not one of {self.strategies}")
        self.merge_strategy = merge_strategy
        self.rearrange_pattern = rearrange_pattern
        factor = torch.tensor([float(alpha)])
        if merge_strategy == "fixed":
            self.register_buffer("mix_factor", factor)
        else:
            self.mix_factor = nn.Parameter(factor)

    def get_alpha(self, image_only_indicator: Tensor | None, device: Any) -> Tensor:
        """The share of the spatial result, to multiply it with."""
        factor: Tensor = self.mix_factor.to(device)
        if self.merge_strategy == "fixed":
            return factor
        share = torch.sigmoid(factor)
        if self.merge_strategy == "learned" or image_only_indicator is None:
            return share
        only = image_only_indicator.bool().to(device)
        share = torch.where(only, torch.ones_like(share), share.expand(only.shape))
        return share.flatten()

    def forward(
        self,
        x_spatial: Tensor,
        x_temporal: Tensor,
        image_only_indicator: Tensor | None = None,
    ) -> Tensor:
        share = self.get_alpha(image_only_indicator, x_spatial.device).to(x_spatial.dtype)
        if len(share) not in (1, len(x_spatial)):
            share = share.repeat(len(x_spatial) // len(share))
        share = share.reshape(-1, *(1 for _ in x_spatial.shape[1:]))
        return share * x_spatial + (1.0 - share) * x_temporal
