"""GLIGEN (Li et al. 2023): phrases with boxes, through gated self-attention in each transformer.

Keys are those of the released files: `position_net`, and a `fuser` in each transformer of the UNet
(`input_blocks.1.1.transformer_blocks.0.fuser`). Every size is read from tensor shapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.nets.attention import CrossAttention, FeedForward, attend
from engine.nets.layers import Linear
from engine.weights.state_dict import StateDict

MOST_BOXES = 30
"""The number of objects that the network was trained with; unused ones are its null features."""
TEMPERATURE = 100.0
_FUSER = re.compile(
    r"((?:input_blocks\.\d{1,3}|middle_block|output_blocks\.\d{1,3})\.\d{1,3}"
    r"\.transformer_blocks\.\d{1,3})\.fuser\."
)
_POSITION = "position_net."
MARKS = ("position_net.null_positive_feature", "position_net.linears.0.weight")


@dataclass(frozen=True, slots=True)
class FuserConfig:
    """The gated self-attention of one transformer; sizes as in its file."""

    channels: int
    feed_forward: int


@dataclass(frozen=True, slots=True)
class GligenConfig:
    """Every size of one GLIGEN file.

    Attributes:
        text_channels: of a phrase's embedding.
        position_channels: of a box's embedding, 8 for each frequency.
        hidden: between the projections of an object.
        object_channels: of its result.
        fusers: each with the name of its transformer in the UNet.
    """

    text_channels: int
    position_channels: int
    hidden: tuple[int, int]
    object_channels: int
    fusers: tuple[tuple[str, FuserConfig], ...]


def gligen_tensors(weights: StateDict) -> StateDict | None:
    """The tensors of a GLIGEN file, without those of a UNet it may hold; None if it is none."""
    prefixes = ("", "model.diffusion_model.")
    prefix = next((each for each in prefixes if f"{each}{MARKS[0]}" in weights), None)
    if prefix is None:
        return None
    found = weights.part(prefix)
    return found.rename(
        lambda name: name if name.startswith(_POSITION) or _FUSER.match(name) else None
    )


def gligen_config(tensors: StateDict) -> GligenConfig:
    """The configuration from tensor shapes.

    Raises:
        WeightsError: a tensor is missing or has another number of axes.
    """

    def size(name: str, axis: int) -> int:
        shape = tensors.shape(name) or ()
        if len(shape) <= axis:
            found = f"shape {list(shape)}" if name in tensors else "no such tensor"
            raise WeightsError(f"{name} should have at least {axis + 1} axes, found {found}")
        return shape[axis]

    text = size("position_net.null_positive_feature", 0)
    position = size("position_net.null_position_feature", 0)
    objects = size("position_net.linears.4.weight", 0)
    names = sorted({match[1] for name in tensors if (match := _FUSER.match(name))})
    if not names or position % 8:
        raise WeightsError(
            f"it has {len(names)} fusers, and {position} numbers for a box, which should be a "
            "multiple of 8"
        )
    for name in names:
        taken = size(f"{name}.fuser.linear.weight", 1)
        if taken != objects:
            raise WeightsError(
                f"{name}.fuser takes objects of {taken} numbers, position_net makes {objects}"
            )
    return GligenConfig(
        text,
        position,
        (size("position_net.linears.0.weight", 0), size("position_net.linears.2.weight", 0)),
        objects,
        tuple(
            (
                name,
                FuserConfig(
                    size(f"{name}.fuser.linear.weight", 0),
                    size(f"{name}.fuser.ff.net.2.weight", 1),
                ),
            )
            for name in names
        ),
    )


class PositionNet(nn.Module):
    """Phrases and boxes as objects: equation 5 of the paper."""

    def __init__(self, config: GligenConfig) -> None:
        super().__init__()
        self._frequencies = config.position_channels // 8
        channels, (first, second) = config.text_channels + config.position_channels, config.hidden
        self.linears = nn.Sequential(
            Linear(channels, first),
            nn.SiLU(),
            Linear(first, second),
            nn.SiLU(),
            Linear(second, config.object_channels),
        )
        self.null_positive_feature = nn.Parameter(torch.empty(config.text_channels))
        self.null_position_feature = nn.Parameter(torch.empty(config.position_channels))

    def forward(self, phrases: Tensor, boxes: Tensor) -> Tensor:
        """`phrases` [n, text channels], boxes [n, 4] in 0..1 -> [1, MOST_BOXES, object channels].

        A box is (left, top, right, bottom). `n` is at most `MOST_BOXES`.
        """
        positions = fourier(boxes, self._frequencies).to(phrases.dtype)
        unused = MOST_BOXES - len(phrases)
        nothing = torch.cat((self.null_positive_feature, self.null_position_feature))
        objects = torch.cat((phrases, positions), dim=-1)
        objects = torch.cat((objects, nothing.expand(unused, -1)))
        return self.linears(objects)[None]


def fourier(boxes: Tensor, frequencies: int) -> Tensor:
    """[n, 4] -> [n, 8 * frequencies]: sine and cosine of every side, frequency by frequency.

    Mildenhall et al. 2020, equation 4, with the frequencies 100^(k / n).
    """
    steps = torch.arange(frequencies, dtype=torch.float32, device=boxes.device) / frequencies
    angles = boxes.float()[:, None] * (TEMPERATURE**steps)[None, :, None]
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)


class Fuser(nn.Module):
    """Gated self-attention over the cells and the objects: equations 6 and 7 of the paper."""

    def __init__(self, config: FuserConfig, object_channels: int) -> None:
        super().__init__()
        channels = config.channels
        self.linear = Linear(object_channels, channels)
        self.attn = CrossAttention(channels, channels, channels, heads=1)
        self.ff = FeedForward(channels, config.feed_forward)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.alpha_attn = nn.Parameter(torch.empty(()))
        self.alpha_dense = nn.Parameter(torch.empty(()))

    def forward(self, tokens: Tensor, objects: Tensor, heads: int) -> Tensor:
        """`tokens` [B, N, C], objects [1 or B, M, D] -> [B, N, C]."""
        objects = self.linear(objects).expand(len(tokens), -1, -1)
        normal = self.norm1(torch.cat((tokens, objects), dim=1))
        seen = normal[:, : tokens.shape[1]]  # only the results at the cells are used
        found = self.attn(seen, normal, attended=lambda q, k, v: attend(q, k, v, heads))
        tokens = tokens + self.alpha_attn.tanh() * found
        return tokens + self.alpha_dense.tanh() * self.ff(self.norm2(tokens))


class Gligen(nn.Module):
    """The network of boxes, and the fusers in the order of the configuration."""

    def __init__(self, config: GligenConfig) -> None:
        super().__init__()
        self.position_net = PositionNet(config)
        self.fusers = nn.ModuleList(
            Fuser(each, config.object_channels) for _, each in config.fusers
        )


def module_names(config: GligenConfig, tensors: StateDict) -> StateDict:
    """The tensors of a file under their names in `Gligen`."""
    numbers = {name: number for number, (name, _) in enumerate(config.fusers)}

    def renamed(name: str) -> str:
        match = _FUSER.match(name)
        return f"fusers.{numbers[match[1]]}.{name[match.end() :]}" if match else name

    return tensors.rename(renamed)
