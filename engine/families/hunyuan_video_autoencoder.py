"""HunyuanVideo's autoencoder as a kind, with the network of diffusers.

Kong et al. 2024, "HunyuanVideo" (arXiv 2412.03603), section 4.1: convolutions over time see only
earlier frames, and 4 frames of 8 x 8 pixels are one cell of 16 channels. Original files have the
names of diffusers; repackaged ones may have those of the Stable Diffusion line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.families.latent_format import LatentFormat
from engine.nets import foreign_networks
from engine.nets.diffusers_classes import network_class
from engine.nets.foreign_autoencoder import ForeignAutoencoder, attend_to_earlier
from engine.weights.state_dict import Entry, StateDict

MARK = "decoder.conv_in.conv.weight"
BLOCK, SHORT_BLOCK = "decoder.up_blocks.0.resnets.0.conv1.conv.weight", "decoder.up.0.block.0."
"""A tensor under the class's names, and what names of the Stable Diffusion line begin with."""
PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
LATENT_CHANNELS = 16
FRAMES, PIXELS = 4, 8
GROUPS = 32
BLOCKS = ("HunyuanVideoResnetBlockCausal3D",)
INSIDE = "network."
MIDDLE = "HunyuanVideoMidBlock3D"
WIDE_TENSORS = 9
"""Tensors of all frames, of the widest channels at full size, that there is room for.

Measured in float32 on a CPU, 5 are alive together.
"""
_SHORT = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
        (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
        (r"\.mid\.attn_1\.norm\.", ".mid_block.attentions.0.group_norm."),
        (r"\.mid\.attn_1\.([qkv])\.(?:conv\.)?", r".mid_block.attentions.0.to_\1."),
        (r"\.mid\.attn_1\.proj_out\.(?:conv\.)?", ".mid_block.attentions.0.to_out.0."),
        (r"\.down\.(\d+)\.block\.", r".down_blocks.\1.resnets."),
        (r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0."),
        (r"\.up\.(\d+)\.block\.", r".up_blocks.\1.resnets."),
        (r"\.up\.(\d+)\.upsample\.", r".up_blocks.\1.upsamplers.0."),
        (r"\.nin_shortcut\.", ".conv_shortcut."),
        (r"coder\.norm_out\.", "coder.conv_norm_out."),
        (r"^((?:post_)?quant_conv)\.conv\.", r"\1."),
    )
)


@dataclass(frozen=True, slots=True)
class HunyuanVideoAutoencoderConfig:
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


class FrameByFrame(nn.Module):
    """The class's middle, without its mask, which has as many numbers as pairs of cells.

    Cells attend to those of their frame and of earlier ones.
    """

    resnets: nn.ModuleList
    attentions: nn.ModuleList

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, t, h, w] -> [B, C, t, h, w]."""
        x = self.resnets[0](x)
        for attention, block in zip(self.attentions, self.resnets[1:], strict=True):
            x = block(_attended(attention, x))
        return x


def _attended(layer: Any, x: Tensor) -> Tensor:
    cells = x.flatten(2)
    tokens = layer.group_norm(cells).transpose(1, 2)
    query, key, value = layer.to_q(tokens), layer.to_k(tokens), layer.to_v(tokens)
    size = x.shape[-2] * x.shape[-1]
    found = layer.to_out[0](attend_to_earlier(query, key, value, size))
    return x + found.transpose(1, 2).reshape(x.shape)


class HunyuanVideoAutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "HunyuanVideo autoencoder (via diffusers)"

    def detect(self, weights: StateDict) -> HunyuanVideoAutoencoderConfig | None:
        """The configuration, in either layout."""
        found = _tensors(weights)
        return None if found is None else _configured(found)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = _tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of HunyuanVideo's autoencoder")
        return found.rename(lambda name: f"{INSIDE}{name}")

    def build(self, config: HunyuanVideoAutoencoderConfig) -> nn.Module:
        """The module, with its parameters on the meta device.

        Raises:
            WeightsError: diffusers is not installed, or has no such class.
        """
        made = network_class("AutoencoderKLHunyuanVideo", self.name)
        levels = len(config.levels)
        network = foreign_networks.built(
            lambda: made(
                latent_channels=LATENT_CHANNELS,
                block_out_channels=config.levels,
                layers_per_block=config.blocks,
                norm_num_groups=GROUPS,
                down_block_types=("HunyuanVideoDownBlock3D",) * levels,
                up_block_types=("HunyuanVideoUpBlock3D",) * levels,
            )
        )
        for part in network.modules():
            if type(part).__name__ == MIDDLE:
                part.__class__ = FrameByFrame
        return ForeignAutoencoder(network, BLOCKS)

    def latent(self, config: HunyuanVideoAutoencoderConfig) -> LatentFormat:
        """A format with three axes, whose first cell of time is a single frame."""
        del config
        return LatentFormat(
            LATENT_CHANNELS, (FRAMES, PIXELS, PIXELS), causal_frames=True, whole_time=True
        )

    def dtypes(self, config: HunyuanVideoAutoencoderConfig) -> Sequence[torch.dtype]:
        """Half precision is enough, as it is published."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def activation_bytes(
        self, config: HunyuanVideoAutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Some tensors of the last levels' width at full size, for all frames.

        The last but one level is upsampled to full size before it is narrowed.
        """
        batch, _, cells, rows, columns = shape
        frames = 1 + (cells - 1) * FRAMES
        pixels = batch * frames * rows * columns * PIXELS**2
        return WIDE_TENSORS * pixels * config.levels[1] * dtype_bytes


def _tensors(weights: StateDict) -> StateDict | None:
    if MARK not in weights:
        return None
    if BLOCK in weights:
        found = weights
    elif any(name.startswith(SHORT_BLOCK) for name in weights):
        found = _of_short_names(weights)
    else:
        return None
    if (found.shape("post_quant_conv.weight") or (0,))[0] != LATENT_CHANNELS:
        return None
    return found.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()


def _of_short_names(weights: StateDict) -> StateDict:
    levels = len({name.split(".")[2] for name in weights if name.startswith("decoder.up.")})

    def name(theirs: str) -> str:
        if theirs.startswith("decoder.up."):  # counted from the last one
            decoder, up, number, rest = theirs.split(".", 3)
            theirs = f"{decoder}.{up}.{levels - 1 - int(number)}.{rest}"
        for pattern, ours in _SHORT:
            theirs = pattern.sub(ours, theirs)
        return theirs

    renamed = weights.rename(name)
    entries = {
        name: _flat(entry) if ".to_" in name and len(entry.shape) > 2 else entry
        for name, entry in renamed.entries.items()
    }
    return replace(renamed, entries=entries)


def _flat(entry: Entry) -> Entry:
    """A convolution over single cells as a matrix."""
    shape = entry.shape[:2]
    return Entry(shape, entry.dtype, lambda: entry.read().reshape(shape))


def _configured(found: StateDict) -> HunyuanVideoAutoencoderConfig:
    def blocks(level: int) -> int:
        start = f"encoder.down_blocks.{level}.resnets."
        names = (f"{start}{number}.conv1.conv.weight" for number in range(100))
        return sum(1 for _ in takewhile(found.__contains__, names))

    count = sum(1 for _ in takewhile(blocks, range(10)))
    widths = [
        (found.shape(f"encoder.down_blocks.{level}.resnets.0.conv1.conv.weight") or (0,))[0]
        for level in range(count)
    ]
    if count < 2 or any(width % GROUPS for width in widths):
        raise WeightsError(
            f"not an autoencoder of HunyuanVideo that works: its levels have {widths} channels, "
            f"expected multiples of {GROUPS}"
        )
    return HunyuanVideoAutoencoderConfig(tuple(widths), blocks(0))
