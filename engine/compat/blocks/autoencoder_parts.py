# pyright: basic
# ruff: noqa: D102 - what the base class documents
"""Blocks of the latent diffusion autoencoders, in the original key layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compat.blocks.alike import Alike
from engine.compat.blocks.ops import disable_weight_init as ops
from engine.nets import autoencoder_kl


def nonlinearity(x: Tensor) -> Tensor:
    """X * sigmoid(x)."""
    return functional.silu(x)


def Normalize(in_channels: int, num_groups: int = 32) -> nn.Module:  # noqa: N802
    """A norm over groups of channels."""
    return ops.GroupNorm(num_groups=num_groups, num_channels=in_channels, eps=1e-6, affine=True)


def vae_attention() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The attention of an autoencoder: a function of q, k, v [B, C, h, w], one head."""

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        query, key, value = (each.flatten(2).transpose(1, 2)[:, None] for each in (q, k, v))
        out = functional.scaled_dot_product_attention(query, key, value)
        return out[:, 0].transpose(1, 2).reshape(v.shape)

    return attend


class ResnetBlock(nn.Module, metaclass=Alike):
    """Two convolutions with norms, and a residual."""

    alike: ClassVar[tuple[type, ...]] = (autoencoder_kl.ResidualBlock,)
    conv_shortcut: nn.Module
    nin_shortcut: nn.Module

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int | None = None,
        conv_shortcut: bool = False,
        dropout: float = 0.0,
        temb_channels: int = 512,
        conv_op: Any = ops.Conv2d,
        norm_op: Callable[[int], nn.Module] = Normalize,
    ) -> None:
        super().__init__()
        out = out_channels or in_channels
        self.in_channels, self.out_channels = in_channels, out
        self.use_conv_shortcut = conv_shortcut
        self.norm1 = norm_op(in_channels)
        self.conv1 = conv_op(in_channels, out, kernel_size=3, stride=1, padding=1)
        if temb_channels > 0:
            self.temb_proj = ops.Linear(temb_channels, out)
        self.norm2 = norm_op(out)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv_op(out, out, kernel_size=3, stride=1, padding=1)
        if in_channels != out:
            size = 3 if conv_shortcut else 1
            shortcut = conv_op(in_channels, out, kernel_size=size, stride=1, padding=size // 2)
            setattr(self, "conv_shortcut" if conv_shortcut else "nin_shortcut", shortcut)

    def forward(self, x: Tensor, temb: Tensor | None = None) -> Tensor:
        h = self.conv1(nonlinearity(self.norm1(x)))
        if temb is not None:
            h = h + self.temb_proj(nonlinearity(temb))[:, :, None, None]
        h = self.conv2(self.dropout(nonlinearity(self.norm2(h))))
        if self.in_channels != self.out_channels:
            x = (self.conv_shortcut if self.use_conv_shortcut else self.nin_shortcut)(x)
        return x + h


class AttnBlock(nn.Module):
    """Self-attention over the cells of a feature map, as a residual."""

    q: nn.Module
    k: nn.Module
    v: nn.Module
    proj_out: nn.Module

    def __init__(
        self,
        in_channels: int,
        conv_op: Any = ops.Conv2d,
        norm_op: Callable[[int], nn.Module] = Normalize,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.norm = norm_op(in_channels)
        for name in ("q", "k", "v", "proj_out"):
            setattr(self, name, conv_op(in_channels, in_channels, kernel_size=1))
        self.optimized_attention = vae_attention()

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        return x + self.proj_out(self.optimized_attention(self.q(h), self.k(h), self.v(h)))


class Upsample(nn.Module):
    """Twice as large by the nearest cell, then a convolution."""

    def __init__(
        self, in_channels: int, with_conv: bool, conv_op: Any = ops.Conv2d, scale_factor: Any = 2.0
    ) -> None:
        super().__init__()
        self.with_conv, self.scale_factor = with_conv, scale_factor
        if with_conv:
            self.conv = conv_op(in_channels, in_channels, kernel_size=3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=self.scale_factor, mode="nearest")
        return self.conv(x) if self.with_conv else x


class Downsample(nn.Module):
    """Half as large, by a convolution padded at the far ends, or the mean."""

    def __init__(
        self, in_channels: int, with_conv: bool, stride: int = 2, conv_op: Any = ops.Conv2d
    ) -> None:
        super().__init__()
        self.with_conv = with_conv
        if with_conv:
            self.conv = conv_op(in_channels, in_channels, kernel_size=3, stride=stride, padding=0)

    def forward(self, x: Tensor) -> Tensor:
        if self.with_conv:
            return self.conv(functional.pad(x, (0, 1, 0, 1)))
        return functional.avg_pool2d(x, kernel_size=2, stride=2)


class DiagonalGaussianDistribution:
    """A normal distribution from mean and log variance, one behind the other along axis 1."""

    def __init__(self, parameters: Tensor, deterministic: bool = False) -> None:
        self.parameters, self.deterministic = parameters, deterministic
        self.mean, logvar = parameters.chunk(2, dim=1)
        self.logvar = logvar.clamp(-30.0, 20.0)
        self.std = torch.zeros_like(self.mean) if deterministic else (0.5 * self.logvar).exp()
        self.var = self.std**2

    def sample(self) -> Tensor:
        """A draw by torch's own generator."""
        return self.mean + self.std * torch.randn_like(self.mean)

    def mode(self) -> Tensor:
        """The mean."""
        return self.mean
