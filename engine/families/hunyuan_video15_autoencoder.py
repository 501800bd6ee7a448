"""HunyuanVideo 1.5's autoencoder as a kind, with the network of diffusers.

Convolutions over time see only earlier frames; 4 frames of 16 x 16 pixels are one cell of 32
channels. Names of the original files are those of the Stable Diffusion line, in the order of the
network; sizes: diffusers 0.42 (Apache-2.0), autoencoder_kl_hunyuanvideo15.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.families.latent_format import LatentFormat
from engine.nets import foreign_networks
from engine.nets.diffusers_classes import network_class
from engine.nets.foreign_autoencoder import ForeignAutoencoder, attend_to_earlier
from engine.weights.state_dict import StateDict

MARKS = ("decoder.conv_in.conv.weight", "decoder.norm_out.gamma")
BLOCK, SHORT_BLOCK = "decoder.up_blocks.0.resnets.0.", "decoder.up.0.block.0."
"""What names begin with under the class's names, and in original files."""
PARTS = ("encoder.", "decoder.")
LATENT_CHANNELS = 32
FRAMES, PIXELS, STEPS = 4, 16, 4
"""Frames and pixels of a cell, and the levels after which the side is halved."""
BLOCKS = ("HunyuanVideo15ResnetBlock",)
ATTENTION = "HunyuanVideo15AttnBlock"
INSIDE = "network."
WIDE_TENSORS = 10
"""Tensors of all frames, of the narrowest level's channels at full size, that there is room for.

Measured in float32 on a CPU, 6 are alive together.
"""
_SHORT = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
        (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
        (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
        (r"\.mid\.attn_1\.", ".mid_block.attentions.0."),
        (r"\.(down|up)\.(\d+)\.block\.", r".\1_blocks.\2.resnets."),
        (r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
        (r"\.up\.(\d+)\.upsample\.", r".up_blocks.\1.upsamplers.0."),
        (r"\.nin_shortcut\.", ".conv_shortcut."),
    )
)


@dataclass(frozen=True, slots=True)
class HunyuanVideo15AutoencoderConfig:
    """The sizes.

    Attributes:
        levels: channels of each level.
        blocks: of a level of the encoder.
    """

    levels: tuple[int, ...]
    blocks: int

    @property
    def pixel_channels(self) -> int:
        """Of a picture."""
        return 3


class CellsOfEarlierFrames(nn.Module):
    """The class's attention without its mask."""

    norm: nn.Module
    to_q: nn.Module
    to_k: nn.Module
    to_v: nn.Module
    proj_out: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, t, h, w] -> [B, C, t, h, w]."""
        normed = self.norm(x)
        query, key, value = (
            layer(normed).flatten(2).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v)
        )
        found = attend_to_earlier(query, key, value, x.shape[-2] * x.shape[-1])
        return x + self.proj_out(found.transpose(1, 2).reshape(x.shape))


class HunyuanVideo15AutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "HunyuanVideo 1.5 autoencoder (via diffusers)"

    def detect(self, weights: StateDict) -> HunyuanVideo15AutoencoderConfig | None:
        """The configuration, in either layout."""
        found = _tensors(weights)
        return None if found is None else _configured(found)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = _tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of HunyuanVideo 1.5's autoencoder")
        return found.rename(lambda name: f"{INSIDE}{name}")

    def build(self, config: HunyuanVideo15AutoencoderConfig) -> nn.Module:
        """The module, with its parameters on the meta device.

        Raises:
            WeightsError: diffusers is not installed, or has no such class.
        """
        made = network_class("AutoencoderKLHunyuanVideo15", self.name)
        network = foreign_networks.built(
            lambda: made(
                latent_channels=LATENT_CHANNELS,
                block_out_channels=config.levels,
                layers_per_block=config.blocks,
            )
        )
        for part in network.modules():
            if type(part).__name__ == ATTENTION:
                part.__class__ = CellsOfEarlierFrames
        return ForeignAutoencoder(network, BLOCKS)

    def latent(self, config: HunyuanVideo15AutoencoderConfig) -> LatentFormat:
        """A format with three axes, whose first cell of time is a single frame."""
        del config
        return LatentFormat(
            LATENT_CHANNELS, (FRAMES, PIXELS, PIXELS), causal_frames=True, whole_time=True
        )

    def dtypes(self, config: HunyuanVideo15AutoencoderConfig) -> Sequence[torch.dtype]:
        """Half precision is enough, as it is published."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def activation_bytes(
        self, config: HunyuanVideo15AutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Some tensors of the narrowest level's width at full size, for all frames."""
        batch, _, cells, rows, columns = shape
        frames = 1 + (cells - 1) * FRAMES
        pixels = batch * frames * rows * columns * PIXELS**2
        return WIDE_TENSORS * pixels * config.levels[0] * dtype_bytes


def _tensors(weights: StateDict) -> StateDict | None:
    if any(mark not in weights for mark in MARKS):
        return None
    if weights.shapes[MARKS[0]][1:2] != (LATENT_CHANNELS,):
        return None
    if any(name.startswith(SHORT_BLOCK) for name in weights):
        weights = weights.rename(_class_name)
    if not any(name.startswith(BLOCK) for name in weights):
        return None
    return weights.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()


def _class_name(name: str) -> str:
    for pattern, ours in _SHORT:
        name = pattern.sub(ours, name)
    return name


def _configured(found: StateDict) -> HunyuanVideo15AutoencoderConfig:
    shapes: dict[str, Any] = dict(found.shapes)

    def blocks(level: int) -> int:
        start = f"encoder.down_blocks.{level}.resnets."
        names = (f"{start}{number}.conv1.conv.weight" for number in range(100))
        return sum(1 for _ in takewhile(shapes.__contains__, names))

    count = sum(1 for _ in takewhile(blocks, range(10)))
    widths = [
        shapes[f"encoder.down_blocks.{level}.resnets.0.conv1.conv.weight"][0]
        for level in range(count)
    ]
    multiple = 2 * LATENT_CHANNELS
    if count != STEPS + 1 or any(width % 8 for width in widths) or widths[-1] % multiple:
        raise WeightsError(
            f"not an autoencoder of HunyuanVideo 1.5 that works: its levels have {widths} "
            f"channels, expected {STEPS + 1} levels, the last one of a multiple of {multiple}"
        )
    return HunyuanVideo15AutoencoderConfig(tuple(widths), blocks(0))
