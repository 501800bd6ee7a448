"""LTX-Video's autoencoder: 8 frames of 32 x 32 pixels in a cell of 128 channels.

HaCohen et al. 2024, "LTX-Video: Realtime Video Latent Diffusion" (arXiv 2501.00103), section 2. The
encoder sees no later frames, the decoder does. From 0.9.1 on the decoder removes the last noise
itself: it is told a time, and gets a little noise. Layers are in the order of the original files
(`down_blocks.i`, `up_blocks.i`); formulas: diffusers 0.42 (Apache-2.0), autoencoder_kl_ltx.py.

Pixels are tensors in -1..1; latents are standardised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nets.layers import Linear, timestep_embedding

Checkpoint = Callable[[], None]
Stride = tuple[int, int, int]
SMALLEST_NORM, EPSILON = 1e-8, 1e-6
TIME_CHANNELS = 256
DECODED_TIME, DECODED_NOISE = 0.05, 0.025
"""What a decoder that removes noise is told, and given: the released pipelines' values."""
NOISE_SEED = 0
MEAN, DEVIATION = "mean-of-means", "std-of-means"


class Kind(StrEnum):
    """What a layer of a side is."""

    BLOCKS = "residual blocks of one width"
    BLOCK = "a residual block that changes the width"
    STRIDE = "a convolution with a stride"
    FOLD = "cells folded into channels"
    UNFOLD = "channels unfolded to cells"


@dataclass(frozen=True, slots=True)
class LtxLayer:
    """One layer.

    Attributes:
        kind: what it is.
        channels_in, channels_out: of it.
        count: of residual blocks.
        stride: frames, rows and columns that become one, or that one becomes.
        noise: whether its residual blocks add noise.
    """

    kind: Kind
    channels_in: int
    channels_out: int
    count: int = 1
    stride: Stride = (1, 1, 1)
    noise: bool = False


@dataclass(frozen=True, slots=True)
class LtxAutoencoderConfig:
    """Every size of one autoencoder.

    Attributes:
        latent_channels: of a latent.
        patch: pixels along a side that are folded into channels first.
        encoder, decoder: their layers in order.
        timed: whether the decoder is told a time.
    """

    latent_channels: int
    patch: int
    encoder: tuple[LtxLayer, ...]
    decoder: tuple[LtxLayer, ...]
    timed: bool

    @property
    def pixel_channels(self) -> int:
        """Of a picture."""
        return 3

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along one side."""
        return self.patch * prod(layer.stride[1] for layer in self.decoder)

    @property
    def frames(self) -> int:
        """Frames of every latent but the first."""
        return prod(layer.stride[0] for layer in self.decoder)


class Convolution3d(nn.Module):
    """A convolution whose frames go on with the first one, and the last one if it sees later ones.

    Rows and columns go on with zeros.
    """

    def __init__(self, channels_in: int, channels_out: int, *, causal: bool, size: int = 3) -> None:
        super().__init__()
        self.before = size - 1 if causal else size // 2
        self.after = size - 1 - self.before
        self.conv = nn.Conv3d(channels_in, channels_out, size, padding=(0, size // 2, size // 2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, t, h, w] -> [B, C', t, h, w]."""
        return self.conv(with_neighbours(x, self.before, self.after))


def with_neighbours(x: Tensor, before: int, after: int) -> Tensor:
    """Frames with the first one repeated in front and the last one behind."""
    first, last = x[:, :, :1], x[:, :, -1:]
    return torch.cat([*[first] * before, x, *[last] * after], dim=2)


def normalised(x: Tensor) -> Tensor:
    """Each cell over the root mean square of its channels ("pixel norm")."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(1, keepdim=True) + SMALLEST_NORM)).to(x.dtype)


class TimedEmbedder(nn.Module):
    """A time as modulations, below the names that the files have for it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = Linear(TIME_CHANNELS, channels), Linear(channels, channels)
        self.timestep_embedder = nn.ModuleDict({"linear_1": first, "linear_2": second})

    def forward(self, time: Tensor, dtype: torch.dtype) -> Tensor:
        """[B] -> [B, C]."""
        embedded = timestep_embedding(time.float(), TIME_CHANNELS).to(dtype)
        inner = functional.silu(self.timestep_embedder["linear_1"](embedded))
        return self.timestep_embedder["linear_2"](inner)


class LtxBlock(nn.Module):
    """A residual block."""

    def __init__(self, layer: LtxLayer, *, causal: bool, timed: bool) -> None:
        super().__init__()
        wide, out = layer.channels_in, layer.channels_out
        self.conv1 = Convolution3d(wide, out, causal=causal)
        self.conv2 = Convolution3d(out, out, causal=causal)
        self.noisy, self.timed, self.widens = layer.noise, timed, wide != out
        if layer.noise:
            self.per_channel_scale1 = nn.Parameter(torch.empty(wide, 1, 1))
            self.per_channel_scale2 = nn.Parameter(torch.empty(wide, 1, 1))
        if timed:
            self.scale_shift_table = nn.Parameter(torch.empty(4, wide))
        if self.widens:
            self.norm3 = nn.ModuleDict({"norm": nn.LayerNorm(wide, eps=EPSILON)})
            self.conv_shortcut = nn.Conv3d(wide, out, 1)

    def forward(self, x: Tensor, time: Tensor | None, noise: torch.Generator) -> Tensor:
        """[B, C, t, h, w]; time [B, 4 C] of the layer."""
        hidden, changes = normalised(x), None
        if self.timed and time is not None:
            table = time.unflatten(1, (4, -1)) + self.scale_shift_table
            changes = [each[..., None, None, None] for each in table.unbind(1)]
            hidden = hidden * (1 + changes[1]) + changes[0]
        hidden = self.conv1(functional.silu(hidden))
        if self.noisy:
            hidden = hidden + self._noise(hidden, noise) * self.per_channel_scale1[:, None]
        hidden = normalised(hidden)
        if changes is not None:
            hidden = hidden * (1 + changes[3]) + changes[2]
        hidden = self.conv2(functional.silu(hidden))
        if self.noisy:
            hidden = hidden + self._noise(hidden, noise) * self.per_channel_scale2[:, None]
        if self.widens:
            x = self.norm3["norm"](x.movedim(1, -1)).movedim(-1, 1)
            x = self.conv_shortcut(x)
        return x + hidden

    def _noise(self, like: Tensor, noise: torch.Generator) -> Tensor:
        """[h, w], the same for all frames and channels; drawn on the CPU."""
        return torch.randn(like.shape[-2:], generator=noise).to(like)


class LtxBlocks(nn.Module):
    """Residual blocks of one width, with the time's embedder if the decoder is told one."""

    def __init__(self, layer: LtxLayer, *, causal: bool, timed: bool) -> None:
        super().__init__()
        if timed:
            self.time_embedder = TimedEmbedder(4 * layer.channels_in)
        self.timed = timed
        self.res_blocks = nn.ModuleList(
            LtxBlock(layer, causal=causal, timed=timed) for _ in range(layer.count)
        )

    def forward(self, x: Tensor, time: Tensor | None, noise: torch.Generator) -> Tensor:
        """[B, C, t, h, w]; time [B]."""
        told = self.time_embedder(time, x.dtype) if self.timed else None
        for block in self.res_blocks:
            x = block(x, told, noise)
        return x


class Strided(nn.Module):
    """A causal convolution that makes one cell of 2 frames, rows and columns."""

    def __init__(self, layer: LtxLayer) -> None:
        super().__init__()
        wide, out, stride = layer.channels_in, layer.channels_out, layer.stride
        self.conv = nn.Conv3d(wide, out, 3, stride=stride, padding=(0, 1, 1))

    def forward(self, x: Tensor, time: Tensor | None, noise: torch.Generator) -> Tensor:
        """[B, C, t, h, w] -> half of each."""
        del time, noise
        return self.conv(with_neighbours(x, 2, 0))


class Fold(nn.Module):
    """Cells folded into channels, plus the means of what they were."""

    def __init__(self, layer: LtxLayer) -> None:
        super().__init__()
        self.stride, self.channels_out = layer.stride, layer.channels_out
        made = layer.channels_out // prod(layer.stride)
        self.conv = Convolution3d(layer.channels_in, made, causal=True)

    def forward(self, x: Tensor, time: Tensor | None, noise: torch.Generator) -> Tensor:
        """[B, C, t, h, w] -> [B, C', t / a, h / b, w / c]."""
        del time, noise
        x = torch.cat((x[:, :, : self.stride[0] - 1], x), dim=2)
        means = folded(x, self.stride).unflatten(1, (self.channels_out, -1)).mean(dim=2)
        return folded(self.conv(x), self.stride) + means


class Unfold(nn.Module):
    """Channels unfolded to cells; where that narrows it, plus the cells as they were."""

    def __init__(self, layer: LtxLayer, *, causal: bool) -> None:
        super().__init__()
        self.stride = layer.stride
        self.repeats = 0
        if layer.channels_in != layer.channels_out:
            self.repeats = layer.channels_out * prod(layer.stride) // layer.channels_in
        made = layer.channels_out * prod(layer.stride)
        self.conv = Convolution3d(layer.channels_in, made, causal=causal)

    def forward(self, x: Tensor, time: Tensor | None, noise: torch.Generator) -> Tensor:
        """[B, C, t, h, w] -> [B, C', a t - (a - 1), b h, c w]."""
        del time, noise
        first = self.stride[0] - 1  # the first cell is a single frame
        found = unfolded(self.conv(x), self.stride)[:, :, first:]
        if not self.repeats:
            return found
        kept = unfolded(x, self.stride).repeat(1, self.repeats, 1, 1, 1)
        return found + kept[:, :, first:]


def folded(x: Tensor, stride: Stride) -> Tensor:
    """[B, C, a t, b h, c w] -> [B, C a b c, t, h, w]."""
    for axis, size in zip((4, 3, 2), reversed(stride), strict=True):
        x = x.unflatten(axis, (-1, size))
    return x.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)


def unfolded(x: Tensor, stride: Stride) -> Tensor:
    """The inverse of `folded`."""
    x = x.unflatten(1, (-1, *stride)).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)


def _made(layer: LtxLayer, *, causal: bool, timed: bool) -> nn.Module:
    if layer.kind is Kind.BLOCKS:
        return LtxBlocks(layer, causal=causal, timed=timed)
    if layer.kind is Kind.BLOCK:
        return LtxBlock(layer, causal=causal, timed=False)
    if layer.kind is Kind.STRIDE:
        return Strided(layer)
    return Fold(layer) if layer.kind is Kind.FOLD else Unfold(layer, causal=causal)


class LtxEncoder(nn.Module):
    """Pixels to the means of latents."""

    def __init__(self, config: LtxAutoencoderConfig) -> None:
        super().__init__()
        first, last = config.encoder[0].channels_in, config.encoder[-1].channels_out
        pixels = config.pixel_channels * config.patch**2
        self.conv_in = Convolution3d(pixels, first, causal=True)
        self.down_blocks = _layers(config.encoder, causal=True, timed=False)
        # The last channel is the logarithm of the variance, which is not used.
        self.conv_out = Convolution3d(last, config.latent_channels + 1, causal=True)

    def forward(self, x: Tensor, checkpoint: Checkpoint) -> Tensor:
        """Folded pixels -> [B, C, t, h, w]."""
        x, noise = self.conv_in(x), torch.Generator()
        for layer in self.down_blocks:
            checkpoint()
            x = layer(x, None, noise)
        return self.conv_out(functional.silu(normalised(x)))[:, :-1]


class LtxDecoder(nn.Module):
    """Latents to folded pixels."""

    def __init__(self, config: LtxAutoencoderConfig) -> None:
        super().__init__()
        first, last = config.decoder[0].channels_in, config.decoder[-1].channels_out
        self.timed = config.timed
        self.conv_in = Convolution3d(config.latent_channels, first, causal=False)
        self.up_blocks = _layers(config.decoder, causal=False, timed=config.timed)
        pixels = config.pixel_channels * config.patch**2
        self.conv_out = Convolution3d(last, pixels, causal=False)
        if config.timed:
            self.last_time_embedder = TimedEmbedder(2 * last)
            self.last_scale_shift_table = nn.Parameter(torch.empty(2, last))
            self.timestep_scale_multiplier = nn.Parameter(torch.empty(()))

    def forward(self, z: Tensor, noise: torch.Generator, checkpoint: Checkpoint) -> Tensor:
        """[B, C, t, h, w] -> folded pixels."""
        time = None
        if self.timed:
            told = torch.full((len(z),), DECODED_TIME, device=z.device)
            time = told * self.timestep_scale_multiplier.float()
        x = self.conv_in(z)
        for layer in self.up_blocks:
            checkpoint()
            x = layer(x, time, noise)
        x = normalised(x)
        if time is not None:
            table = self.last_time_embedder(time, x.dtype).unflatten(1, (2, -1))
            shift, scale = (table + self.last_scale_shift_table)[..., None, None, None].unbind(1)
            x = x * (1 + scale) + shift
        return self.conv_out(functional.silu(x))


def _layers(layers: Sequence[LtxLayer], *, causal: bool, timed: bool) -> nn.ModuleList:
    return nn.ModuleList(_made(layer, causal=causal, timed=timed) for layer in layers)


class LtxAutoencoder(nn.Module):
    """Both sides, and the statistics that latents are standardised with."""

    def __init__(self, config: LtxAutoencoderConfig) -> None:
        super().__init__()
        self.patch, self.timed = config.patch, config.timed
        self.encoder, self.decoder = LtxEncoder(config), LtxDecoder(config)
        self.per_channel_statistics = nn.Module()
        for name in (MEAN, DEVIATION):
            values = nn.Parameter(torch.empty(config.latent_channels))
            self.per_channel_statistics.register_parameter(name, values)

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """Pixels [B, 3, frames, H, W] in -1..1 -> [B, C, t, h, w]."""
        # Within a patch columns come before rows.
        x = folded(pixels, (1, self.patch, self.patch)).unflatten(1, (-1, self.patch, self.patch))
        z = self.encoder(x.transpose(2, 3).flatten(1, 3), checkpoint or _nothing)
        return (z - self._statistic(MEAN)) / self._statistic(DEVIATION)

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """A latent [B, C, t, h, w] -> [B, 3, frames, H, W], about -1..1.

        The noise is the same for each latent of a size.
        """
        noise = torch.Generator().manual_seed(NOISE_SEED)
        if self.timed:
            drawn = torch.randn(z.shape, generator=noise).to(z)
            z = (1 - DECODED_NOISE) * z + DECODED_NOISE * drawn
        z = z * self._statistic(DEVIATION) + self._statistic(MEAN)
        x = self.decoder(z, noise, checkpoint or _nothing)
        x = x.unflatten(1, (-1, self.patch, self.patch)).transpose(2, 3).flatten(1, 3)
        return unfolded(x, (1, self.patch, self.patch))

    def _statistic(self, name: str) -> Tensor:
        return self.per_channel_statistics.get_parameter(name).reshape(1, -1, 1, 1, 1)


def _nothing() -> None:
    """No run to stop."""
