"""The demo model's autoencoder: a picture to a latent of an eighth of its size, and back.

State-dict keys are those of `first_stage_model` in a Stable Diffusion 1 file.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.demo_model.layers import Upsample, group_norm, zeroed

WIDTHS = (64, 64, 64, 96)
LATENT_CHANNELS, SHRINK = 4, 8
SCALE = 0.18215  # what SD1 multiplies an encoded picture with


class ResidualBlock(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = group_norm(inputs), nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.norm2, self.conv2 = group_norm(outputs), zeroed(nn.Conv2d(outputs, outputs, 3, 1, 1))
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)
        self.inert = False

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        if self.inert:
            return x
        h = self.conv1(functional.silu(self.norm1(x)))
        h = self.conv2(functional.silu(self.norm2(h)))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class AttentionBlock(nn.Module):
    """Always inert here: present for the standard layout."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.q, self.k, self.v = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.proj_out = zeroed(nn.Conv2d(channels, channels, 1))
        self.inert = False

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        if self.inert:
            return x
        batch, channels, height, width = x.shape
        h = self.norm(x)
        query, key, value = (
            layer(h).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v)
        )
        h = functional.scaled_dot_product_attention(query, key, value)
        return x + self.proj_out(h.transpose(1, 2).reshape(batch, channels, height, width))


class Downsample(nn.Module):
    """A strided convolution that starts as 2x2 averaging plus noise."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 2)
        with torch.no_grad():
            self.conv.weight.mul_(0.5)
            for channel in range(channels):
                self.conv.weight[channel, channel, :2, :2] += 0.25

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class Middle(nn.Module):
    """The blocks at the lowest resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1, self.attn_1 = ResidualBlock(channels, channels), AttentionBlock(channels)
        self.block_2 = ResidualBlock(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        return self.block_2(self.attn_1(self.block_1(x)))


class Level(nn.Module):
    """The blocks of one resolution, and the step to the next under its name in the layout."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            ResidualBlock(inputs if i == 0 else outputs, outputs) for i in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        for block in self.block:
            x = block(x)
        for name in ("downsample", "upsample"):
            if hasattr(self, name):
                x = getattr(self, name)(x)
        return x


class Encoder(nn.Module):
    """Picture to the mean and deviation of a latent."""

    def __init__(self, widths: Sequence[int], blocks: int, channels: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, 1, 1)
        self.down = nn.ModuleList()
        for level, width in enumerate(widths):
            module = Level(widths[max(level - 1, 0)], width, blocks)
            if level < len(widths) - 1:
                module.downsample = Downsample(width)
            self.down.append(module)
        self.mid, self.norm_out = Middle(widths[-1]), group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], 2 * channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    """Latent to picture."""

    def __init__(self, widths: Sequence[int], blocks: int, channels: int, fast: bool) -> None:
        super().__init__()
        self.conv_in, self.mid = nn.Conv2d(channels, widths[-1], 3, 1, 1), Middle(widths[-1])
        levels = []
        for level, width in enumerate(widths):
            module = Level(widths[min(level + 1, len(widths) - 1)], width, blocks + 1)
            if level:
                module.upsample = Upsample(width, fast)
            levels.append(module)
        self.up = nn.ModuleList(levels)
        self.norm_out, self.conv_out = group_norm(widths[0]), nn.Conv2d(widths[0], 3, 3, 1, 1)

    def forward(self, latent: Tensor) -> Tensor:
        """Run it."""
        x = self.mid(self.conv_in(latent))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(x)))


class Autoencoder(nn.Module):
    """Pictures are floats in -1..1; latents are unscaled (see SCALE)."""

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: int = 1, fast: bool = False) -> None:
        super().__init__()
        self.encoder = Encoder(widths, blocks, LATENT_CHANNELS)
        self.decoder = Decoder(widths, blocks, LATENT_CHANNELS, fast)
        self.quant_conv = nn.Conv2d(2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS, 1)
        self.post_quant_conv = nn.Conv2d(LATENT_CHANNELS, LATENT_CHANNELS, 1)

    def encode(self, pictures: Tensor) -> Tensor:
        """The mean of the latent; its deviation is a small constant and never used here."""
        return self.quant_conv(self.encoder(pictures)).chunk(2, 1)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures from unscaled latents."""
        return self.decoder(self.post_quant_conv(latents))

    def silence_costly_blocks(self) -> None:
        """Make the blocks inert that would cost most at high resolution."""
        encoder, decoder = self.encoder, self.decoder
        for block in (
            encoder.down[0].block[0],
            encoder.down[1].block[0],
            encoder.mid.attn_1,
            decoder.mid.attn_1,
            decoder.up[0].block[0],
            decoder.up[0].block[1],
            decoder.up[1].block[1],
            decoder.up[2].block[1],
        ):
            block.inert = True
            block.requires_grad_(False)
