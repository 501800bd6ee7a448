"""Configurations of regular networks from a few numbers.

Loading reads sizes from shapes instead; these are for new networks in training, tests and
benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.nets.autoencoder_kl import AutoencoderConfig, LevelConfig
from engine.nets.unet import Block, UNetConfig
from engine.nets.unet_blocks import (
    ConvolutionConfig,
    DownsampleConfig,
    ResidualConfig,
    TransformerConfig,
    UpsampleConfig,
)


def regular_unet(
    width: int,
    multipliers: Sequence[int],
    depths: Sequence[int],
    *,
    context: int,
    heads: int | None = None,
    head_channels: int = 64,
    blocks: int = 2,
    in_channels: int = 4,
    linear: bool = False,
    vector: int | None = None,
    classes: int | None = None,
    self_attention: Sequence[bool] | None = None,
    temporal: bool = False,
) -> UNetConfig:
    """A UNet whose levels are all alike.

    Args:
        width: channels of the first level.
        multipliers: of each level's channels, from full size down.
        depths: transformer blocks of each level; the middle takes the last that is not 0.
        context: width of the text.
        heads: of every attention; None: of `head_channels` each.
        head_channels: see `heads`.
        blocks: residual blocks of a level in the encoder half; one more in the decoder half.
        in_channels: of the input; the output has four.
        linear: whether projections act on tokens.
        vector: width of `y`; None: no such `y`.
        classes: of which `y` is one; None: no such `y`.
        self_attention: whether each level has it; None: all. The middle has.
        temporal: whether there are layers over the frames of a video.
    """
    time, attended = 4 * width, self_attention or [True for _ in depths]
    levels = list(zip((width * each for each in multipliers), depths, attended, strict=True))

    def layers(before: int, after: int, depth: int, *, attends: bool = True) -> Block:
        count, form = heads or after // head_channels, (linear, attends, temporal)
        transformer = TransformerConfig(after, after, context, depth, count, 4 * after, *form)
        return (ResidualConfig(before, after, time, temporal), transformer)[: 2 if depth else 1]

    channels, skips, up = width, [width], list[Block]()
    down = list[Block]([(ConvolutionConfig(in_channels, width),)])
    for level, (after, depth, attends) in enumerate(levels):
        if level:
            down.append((DownsampleConfig(channels, channels),))
            skips.append(channels)
        before = (channels, *[after] * (blocks - 1))
        down += [layers(width, after, depth, attends=attends) for width in before]
        skips, channels = skips + [after] * blocks, after
    middle = layers(channels, channels, next(filter(None, reversed(depths)), 0))
    middle = (*middle, ResidualConfig(channels, channels, time, temporal))
    for after, depth, attends in reversed(levels):
        for _ in range(blocks + 1):
            up.append(layers(channels + skips.pop(), after, depth, attends=attends))
            channels = after
        if skips:
            up[-1] = (*up[-1], UpsampleConfig(channels, channels))
    return UNetConfig(in_channels, 4, width, time, vector, tuple(down), middle, tuple(up), classes)


def regular_autoencoder(
    widths: Sequence[int],
    *,
    blocks: int = 2,
    latent_channels: int = 4,
    quantised: bool = True,
    temporal: bool = False,
) -> AutoencoderConfig:
    """An autoencoder that halves once per level but the last.

    Args:
        widths: channels of each level, from full size down.
        blocks: residual blocks of a level of the encoder; the decoder has one more.
        latent_channels: of a latent.
        quantised: whether there are 1 x 1 convolutions before and after the latent.
        temporal: whether the decoder has layers over the frames of a video.
    """
    last = len(widths) - 1
    return AutoencoderConfig(
        pixel_channels=3,
        latent_channels=latent_channels,
        inner_channels=latent_channels,
        quantised=quantised,
        temporal=temporal,
        encoder=tuple(
            LevelConfig(widths[max(i - 1, 0)], width, blocks, resample=i < last)
            for i, width in enumerate(widths)
        ),
        decoder=tuple(
            LevelConfig(widths[min(i + 1, last)], width, blocks + 1, resample=i > 0)
            for i, width in enumerate(widths)
        ),
    )


def stable_diffusion_xl() -> UNetConfig:
    """The UNet of Stable Diffusion XL, full size; its autoencoder has SD1's architecture."""
    return regular_unet(320, (1, 2, 4), (0, 2, 10), context=2048, linear=True, vector=2816)


def stable_diffusion_1() -> tuple[UNetConfig, AutoencoderConfig]:
    """The networks of Stable Diffusion 1, full size."""
    unet = regular_unet(320, (1, 2, 4, 4), (1, 1, 1, 0), context=768, heads=8)
    return unet, regular_autoencoder((128, 256, 512, 512))
