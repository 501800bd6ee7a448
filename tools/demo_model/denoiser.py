"""The demo model's denoiser: a small UNet that predicts the noise in a latent.

State-dict keys are those of `model.diffusion_model` in a Stable Diffusion 1 file.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.demo_model.layers import Upsample, attend, group_norm, zeroed

HEADS = 8
TEXT_WIDTH = 64


def time_embedding(steps: Tensor, width: int) -> Tensor:
    """Cosines and sines of the time step."""
    frequencies = torch.exp(
        -math.log(10_000) * torch.arange(width // 2, device=steps.device) / (width // 2)
    )
    angles = steps[:, None].float() * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], -1)


class ResidualBlock(nn.Module):
    """Two convolutions with a skip connection, with the time added in between."""

    def __init__(self, inputs: int, outputs: int, time_width: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            group_norm(inputs, 1e-5), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, 1, 1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_width, outputs))
        self.out_layers = nn.Sequential(
            group_norm(outputs, 1e-5),
            nn.SiLU(),
            nn.Dropout(0),
            zeroed(nn.Conv2d(outputs, outputs, 3, 1, 1)),
        )
        self.skip_connection = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Run it."""
        h = self.in_layers(x) + self.emb_layers(time)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    """Attention from the picture's positions to themselves or to the caption's."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, False)
        self.to_k, self.to_v = (
            nn.Linear(context_width, width, False),
            nn.Linear(context_width, width, False),
        )
        self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(0))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Run it."""
        batch, count, width = x.shape
        query, key, value = (
            y.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
            for y in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        return self.to_out(attend(query, key, value).transpose(1, 2).reshape(batch, count, width))


class GatedLinear(nn.Module):
    """One half of a linear layer gates the other."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inputs, outputs * 2)

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        value, gate = self.proj(x).chunk(2, -1)
        return value * functional.gelu(gate)


class FeedForward(nn.Module):
    """The gated perceptron of a transformer block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            GatedLinear(width, 4 * width), nn.Dropout(0), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        return self.net(x)


class TransformerBlock(nn.Module):
    """Attention to the picture, attention to the caption, perceptron."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.attn1, self.ff = Attention(width, width, heads), FeedForward(width)
        self.attn2 = Attention(width, context_width, heads)
        self.norm1, self.norm2, self.norm3 = (
            nn.LayerNorm(width),
            nn.LayerNorm(width),
            nn.LayerNorm(width),
        )

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Run it."""
        y = self.norm1(x)
        x = x + self.attn1(y, y)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    """Transformer blocks over the positions of a picture."""

    def __init__(self, width: int, context_width: int, heads: int, inert: bool = False) -> None:
        super().__init__()
        self.norm, self.proj_in = group_norm(width), nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, context_width, heads)])
        self.proj_out, self.inert = zeroed(nn.Conv2d(width, width, 1)), inert

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Run it."""
        if self.inert:
            return x
        batch, channels, height, width = x.shape
        h = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            h = block(h, context)
        return x + self.proj_out(h.transpose(1, 2).reshape(batch, channels, height, width))


class Downsample(nn.Module):
    """A convolution of stride two."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        return self.op(x)


class Stage(nn.ModuleList):
    """Layers in sequence; each is given the arguments that it takes."""

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """Run it."""
        for layer in self:
            if isinstance(layer, ResidualBlock):
                x = layer(x, time)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class Denoiser(nn.Module):
    """The UNet; inert levels keep their transformers as identities."""

    def __init__(
        self,
        width: int = 64,
        multipliers: Sequence[int] = (1, 2, 2),
        blocks: int = 1,
        latent_channels: int = 4,
        inert_levels: Sequence[int] = (0,),
    ) -> None:
        super().__init__()
        time_width, self.width = 4 * width, width

        def stage(inputs: int, level: int) -> Stage:
            channels = multipliers[level] * width
            transformer = SpatialTransformer(channels, TEXT_WIDTH, HEADS, level in inert_levels)
            return Stage([ResidualBlock(inputs, channels, time_width), transformer])

        self.time_embed = nn.Sequential(
            nn.Linear(width, time_width), nn.SiLU(), nn.Linear(time_width, time_width)
        )
        self.input_blocks = nn.ModuleList([Stage([nn.Conv2d(latent_channels, width, 3, 1, 1)])])
        channels, skips = width, [width]
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                self.input_blocks.append(stage(channels, level))
                channels = multiplier * width
                skips.append(channels)
            if level < len(multipliers) - 1:
                self.input_blocks.append(Stage([Downsample(channels)]))
                skips.append(channels)
        self.middle_block = Stage(
            [
                ResidualBlock(channels, channels, time_width),
                SpatialTransformer(channels, TEXT_WIDTH, HEADS),
                ResidualBlock(channels, channels, time_width),
            ]
        )
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(multipliers))):
            for index in range(blocks + 1):
                layers = stage(channels + skips.pop(), level)
                channels = multipliers[level] * width
                if level and index == blocks:
                    layers.append(Upsample(channels))
                self.output_blocks.append(layers)
        self.out = nn.Sequential(
            group_norm(channels, 1e-5),
            nn.SiLU(),
            zeroed(nn.Conv2d(channels, latent_channels, 3, 1, 1)),
        )

    def forward(
        self,
        x: Tensor,
        steps: Tensor,
        context: Tensor,
        residuals: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Run it; `residuals` of a control network are one for each input block, and the middle."""
        time, skips = self.time_embed(time_embedding(steps, self.width)), []
        for stage in self.input_blocks:
            x = stage(x, time, context)
            skips.append(x)
        x = self.middle_block(x, time, context)
        if residuals is not None:
            *added, middle = residuals
            skips = [skip + each for skip, each in zip(skips, added, strict=True)]
            x = x + middle
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], 1), time, context)
        return self.out(x)
