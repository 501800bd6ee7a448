"""T2I-Adapter (Mou et al. 2023): a small network from a picture to features of each UNet level.

Two forms, full and light. The module's names are those of the published light files; those of the
full files and diffusers' are mapped to them (`engine.control.t2i_adapter`). Every size is read
from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.layers import Convolution
from engine.nets.unet import Shapes


@dataclass(frozen=True, slots=True)
class LevelConfig:
    """One level.

    Attributes:
        channels_in, channels_out: of its input and output.
        inner: of its residual blocks.
        enters, leaves: whether a 1 x 1 convolution precedes and follows the blocks.
        blocks: the number of residual blocks.
        kernel: of the second convolution of a block, 1 or 3.
        halves: whether the input is halved first.
    """

    channels_in: int
    channels_out: int
    inner: int
    enters: bool
    leaves: bool
    blocks: int
    kernel: int
    halves: bool


@dataclass(frozen=True, slots=True)
class T2IAdapterConfig:
    """Every size of one adapter.

    Attributes:
        factor: pixels per cell of the first level, in both directions: 8, or 16 for SDXL.
        picture_channels: 3, or 1 for grey.
        first: channels after the first 3 x 3 convolution; None without one (light).
        levels: from full size down.
    """

    factor: int
    picture_channels: int
    first: int | None
    levels: tuple[LevelConfig, ...]


def t2i_adapter_config(
    shapes: Shapes, unshuffled: Mapping[int, tuple[int, int]]
) -> T2IAdapterConfig:
    """The configuration from tensor shapes.

    Args:
        shapes: of the tensors under the module's names.
        unshuffled: the factor and the picture's channels by those of the unshuffled picture.

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    first = _shape(shapes, "conv_in.weight") if "conv_in.weight" in shapes else None
    start = first or _shape(shapes, "body.0.in_conv.weight")
    if start[1] not in unshuffled:
        wanted = ", ".join(map(str, unshuffled))
        raise WeightsError(f"its picture has {start[1]} channels when unshuffled, not {wanted}")
    factor, picture = unshuffled[start[1]]
    channels = first[0] if first else start[1]
    levels: list[LevelConfig] = []
    while f"body.{len(levels)}.body.0.block1.weight" in shapes:
        number = len(levels)
        # SDXL's first two levels have one size, because 16 pixels are already a cell.
        halves = number == 2 if factor == 16 else number > 0
        level = _level(shapes, f"body.{number}", channels, halves=halves)
        levels.append(level)
        channels = level.channels_out
    if len(levels) != 4:
        raise WeightsError(f"it has {len(levels)} complete levels, expected 4")
    return T2IAdapterConfig(factor, picture, first[0] if first else None, tuple(levels))


def _level(shapes: Shapes, prefix: str, channels: int, *, halves: bool) -> LevelConfig:
    enter, leave = f"{prefix}.in_conv.weight", f"{prefix}.out_conv.weight"
    blocks = 0
    while f"{prefix}.body.{blocks}.block1.weight" in shapes:
        blocks += 1
    inner = _shape(shapes, f"{prefix}.body.0.block1.weight")[0]
    entered = _shape(shapes, enter) if enter in shapes else None
    if (entered[1] if entered else inner) != channels:
        given = entered[1] if entered else inner
        raise WeightsError(f"{prefix} takes {given} channels, {channels} come in")
    return LevelConfig(
        channels_in=channels,
        channels_out=_shape(shapes, leave)[0] if leave in shapes else inner,
        inner=inner,
        enters=entered is not None,
        leaves=leave in shapes,
        blocks=blocks,
        kernel=_shape(shapes, f"{prefix}.body.0.block2.weight")[-1],
        halves=halves,
    )


def _shape(shapes: Shapes, key: str) -> tuple[int, ...]:
    shape = shapes.get(key, ())
    if len(shape) != 4 or 0 in shape:
        found = f"shape {list(shape)}" if shape else "no such tensor"
        raise WeightsError(f"not complete: {key} should have 4 axes, found {found}")
    return shape


class T2IAdapter(nn.Module):
    """A picture to one feature map per level."""

    def __init__(self, config: T2IAdapterConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.picture_channels * config.factor**2
        if config.first is not None:
            self.conv_in = Convolution(channels, config.first, 3, padding=1)
        self.body = nn.ModuleList(Level(each) for each in config.levels)

    def forward(self, picture: Tensor) -> Sequence[Tensor]:
        """`picture` [B, 3 or 1, H, W] in 0..1, sides multiples of `factor`: [B, C, h, w] each."""
        x = functional.pixel_unshuffle(picture, self.config.factor)
        if self.config.first is not None:
            x = self.conv_in(x)
        found: list[Tensor] = []
        for level in self.body:
            x = level(x)
            found.append(x)
        return found


class Level(nn.Module):
    """Half the size if wanted, residual blocks, 1 x 1 convolutions around them."""

    def __init__(self, config: LevelConfig) -> None:
        super().__init__()
        self.halves, inner = config.halves, config.inner
        self.in_conv = Convolution(config.channels_in, inner, 1) if config.enters else nn.Identity()
        self.body = nn.ModuleList(ResidualBlock(inner, config.kernel) for _ in range(config.blocks))
        self.out_conv = (
            Convolution(inner, config.channels_out, 1) if config.leaves else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C', h', w'].

        Odd sizes are rounded up, as in the UNet, by a row or column of zeros on either side, as
        the incumbent does; diffusers averages what remains at the end instead.
        """
        if self.halves:
            x = functional.avg_pool2d(x, 2, padding=(x.shape[-2] % 2, x.shape[-1] % 2))
        x = self.in_conv(x)
        for block in self.body:
            x = block(x)
        return self.out_conv(x)


class ResidualBlock(nn.Module):
    """Convolution, ReLU, convolution; plus the input."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.block1 = Convolution(channels, channels, 3, padding=1)
        self.block2 = Convolution(channels, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same shape."""
        return x + self.block2(functional.relu(self.block1(x)))
