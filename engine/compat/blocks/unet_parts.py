# pyright: basic
# ruff: noqa: D102 - what the base class documents
"""Blocks of the latent diffusion UNets (Dhariwal & Nichol 2021), in the original key layout."""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compat.blocks.alike import Alike
from engine.compat.blocks.ops import disable_weight_init
from engine.compat.blocks.time import AlphaBlender
from engine.compat.blocks.transformers import SpatialTransformer, SpatialVideoTransformer
from engine.compat.install import host_module
from engine.nets import unet_blocks


class TimestepBlock(nn.Module):
    """A module that takes an embedding of time beside x."""

    @abstractmethod
    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """X [B, C, h, w], emb [B, E]."""


def forward_timestep_embed(
    ts: Any,
    x: Tensor,
    emb: Tensor,
    context: Any = None,
    transformer_options: dict[str, Any] | None = None,
    output_shape: Any = None,
    time_context: Any = None,
    num_video_frames: int | None = None,
    image_only_indicator: Any = None,
) -> Tensor:
    """Call modules in sequence, each with what it takes beside x."""
    options = transformer_options if transformer_options is not None else {}
    run = import_module("engine.compat.models.unet_run")
    for layer in ts:
        ours = run.layer_of_ours(layer, x, emb, context, options, output_shape, num_video_frames)
        if ours is not None:
            x = ours
        elif isinstance(layer, VideoResBlock):
            x = layer(x, emb, num_video_frames, image_only_indicator)
        elif isinstance(layer, TimestepBlock):
            x = layer(x, emb)
        elif isinstance(layer, SpatialVideoTransformer):
            x = layer(x, context, time_context, num_video_frames, image_only_indicator, options)
        elif isinstance(layer, SpatialTransformer):
            x = layer(x, context, options)
            if "transformer_index" in options:
                options["transformer_index"] += 1
        elif isinstance(layer, Upsample):
            x = layer(x, output_shape=output_shape)
        else:
            patches = options.get("patches", {}).get("forward_timestep_embed_patch", ())
            for kind, patch in patches:
                if isinstance(layer, kind):
                    x = patch(
                        layer,
                        x,
                        emb,
                        context,
                        options,
                        output_shape,
                        time_context,
                        num_video_frames,
                        image_only_indicator,
                    )
                    break
            else:
                x = layer(x)
    return x


class TimestepEmbedSequential(nn.Sequential, TimestepBlock):
    """Modules in sequence; those that take time, or a text, get it."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        host = host_module("comfy.ldm.modules.diffusionmodules.openaimodel")
        return host.forward_timestep_embed(self, *args, **kwargs)


class Upsample(nn.Module, metaclass=Alike):
    """Twice as large by the nearest cell, then a convolution."""

    alike: ClassVar[tuple[type, ...]] = (unet_blocks.Upsample,)

    def __init__(
        self,
        channels: int,
        use_conv: bool,
        dims: int = 2,
        out_channels: int | None = None,
        padding: int = 1,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        self.channels, self.out_channels = channels, out_channels or channels
        self.use_conv, self.dims = use_conv, dims
        if use_conv:
            self.conv = operations.conv_nd(
                dims, channels, self.out_channels, 3, padding=padding, dtype=dtype, device=device
            )

    def forward(self, x: Tensor, output_shape: Any = None) -> Tensor:
        size = [each * 2 for each in x.shape[-2:]]
        if output_shape is not None:
            size = list(output_shape[-2:])
        if self.dims == 3:
            size = [x.shape[2], *size]
        x = functional.interpolate(x, size=size, mode="nearest")
        return self.conv(x) if self.use_conv else x


class Downsample(nn.Module, metaclass=Alike):
    """Half as large, by a convolution or the mean."""

    alike: ClassVar[tuple[type, ...]] = (unet_blocks.Downsample,)

    def __init__(
        self,
        channels: int,
        use_conv: bool,
        dims: int = 2,
        out_channels: int | None = None,
        padding: int = 1,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        self.channels, self.out_channels = channels, out_channels or channels
        self.use_conv, self.dims = use_conv, dims
        stride = (1, 2, 2) if dims == 3 else 2
        if use_conv:
            self.op = operations.conv_nd(
                dims,
                channels,
                self.out_channels,
                3,
                stride=stride,
                padding=padding,
                dtype=dtype,
                device=device,
            )
        else:
            self.op = {2: nn.AvgPool2d, 3: nn.AvgPool3d}[dims](kernel_size=stride, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


def _half(size: Any) -> Any:
    """The padding that keeps a picture's size, of a kernel with odd sides."""
    return [each // 2 for each in size] if isinstance(size, list | tuple) else size // 2


class ResBlock(TimestepBlock, metaclass=Alike):
    """Two convolutions with an embedding of time between them, and a residual."""

    alike: ClassVar[tuple[type, ...]] = (unet_blocks.ResidualBlock,)

    def __init__(
        self,
        channels: int,
        emb_channels: int,
        dropout: float,
        out_channels: int | None = None,
        use_conv: bool = False,
        use_scale_shift_norm: bool = False,
        dims: int = 2,
        use_checkpoint: bool = False,
        up: bool = False,
        down: bool = False,
        kernel_size: Any = 3,
        exchange_temb_dims: bool = False,
        skip_t_emb: bool = False,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        del use_checkpoint
        made = {"dtype": dtype, "device": device}
        self.channels, self.emb_channels = channels, emb_channels
        self.out_channels = out = out_channels or channels
        self.use_scale_shift_norm = use_scale_shift_norm
        self.exchange_temb_dims, self.skip_t_emb = exchange_temb_dims, skip_t_emb
        padding = _half(kernel_size)
        self.in_layers = nn.Sequential(
            operations.GroupNorm(32, channels, **made),
            nn.SiLU(),
            operations.conv_nd(dims, channels, out, kernel_size, padding=padding, **made),
        )
        self.updown = up or down
        form = {"dims": dims, "operations": operations, **made}
        self.h_upd: nn.Module = nn.Identity()
        self.x_upd: nn.Module = nn.Identity()
        if up:
            self.h_upd, self.x_upd = (Upsample(channels, False, **form) for _ in range(2))
        elif down:
            self.h_upd, self.x_upd = (Downsample(channels, False, **form) for _ in range(2))
        self.emb_layers: nn.Module | None = None
        if not skip_t_emb:
            width = 2 * out if use_scale_shift_norm else out
            self.emb_layers = nn.Sequential(
                nn.SiLU(), operations.Linear(emb_channels, width, **made)
            )
        self.out_layers = nn.Sequential(
            operations.GroupNorm(32, out, **made),
            nn.SiLU(),
            nn.Dropout(p=dropout),
            operations.conv_nd(dims, out, out, kernel_size, padding=padding, **made),
        )
        size = kernel_size if use_conv else 1
        self.skip_connection: nn.Module = nn.Identity()
        if out != channels:
            around = padding if use_conv else 0
            self.skip_connection = operations.conv_nd(
                dims, channels, out, size, padding=around, **made
            )

    def forward(self, x: Tensor, emb: Tensor | None = None) -> Tensor:
        if self.updown:
            h = self.in_layers[-1](self.h_upd(self.in_layers[:-1](x)))
            x = self.x_upd(x)
        else:
            h = self.in_layers(x)
        if self.emb_layers is None or emb is None:
            return self.skip_connection(x) + self.out_layers(h)
        time = self.emb_layers(emb).to(h.dtype)
        time = time[(..., *(None,) * (h.ndim - time.ndim))]
        if self.use_scale_shift_norm:
            scale, shift = time.chunk(2, dim=1)
            h = self.out_layers[1:](self.out_layers[0](h) * (1 + scale) + shift)
        else:
            if self.exchange_temb_dims:
                time = time.movedim(1, 2)
            h = self.out_layers(h + time)
        return self.skip_connection(x) + h


class VideoResBlock(ResBlock):
    """A residual block and one over frames, blended."""

    alike: ClassVar[tuple[type, ...]] = ()

    def __init__(
        self,
        channels: int,
        emb_channels: int,
        dropout: float,
        video_kernel_size: Any = 3,
        merge_strategy: str = "fixed",
        merge_factor: float = 0.5,
        out_channels: int | None = None,
        use_conv: bool = False,
        use_scale_shift_norm: bool = False,
        dims: int = 2,
        use_checkpoint: bool = False,
        up: bool = False,
        down: bool = False,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        made = {"dtype": dtype, "device": device, "operations": operations}
        super().__init__(
            channels,
            emb_channels,
            dropout,
            out_channels=out_channels,
            use_conv=use_conv,
            use_scale_shift_norm=use_scale_shift_norm,
            dims=dims,
            use_checkpoint=use_checkpoint,
            up=up,
            down=down,
            **made,
        )
        out = out_channels or channels
        self.time_stack = ResBlock(
            out,
            emb_channels,
            dropout=dropout,
            dims=3,
            out_channels=out,
            kernel_size=video_kernel_size,
            exchange_temb_dims=True,
            **made,
        )
        self.time_mixer = AlphaBlender(
            alpha=merge_factor,
            merge_strategy=merge_strategy,
            rearrange_pattern="b t -> b 1 t 1 1",
        )

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        emb: Tensor,
        num_video_frames: int | None = None,
        image_only_indicator: Tensor | None = None,
    ) -> Tensor:
        x = super().forward(x, emb)
        frames = num_video_frames or x.shape[0]
        videos = x.shape[0] // frames
        over_time = x.unflatten(0, (videos, frames)).transpose(1, 2)
        time = emb.unflatten(0, (videos, frames))
        mixed = self.time_stack(over_time, time).transpose(1, 2).flatten(0, 1)
        return self.time_mixer(
            x_spatial=x, x_temporal=mixed, image_only_indicator=image_only_indicator
        )


class Timestep(nn.Module):
    """An embedding of time as a module."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, t: Tensor) -> Tensor:
        host = host_module("comfy.ldm.modules.diffusionmodules.util")
        return host.timestep_embedding(t, self.dim)


def apply_control(h: Tensor, control: Any, name: str) -> Tensor:
    """Add the next residual of a part of a control network's output, and take it off the list."""
    residuals = (control or {}).get(name)
    if not residuals:
        return h
    residual = residuals.pop()
    return h if residual is None else h + residual
