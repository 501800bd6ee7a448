"""The autoencoder of Qwen-Image 2.1: pictures of four channels to latents and back.

That of Wan 2.2 (Wan Team 2025, https://arxiv.org/abs/2503.20314) for single pictures: whole levels
have a shortcut without weights that averages or repeats channels, after Chen et al. 2024, "Deep
Compression Autoencoder" (https://arxiv.org/abs/2410.10733), section 3.2. Levels that halve time in
videos have shortcuts over two frames, the first of which is empty.

Keys are diffusers'. Every size is read from tensor shapes. Pixels are in -1..1; latents are not
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

Shapes = Mapping[str, tuple[int, ...]]
Checkpoint = Callable[[], None]
SMALLEST_NORM = 1e-12


@dataclass(frozen=True, slots=True)
class LevelConfig:
    """Residual blocks of one size, and the change of size behind them.

    Attributes:
        channels_in, channels_out: of the level.
        blocks: residual blocks.
        resamples: whether the sides are halved or doubled behind them.
        time: whether the shortcut is over two frames.
    """

    channels_in: int
    channels_out: int
    blocks: int
    resamples: bool
    time: bool = False


@dataclass(frozen=True, slots=True)
class ResidualAutoencoderConfig:
    """Every size of one autoencoder.

    Attributes:
        pixel_channels: 3, or 4 with transparency.
        latent_channels: of a latent.
        encoder, decoder: their levels in order, without the middle.
    """

    pixel_channels: int
    latent_channels: int
    encoder: tuple[LevelConfig, ...]
    decoder: tuple[LevelConfig, ...]

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along one side."""
        return 2 ** sum(level.resamples for level in self.decoder)


def residual_autoencoder_config(shapes: Shapes) -> ResidualAutoencoderConfig:
    """The configuration from tensor shapes.

    Raises:
        WeightsError: a tensor is missing, or the levels do not fit together.
    """
    encoder = _levels(shapes, "encoder.down_blocks", "downsampler")
    decoder = _levels(shapes, "decoder.up_blocks", "upsampler")
    for name, levels in (("encoder", encoder), ("decoder", decoder)):
        for before, after in pairwise(levels):
            if before.channels_out != after.channels_in:
                raise WeightsError(
                    f"not an autoencoder that works: in its {name} a level of "
                    f"{before.channels_out} channels leads to one that takes {after.channels_in}"
                )
        for level in levels:
            wide = level.channels_in * (8 if level.time else 4 if level.resamples else 1)
            small = level.channels_out * (8 if level.time else 4)
            if (wide % level.channels_out) if name == "encoder" else (small % level.channels_in):
                raise WeightsError(
                    f"not an autoencoder that works: a shortcut of its {name} leads from "
                    f"{level.channels_in} to {level.channels_out} channels"
                )
    return ResidualAutoencoderConfig(
        pixel_channels=_size(shapes, "decoder.conv_out.weight", 0),
        latent_channels=_size(shapes, "post_quant_conv.weight", 1),
        encoder=encoder,
        decoder=decoder,
    )


def _size(shapes: Shapes, key: str, axis: int) -> int:
    shape = shapes.get(key)
    if shape is None or len(shape) <= axis:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete autoencoder: {key} should have at least {axis + 1} axes, found {found}"
        )
    return shape[axis]


def _levels(shapes: Shapes, prefix: str, sampler: str) -> tuple[LevelConfig, ...]:
    found: list[LevelConfig] = []
    for number in range(_count(shapes, prefix)):
        level = f"{prefix}.{number}"
        blocks = _count(shapes, f"{level}.resnets")
        found.append(
            LevelConfig(
                channels_in=_size(shapes, f"{level}.resnets.0.conv1.weight", 1),
                channels_out=_size(shapes, f"{level}.resnets.{blocks - 1}.conv2.weight", 0),
                blocks=blocks,
                resamples=f"{level}.{sampler}.resample.1.weight" in shapes,
                time=f"{level}.{sampler}.time_conv.weight" in shapes,
            )
        )
    return tuple(found)


def _count(shapes: Shapes, prefix: str) -> int:
    start = f"{prefix}."
    found = {key[len(start) :].partition(".")[0] for key in shapes if key.startswith(start)}
    numbers = {int(each) for each in found if each.isdecimal() and len(each) < 3}
    if not numbers or len(numbers) != max(numbers) + 1:
        raise WeightsError(f"not a complete autoencoder: a part of {prefix} is missing")
    return len(numbers)


class Norm(nn.Module):
    """Each cell's channels divided by their root mean square (Zhang and Sennrich 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]; the root is taken in float32."""
        length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)
        factor = x.shape[1] ** 0.5 / length.clamp_min_(SMALLEST_NORM)
        return (x * factor.to(x.dtype)) * self.gamma[:, None, None]


class Residual(nn.Module):
    """norm, SiLU, convolution, twice; plus the input."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = Norm(channels_in), Norm(channels_out)
        self.conv1 = Convolution(channels_in, channels_out, 3, padding=1)
        self.conv2 = Convolution(channels_out, channels_out, 3, padding=1)
        self.has_shortcut = channels_in != channels_out
        if self.has_shortcut:
            self.conv_shortcut = Convolution(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C', h, w]."""
        hidden = self.conv1(functional.silu(self.norm1(x)))
        hidden = self.conv2(functional.silu(self.norm2(hidden)))
        return hidden + (self.conv_shortcut(x) if self.has_shortcut else x)


class Attention(nn.Module):
    """Every cell attends to every cell, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = Norm(channels)
        self.to_qkv = Convolution(channels, 3 * channels, 1)
        self.proj = Convolution(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        tokens = self.to_qkv(self.norm(x)).flatten(2).transpose(1, 2)
        found = attend(*tokens.chunk(3, dim=-1), heads=1)
        return self.proj(found.transpose(1, 2).reshape(x.shape)) + x


class Middle(nn.Module):
    """A residual block, attention, a residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(Residual(channels, channels) for _ in range(2))
        self.attentions = nn.ModuleList([Attention(channels)])

    def forward(self, x: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        for layer in (self.resnets[0], self.attentions[0], self.resnets[1]):
            checkpoint()
            x = layer(x)
        return x


class _Level(nn.Module):
    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels_in] + [config.channels_out] * config.blocks
        self.resnets = nn.ModuleList(Residual(*each) for each in pairwise(widths))

    def _blocks(self, x: Tensor, checkpoint: Checkpoint) -> Tensor:
        for block in self.resnets:
            checkpoint()
            x = block(x)
        return x


class DownLevel(_Level):
    """A level of the encoder: blocks, then half the size, padded on the right and at the bottom."""

    def __init__(self, config: LevelConfig) -> None:
        super().__init__(config)
        if config.resamples:
            layer = Convolution(config.channels_out, config.channels_out, 3, stride=2)
            self.downsampler = nn.ModuleDict({"resample": nn.ModuleDict({"1": layer})})

    def forward(self, x: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, C, h, w] -> [B, C', h / 2, w / 2], or of the same size."""
        found = self._blocks(x, checkpoint)
        if self.config.resamples:
            found = self.downsampler["resample"]["1"](functional.pad(found, (0, 1, 0, 1)))  # type: ignore[index]
        return found + self._shortcut(x)

    def _shortcut(self, x: Tensor) -> Tensor:
        """The means of groups of the cells that become one, and of channels."""
        if self.config.resamples:
            x = functional.pixel_unshuffle(x, 2)
        if self.config.time:
            # Each channel's four cells come behind those of an empty frame.
            x = x.unflatten(1, (-1, 4))
            x = torch.cat((torch.zeros_like(x), x), dim=2).flatten(1, 2)
        return x.unflatten(1, (self.config.channels_out, -1)).mean(dim=2)


class UpLevel(_Level):
    """A level of the decoder: blocks, then twice the size."""

    def __init__(self, config: LevelConfig) -> None:
        super().__init__(config)
        if config.resamples:
            layer = Convolution(config.channels_out, config.channels_out, 3, padding=1)
            self.upsampler = nn.ModuleDict({"resample": nn.ModuleDict({"1": layer})})

    def forward(self, x: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, C, h, w] -> [B, C', 2 h, 2 w], or of the same size."""
        found = self._blocks(x, checkpoint)
        if not self.config.resamples:
            return found
        found = functional.interpolate(found, scale_factor=2.0)
        return self.upsampler["resample"]["1"](found) + self._shortcut(x)  # type: ignore[index]

    def _shortcut(self, x: Tensor) -> Tensor:
        """Channels repeated, and then spread over the cells that one becomes."""
        frames = 2 if self.config.time else 1
        times = self.config.channels_out * 4 * frames // self.config.channels_in
        x = x.repeat_interleave(times, dim=1).unflatten(1, (-1, frames, 4))
        # Of two frames, a picture is the second.
        return functional.pixel_shuffle(x[:, :, -1].flatten(1, 2), 2)


class Encoder(nn.Module):
    """Pixels to the mean and log variance of a latent."""

    def __init__(self, config: ResidualAutoencoderConfig) -> None:
        super().__init__()
        levels, moments = config.encoder, 2 * config.latent_channels
        last = levels[-1].channels_out
        self.conv_in = Convolution(config.pixel_channels, levels[0].channels_in, 3, padding=1)
        self.down_blocks = nn.ModuleList(DownLevel(level) for level in levels)
        self.mid_block = Middle(last)
        self.norm_out = Norm(last)
        self.conv_out = Convolution(last, moments, 3, padding=1)

    def forward(self, pixels: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, 4, H, W] -> [B, 2 z, h, w]."""
        x = self.conv_in(pixels)
        for level in (*self.down_blocks, self.mid_block):
            x = level(x, checkpoint)
        return self.conv_out(functional.silu(self.norm_out(x)))


class Decoder(nn.Module):
    """A latent to pixels."""

    def __init__(self, config: ResidualAutoencoderConfig) -> None:
        super().__init__()
        levels = config.decoder
        first, last = levels[0].channels_in, levels[-1].channels_out
        self.conv_in = Convolution(config.latent_channels, first, 3, padding=1)
        self.mid_block = Middle(first)
        self.up_blocks = nn.ModuleList(UpLevel(level) for level in levels)
        self.norm_out = Norm(last)
        self.conv_out = Convolution(last, config.pixel_channels, 3, padding=1)

    def forward(self, z: Tensor, checkpoint: Checkpoint) -> Tensor:
        """[B, z, h, w] -> [B, 4, H, W]."""
        x = self.conv_in(z)
        for level in (self.mid_block, *self.up_blocks):
            x = level(x, checkpoint)
        return self.conv_out(functional.silu(self.norm_out(x)))


class ResidualAutoencoder(nn.Module):
    """Encoder and decoder. Latents here are the network's, not scaled for the denoiser."""

    def __init__(self, config: ResidualAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        moments = 2 * config.latent_channels
        self.encoder = Encoder(config)
        self.quant_conv = Convolution(moments, moments, 1)
        self.post_quant_conv = Convolution(config.latent_channels, config.latent_channels, 1)
        self.decoder = Decoder(config)

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`pixels` [B, 3 or 4, H, W] in -1..1 -> the mean [B, z, h, w].

        Pictures without transparency, for one that takes it, are opaque.
        """
        lacking = self.config.pixel_channels - pixels.shape[1]
        pixels = functional.pad(pixels, (0, 0, 0, 0, 0, lacking), value=1.0)
        found = self.quant_conv(self.encoder(pixels, checkpoint or _nothing))
        return found.chunk(2, dim=1)[0]

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`z` [B, z, h, w] -> pixels [B, 4, H, W], about -1..1."""
        return self.decoder(self.post_quant_conv(z), checkpoint or _nothing)


def _nothing() -> None:
    pass
