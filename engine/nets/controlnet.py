"""ControlNet (Zhang et al. 2023): a copy of the UNet's encoder half with a picture as input.

Keys are those of the original files: the UNet's own, `input_hint_block`, `zero_convs` and
`middle_block_out`. Every size is read from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.hooks import Residuals
from engine.nets.layers import Convolution
from engine.nets.unet import (
    Block,
    Shapes,
    UNetReader,
    stage,
    text_width,
    timestep_embedding,
    two_layers,
    walk_down,
)

STRIDES = (1, 1, 2, 1, 2, 1, 2, 1)
"""Strides of the convolutions that reduce a picture to the size of the latent, by 8."""
PIXELS = 8
HINT = "input_hint_block"


@dataclass(frozen=True, slots=True)
class ControlNetConfig:
    """Every size of one ControlNet.

    Attributes:
        in_channels: of the latent.
        model_channels, time_channels, vector_channels: see `engine.nets.unet.UNetConfig`.
        input_blocks, middle_block: as in the UNet it belongs to.
        hint_channels: of the picture, and after each convolution that reads it.
    """

    in_channels: int
    model_channels: int
    time_channels: int
    vector_channels: int | None
    input_blocks: tuple[Block, ...]
    middle_block: Block
    hint_channels: tuple[int, ...]

    @property
    def context_channels(self) -> int | None:
        """Width of the text tokens; None for a network without transformers."""
        return text_width((*self.input_blocks, self.middle_block))

    @property
    def residual_channels(self) -> tuple[int, ...]:
        """Channels after each input block, and after the middle."""
        return tuple(walk_down(self.input_blocks, self.middle_block, self.in_channels))


def controlnet_config(
    shapes: Shapes, *, heads: int | None = None, head_channels: int | None = None
) -> ControlNetConfig:
    """The configuration from tensor shapes; see `engine.nets.unet.unet_config`.

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    reader = UNetReader(shapes, heads, head_channels)
    hints = [f"input_hint_block.{2 * i}.weight" for i in range(len(STRIDES))]
    config = ControlNetConfig(
        in_channels=reader.size("input_blocks.0.0.weight", 1),
        model_channels=reader.size("time_embed.0.weight", 1),
        time_channels=reader.size("time_embed.2.weight", 0),
        vector_channels=(
            reader.size("label_emb.0.0.weight", 1) if "label_emb.0.0.weight" in shapes else None
        ),
        input_blocks=reader.blocks("input_blocks"),
        middle_block=reader.block("middle_block"),
        hint_channels=(reader.size(hints[0], 1), *(reader.size(key, 0) for key in hints)),
    )
    first = config.residual_channels[0] if config.input_blocks else 0
    if config.hint_channels[-1] != first:
        raise WeightsError(
            f"not a ControlNet that works: its picture becomes {config.hint_channels[-1]} "
            f"channels, the latent {first}"
        )
    return config


class ControlNet(nn.Module):
    """A noisy latent, its timestep, a text and a picture to residuals for the UNet."""

    def __init__(self, config: ControlNetConfig) -> None:
        super().__init__()
        self.config = config
        self.time_embed = two_layers(config.model_channels, config.time_channels)
        if config.vector_channels is not None:
            self.label_emb = nn.Sequential(two_layers(config.vector_channels, config.time_channels))
        self.input_hint_block = _hint_block(config.hint_channels)
        self.input_blocks = nn.ModuleList(stage(block) for block in config.input_blocks)
        self.middle_block = stage(config.middle_block)
        *skips, middle = config.residual_channels
        self.zero_convs = nn.ModuleList(
            nn.Sequential(Convolution(channels, channels, 1)) for channels in skips
        )
        self.middle_block_out = nn.Sequential(Convolution(middle, middle, 1))

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        features: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        *,
        embedding: Tensor | None = None,
        checkpoint: Callable[[], None] | None = None,
    ) -> Residuals:
        """`x` [B, C, h, w], timesteps [B], context [B, T, D], y [B, V] as for the UNet.

        `features` [1 or B, C, h, w] are the output of `input_hint_block` for a picture [., 3, 8 h,
        8 w] in 0..1, the same at every step. `embedding` [1 or B, E] is added to that of the time.
        `checkpoint` is called before every block and may raise.
        """
        time = timestep_embedding(timesteps, self.config.model_channels).to(x.dtype)
        time = self.time_embed(time)
        if self.config.vector_channels is not None:
            time = time + self.label_emb(y)
        if embedding is not None:
            time = time + embedding
        time = functional.silu(time)
        found: list[Tensor] = []
        for number, (block, out) in enumerate(zip(self.input_blocks, self.zero_convs, strict=True)):
            if checkpoint:
                checkpoint()
            x = block(x, time, context, _size(x))
            if number == 0:
                x = x + features
            found.append(out(x))
        if checkpoint:
            checkpoint()
        middle = self.middle_block_out(self.middle_block(x, time, context, _size(x)))
        return Residuals(middle=(middle,), output=tuple(reversed(found)))


def _hint_block(channels: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for (before, after), stride in zip(pairwise(channels), STRIDES, strict=True):
        layers += [Convolution(before, after, 3, padding=1, stride=stride), nn.SiLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
