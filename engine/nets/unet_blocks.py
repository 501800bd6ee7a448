"""The layers of a latent diffusion UNet (Rombach et al. 2022), named as checkpoints name them.

Each layer has a frozen description that has its sizes and builds it. `unet.py` joins the layers to
a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from engine.nets.attention import TransformerBlock, call_block
from engine.nets.hooks import BlockHooks, Hook
from engine.nets.layers import Convolution, Linear
from engine.nets.temporal import (
    FramePositions,
    Mixer,
    TemporalResidual,
    TemporalTransformerBlock,
)

GROUPS = 32
"""Number of groups of every group normalisation in these networks."""


@dataclass(frozen=True, slots=True)
class ConvolutionConfig:
    """The first layer: a plain 3 x 3 convolution."""

    channels_in: int
    channels_out: int

    def build(self) -> nn.Module:
        """The layer, on the current default device."""
        return Convolution(self.channels_in, self.channels_out, 3, padding=1)


@dataclass(frozen=True, slots=True)
class ResidualConfig:
    """Two convolutions with the time embedding between them; `temporal`: then over frames."""

    channels_in: int
    channels_out: int
    time_channels: int
    temporal: bool = False

    def build(self) -> nn.Module:
        """The layer, on the current default device."""
        return ResidualBlock(self)


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """`depth` transformer blocks over the cells of the feature map.

    Attributes:
        inner: channels of the tokens.
        context_channels: width of the text; 0 if `depth` is 0, which leaves the projections alone.
        heads: of the attention; each sees `inner / heads` channels.
        feed_forward: channels between the two projections of the feed-forward part.
        linear: the projections in and out act on tokens (SD2, SDXL), not on the map (SD1).
        self_attention: whether the first attention is to the tokens; else to the text too.
        temporal: whether a transformer block over frames follows each.
    """

    channels_in: int
    inner: int
    context_channels: int
    depth: int
    heads: int
    feed_forward: int
    linear: bool
    self_attention: bool = True
    temporal: bool = False

    @property
    def channels_out(self) -> int:
        """The same number as the input's."""
        return self.channels_in

    def build(self) -> nn.Module:
        """The layer, on the current default device."""
        return SpatialTransformer(self)


@dataclass(frozen=True, slots=True)
class DownsampleConfig:
    """A convolution of stride 2."""

    channels_in: int
    channels_out: int

    def build(self) -> nn.Module:
        """The layer, on the current default device."""
        return Downsample(self.channels_in, self.channels_out)


@dataclass(frozen=True, slots=True)
class UpsampleConfig:
    """Nearest-neighbour enlargement and a convolution."""

    channels_in: int
    channels_out: int

    def build(self) -> nn.Module:
        """The layer, on the current default device."""
        return Upsample(self.channels_in, self.channels_out)


LayerConfig = (
    ConvolutionConfig | ResidualConfig | TransformerConfig | DownsampleConfig | UpsampleConfig
)


class ResidualBlock(nn.Module):
    """norm, SiLU, convolution; plus the time embedding; the same again; plus the input."""

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__()
        channels_in, channels_out = config.channels_in, config.channels_out
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels_in),
            nn.SiLU(inplace=True),
            Convolution(channels_in, channels_out, 3, padding=1),
        )
        # The activation before it is the same in every block, so the network applies it once.
        self.emb_layers = nn.Sequential(nn.Identity(), Linear(config.time_channels, channels_out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels_out),
            nn.SiLU(inplace=True),
            nn.Identity(),
            Convolution(channels_out, channels_out, 3, padding=1),
        )
        self.skip_connection = (
            nn.Identity()
            if channels_in == channels_out
            else Convolution(channels_in, channels_out, 1)
        )
        self.temporal = config.temporal
        if self.temporal:
            self.time_stack = TemporalResidual(channels_out, config.time_channels)
            self.time_mixer = Mixer()

    def forward(self, x: Tensor, activated_time: Tensor, frames: int = 1) -> Tensor:
        """`x` [B, C, h, w], activated_time [B, E] after its SiLU -> [B, C', h, w]."""
        hidden = self.in_layers(x)
        hidden.add_(self.emb_layers(activated_time)[:, :, None, None])
        found = self.out_layers(hidden).add_(self.skip_connection(x))
        if not self.temporal:
            return found
        return self.time_mixer(found, self.time_stack(found, frames, activated_time))


class SpatialTransformer(nn.Module):
    """Transformer blocks over a feature map as tokens, with a residual connection."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        channels, inner = config.channels_in, config.inner
        self.linear = config.linear
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in = Linear(channels, inner) if self.linear else Convolution(channels, inner, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(
                inner,
                config.context_channels,
                config.heads,
                config.feed_forward,
                self_attention=config.self_attention,
            )
            for _ in range(config.depth)
        )
        self.proj_out = Linear(inner, channels) if self.linear else Convolution(inner, channels, 1)
        self.temporal = config.temporal
        if self.temporal:
            self.time_stack = nn.ModuleList(
                TemporalTransformerBlock(
                    inner, config.context_channels, config.heads, config.feed_forward
                )
                for _ in range(config.depth)
            )
            self.time_pos_embed = FramePositions(inner)
            self.time_mixer = Mixer()

    def forward(
        self,
        x: Tensor,
        context: Tensor | None,
        hooks: BlockHooks | None = None,
        frames: int = 1,
    ) -> Tensor:
        """`x` [B, C, h, w], context [B, T, D] -> [B, C, h, w]."""
        height = x.shape[-2]
        if hooks is not None:
            hooks = hooks.shaped(x.shape)
        hidden = self.norm(x)
        if not self.linear:
            hidden = self.proj_in(hidden)
        tokens = hidden.flatten(2).transpose(1, 2).contiguous()
        if self.linear:
            tokens = self.proj_in(tokens)
        positions = self.time_pos_embed(tokens, frames) if self.temporal else None
        for number, block in enumerate(self.transformer_blocks):
            tokens = call_block(block, tokens, context, hooks, number)
            if positions is not None:
                over_time = self.time_stack[number](tokens + positions, context, frames)
                tokens = self.time_mixer(tokens, over_time)
        if self.linear:
            tokens = self.proj_out(tokens)
        hidden = tokens.transpose(1, 2).unflatten(2, (height, -1))
        return x + hidden if self.linear else self.proj_out(hidden).add_(x)


class Downsample(nn.Module):
    """Half the size, rounded up."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.op = Convolution(channels_in, channels_out, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C', ceil(h / 2), ceil(w / 2)]."""
        return self.op(x)


class Upsample(nn.Module):
    """Enlarge to the size of the next skip connection, which may be odd."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = Convolution(channels_in, channels_out, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """[B, C, h, w] -> [B, C', *size]."""
        return self.conv(functional.interpolate(x, size=size, mode="nearest"))


class Stage(nn.ModuleList):
    """The layers of one block in order; each gets the inputs of its type."""

    def forward(
        self,
        x: Tensor,
        activated_time: Tensor,
        context: Tensor | None,
        size: tuple[int, int],
        hooks: BlockHooks | None = None,
        frames: int = 1,
    ) -> Tensor:
        """`x` [B, C, h, w] -> [B, C', h', w']; `size` is the size after an upsampling."""
        for layer in self:
            if isinstance(layer, ResidualBlock):
                x = layer(x, activated_time, frames)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context, hooks, frames)
            elif isinstance(layer, Upsample):
                x = layer(x, size)
            elif hooks is not None and (patch := _of_class(hooks, layer)) is not None:
                options = hooks.hooks.options_at(*hooks.place)
                shape = (*x.shape[:-2], *size)
                x = patch(layer, x, activated_time, context, options, shape, None, frames, None)
            else:
                x = layer(x)
        return x


def _of_class(hooks: BlockHooks, layer: nn.Module) -> Hook | None:
    """The function that calls a layer which a plugin added."""
    pairs: tuple[Any, ...] = hooks.hooks.of("forward_timestep_embed_patch")
    for kind, patch in pairs:
        if isinstance(layer, kind):
            return patch
    return None
