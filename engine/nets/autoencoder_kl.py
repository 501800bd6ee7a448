"""The KL autoencoder of latent diffusion (Rombach et al. 2022): pictures to latents and back.

Keys are those of the original checkpoints (`encoder.down.i.block.j`, `decoder.up.i.block.j`,
`quant_conv`). Every size is read from tensor shapes. Pixels are tensors in -1..1; latents are not
scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.attention import attend
from engine.nets.layers import Convolution
from engine.nets.temporal import TemporalResidual, as_rows, as_videos, over_frames

Shapes = Mapping[str, tuple[int, ...]]
Checkpoint = Callable[[], None]
GROUPS = 32
"""Number of groups of every group normalisation; the epsilon is 1e-6."""
TEMPORAL_MARK = "decoder.mid.block_1.mix_factor"
"""A tensor of decoders that see the frames of a video together."""


@dataclass(frozen=True, slots=True)
class LevelConfig:
    """The residual blocks of one resolution.

    Attributes:
        channels_in: of the first block.
        channels_out: of every block.
        blocks: the number of blocks.
        resample: whether a convolution follows that halves (encoder) or doubles (decoder) the size.
    """

    channels_in: int
    channels_out: int
    blocks: int
    resample: bool


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """Every size of one KL autoencoder.

    Attributes:
        pixel_channels: 3.
        latent_channels: of a latent, after quantisation's convolution.
        inner_channels: of a latent between the network and that convolution.
        quantised: whether there are 1 x 1 convolutions before and after the latent.
        encoder, decoder: levels, index 0 at full size, as in the keys.
        moments_only: whether there is only the convolution before the latent.
        temporal: whether the decoder has layers over the frames of a video.
    """

    pixel_channels: int
    latent_channels: int
    inner_channels: int
    quantised: bool
    encoder: tuple[LevelConfig, ...]
    decoder: tuple[LevelConfig, ...]
    moments_only: bool = False
    temporal: bool = False

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along one side."""
        return 2 ** sum(level.resample for level in self.decoder)


def autoencoder_config(shapes: Shapes) -> AutoencoderConfig:
    """The configuration from tensor shapes (without the checkpoint's prefix).

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    encoder, decoder = _levels(shapes, "encoder.down"), _levels(shapes, "decoder.up")
    quantised = "post_quant_conv.weight" in shapes
    inner = _size(shapes, "decoder.conv_in.weight", 1)
    config = AutoencoderConfig(
        pixel_channels=_size(shapes, "decoder.conv_out.weight", 0),
        latent_channels=_size(shapes, "post_quant_conv.weight", 1) if quantised else inner,
        inner_channels=inner,
        quantised=quantised,
        encoder=encoder,
        decoder=decoder,
        moments_only=not quantised and "quant_conv.weight" in shapes,
        temporal=TEMPORAL_MARK in shapes,
    )
    _check_flow(config)
    return config


def _size(shapes: Shapes, key: str, axis: int) -> int:
    shape = shapes.get(key)
    if shape is None or len(shape) <= axis:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete autoencoder: {key} should have at least {axis + 1} axes, found {found}"
        )
    return shape[axis]


def _count(shapes: Shapes, prefix: str) -> int:
    start = len(prefix) + 1
    numbers = (key[start:].split(".", 1)[0] for key in shapes if key.startswith(f"{prefix}."))
    # More digits than any network needs can only be an attempt to exhaust memory.
    return max((int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4), default=0)


def _levels(shapes: Shapes, prefix: str) -> tuple[LevelConfig, ...]:
    sampler = "downsample" if prefix.startswith("encoder") else "upsample"
    levels = tuple(
        LevelConfig(
            channels_in=_size(shapes, f"{prefix}.{i}.block.0.conv1.weight", 1),
            channels_out=_size(shapes, f"{prefix}.{i}.block.0.conv1.weight", 0),
            blocks=_count(shapes, f"{prefix}.{i}.block"),
            resample=f"{prefix}.{i}.{sampler}.conv.weight" in shapes,
        )
        for i in range(_count(shapes, prefix))
    )
    if not levels:
        raise WeightsError(f"not a complete autoencoder: no tensor begins with {prefix}.0")
    return levels


def _check_flow(config: AutoencoderConfig) -> None:
    for name, levels in (("encoder.down", config.encoder), ("decoder.up", config.decoder[::-1])):
        for before, after in pairwise(levels):
            if before.channels_out != after.channels_in:
                raise WeightsError(
                    f"not an autoencoder that works: in {name} a level of {before.channels_out} "
                    f"channels leads to one that takes {after.channels_in}"
                )
        widths = {width for level in levels for width in (level.channels_in, level.channels_out)}
        if any(width % GROUPS for width in widths):
            raise WeightsError(
                f"not an autoencoder that works: {name} has {sorted(widths)} channels, "
                f"which should be multiples of {GROUPS}"
            )


class ResidualBlock(nn.Module):
    """norm, SiLU, convolution, twice; plus the input."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, channels_in, eps=1e-6)
        self.conv1 = Convolution(channels_in, channels_out, 3, padding=1)
        self.norm2 = nn.GroupNorm(GROUPS, channels_out, eps=1e-6)
        self.conv2 = Convolution(channels_out, channels_out, 3, padding=1)
        self.nin_shortcut = (
            nn.Identity()
            if channels_in == channels_out
            else Convolution(channels_in, channels_out, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C', h, w]."""
        hidden = self.conv1(functional.silu(self.norm1(x), inplace=True))
        hidden = self.conv2(functional.silu(self.norm2(hidden), inplace=True))
        return hidden.add_(self.nin_shortcut(x))


class VideoResidualBlock(ResidualBlock):
    """The same, then convolutions over frames. The rows of a batch are the frames of one video.

    Blattmann et al. 2023, "Stable Video Diffusion", appendix D.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out)
        self.time_stack = TemporalResidual(channels_out, None)
        self.mix_factor = nn.Parameter(torch.empty(1))

    def forward(self, x: Tensor) -> Tensor:
        """[frames, C, h, w] -> [frames, C', h, w]."""
        pictures = super().forward(x)
        share = self.mix_factor.sigmoid()
        return share * self.time_stack(pictures, len(x)) + (1 - share) * pictures


class VideoConvolution(Convolution):
    """A convolution of each frame, then one over frames; the rows are those of one video."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1)
        self.time_mix_conv = over_frames(channels_out)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's name for it
        """[frames, C, h, w] -> [frames, C', h, w]."""
        return as_rows(self.time_mix_conv(as_videos(super().forward(input), len(input))))


class AttentionBlock(nn.Module):
    """Every cell attends to every cell, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.q = Convolution(channels, channels, 1)
        self.k = Convolution(channels, channels, 1)
        self.v = Convolution(channels, channels, 1)
        self.proj_out = Convolution(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        normalised = self.norm(x)
        query, key, value = (
            layer(normalised).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v)
        )
        found = attend(query, key, value, heads=1)
        return self.proj_out(found.transpose(1, 2).reshape(x.shape)).add_(x)


class Middle(nn.Module):
    """The middle of the encoder or decoder, of residual blocks of a class."""

    def __init__(self, channels: int, block: type[ResidualBlock] = ResidualBlock) -> None:
        super().__init__()
        self.block_1 = block(channels, channels)
        self.attn_1 = AttentionBlock(channels)
        self.block_2 = block(channels, channels)

    def forward(self, x: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        for layer in (self.block_1, self.attn_1, self.block_2):
            checkpoint()
            x = layer(x)
        return x


class Downsample(nn.Module):
    """Half the size; padding only on the right and at the bottom, as these nets were trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h // 2, w // 2]."""
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Twice the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, 2 h, 2 w]."""
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """The residual blocks, of a class, of one resolution and the resampling to the next."""

    def __init__(
        self, config: LevelConfig, *, sampler: str, block: type[ResidualBlock] = ResidualBlock
    ) -> None:
        super().__init__()
        widths = (config.channels_in, *[config.channels_out] * config.blocks)
        self.block = nn.ModuleList(block(before, after) for before, after in pairwise(widths))
        self.sampler = sampler if config.resample else None
        if self.sampler:
            kind = Downsample if sampler == "downsample" else Upsample
            self.add_module(sampler, kind(config.channels_out))

    def forward(self, x: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, C, h, w] -> [B, C', h', w']."""
        for block in self.block:
            checkpoint()
            x = block(x)
        if self.sampler:
            checkpoint()
            x = self.get_submodule(self.sampler)(x)
        return x


class Encoder(nn.Module):
    """The encoder: pixels to a latent, or to the mean and log variance of one."""

    def __init__(self, config: AutoencoderConfig, channels_out: int | None = None) -> None:
        """Make one; `channels_out` are those of its output, by default mean and log variance."""
        super().__init__()
        levels = config.encoder
        self.conv_in = Convolution(config.pixel_channels, levels[0].channels_in, 3, padding=1)
        self.down = nn.ModuleList(Level(level, sampler="downsample") for level in levels)
        last = levels[-1].channels_out
        self.mid = Middle(last)
        self.norm_out = nn.GroupNorm(GROUPS, last, eps=1e-6)
        channels_out = channels_out or 2 * config.inner_channels
        self.conv_out = Convolution(last, channels_out, 3, padding=1)

    def forward(self, pixels: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, 3, H, W] -> [B, channels_out, h, w]."""
        x = self.conv_in(pixels)
        for level in self.down:
            x = level(x, checkpoint)
        x = self.mid(x, checkpoint)
        return self.conv_out(functional.silu(self.norm_out(x), inplace=True))


class Decoder(nn.Module):
    """The decoder: a latent to pixels. Levels count from full size, so the last runs first."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        levels = config.decoder
        first, last = levels[-1].channels_in, levels[0].channels_out
        block = VideoResidualBlock if config.temporal else ResidualBlock
        self.conv_in = Convolution(config.inner_channels, first, 3, padding=1)
        self.mid = Middle(first, block)
        self.up = nn.ModuleList(Level(level, sampler="upsample", block=block) for level in levels)
        self.norm_out = nn.GroupNorm(GROUPS, last, eps=1e-6)
        self.conv_out = (
            VideoConvolution(last, config.pixel_channels)
            if config.temporal
            else Convolution(last, config.pixel_channels, 3, padding=1)
        )

    def forward(self, z: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, z, h, w] -> [B, 3, H, W]."""
        x = self.mid(self.conv_in(z), checkpoint)
        for level in reversed(self.up):
            x = level(x, checkpoint)
        return self.conv_out(functional.silu(self.norm_out(x), inplace=True))


class AutoencoderKL(nn.Module):
    """Encoder and decoder. Latents here are the network's, not scaled for the denoiser."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        if config.quantised or config.moments_only:
            self.quant_conv = Convolution(2 * config.inner_channels, 2 * config.latent_channels, 1)
        if config.quantised:
            self.post_quant_conv = Convolution(config.latent_channels, config.inner_channels, 1)

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`pixels` [B, 3, H, W] in -1..1, sides multiples of `downscale` -> mean [B, z, h, w]."""
        moments = self.encoder(pixels, checkpoint or _nothing)
        if self.config.quantised or self.config.moments_only:
            moments = self.quant_conv(moments)
        return moments.chunk(2, dim=1)[0]

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`z` [B, z, h, w] -> pixels [B, 3, H, W], about -1..1.

        Of a temporal decoder the rows are the frames of one video.
        """
        if self.config.quantised:
            z = self.post_quant_conv(z)
        return self.decoder(z, checkpoint or _nothing)


def _nothing() -> None:
    pass
