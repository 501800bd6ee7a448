"""HunyuanImage 2.1's autoencoder as a kind, with the network of diffusers.

Pictures of 32 x 32 pixels are one cell of 64 channels. In original files the blocks of a level are
below the level, in the class they are in a row with what changes the size; sizes and names:
diffusers 0.42 (Apache-2.0), autoencoder_kl_hunyuanimage.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import torch
from torch import nn

from engine.errors import WeightsError
from engine.families.latent_format import LatentFormat
from engine.nets import foreign_networks
from engine.nets.diffusers_classes import network_class
from engine.nets.foreign_autoencoder import ForeignAutoencoder
from engine.weights.state_dict import Entry, StateDict

FIRST = "decoder.conv_in.weight"
BLOCK, CLASS_BLOCK = "decoder.up.0.block.0.conv1.weight", "decoder.up_blocks.0.conv1.weight"
"""A tensor in original files, and under the class's names."""
PARTS = ("encoder.", "decoder.")
LATENT_CHANNELS, PIXELS, LEVELS = 64, 32, 6
GROUPS = 32
BLOCKS = ("HunyuanImageResnetBlock",)
INSIDE = "network."
SAMPLE = 384
"""The class's side of tiles, which are not used."""
WIDE_TENSORS = 6
"""Tensors of the narrowest level's channels at full size that there is room for.

Measured in float32 on a CPU, 4 are alive together.
"""
_MIDDLE = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\.mid\.block_1\.", ".mid_block.resnets.0."),
        (r"\.mid\.block_2\.", ".mid_block.resnets.1."),
        (r"\.mid\.attn_1\.([qkv])\.", r".mid_block.attentions.0.to_\1."),
        (r"\.mid\.attn_1\.proj_out\.", ".mid_block.attentions.0.proj."),
        (r"\.mid\.attn_1\.", ".mid_block.attentions.0."),
    )
)
_LEVEL = re.compile(r"^(encoder|decoder)\.(down|up)\.(\d{1,2})\.(.+)$")
_IN_LEVEL = re.compile(r"^block\.(\d{1,2})\.(.+)$")


@dataclass(frozen=True, slots=True)
class HunyuanImageAutoencoderConfig:
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


class HunyuanImageAutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "HunyuanImage 2.1 autoencoder (via diffusers)"

    def detect(self, weights: StateDict) -> HunyuanImageAutoencoderConfig | None:
        """The configuration, in either layout."""
        found = _tensors(weights)
        return None if found is None else _configured(found)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = _tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of HunyuanImage 2.1's autoencoder")
        return found.rename(lambda name: f"{INSIDE}{name}")

    def build(self, config: HunyuanImageAutoencoderConfig) -> nn.Module:
        """The module, with its parameters on the meta device.

        Raises:
            WeightsError: diffusers is not installed, or has no such class.
        """
        made = network_class("AutoencoderKLHunyuanImage", self.name)
        network = foreign_networks.built(
            lambda: made(
                in_channels=3,
                out_channels=3,
                latent_channels=LATENT_CHANNELS,
                block_out_channels=config.levels,
                layers_per_block=config.blocks,
                spatial_compression_ratio=PIXELS,
                sample_size=SAMPLE,
            )
        )
        return ForeignAutoencoder(network, BLOCKS)

    def latent(self, config: HunyuanImageAutoencoderConfig) -> LatentFormat:
        """A format with two axes."""
        del config
        return LatentFormat(LATENT_CHANNELS, (PIXELS, PIXELS))

    def dtypes(self, config: HunyuanImageAutoencoderConfig) -> Sequence[torch.dtype]:
        """Not fp16: it is published in float32."""
        del config
        return (torch.bfloat16, torch.float32)

    def activation_bytes(
        self, config: HunyuanImageAutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Some tensors of the narrowest level's width at full size."""
        pixels = shape[0] * shape[-2] * shape[-1] * PIXELS**2
        return WIDE_TENSORS * pixels * config.levels[0] * dtype_bytes


def _tensors(weights: StateDict) -> StateDict | None:
    if (weights.shape(FIRST) or (0, 0))[1] != LATENT_CHANNELS:
        return None
    if BLOCK in weights:
        blocks = _count(weights, "encoder.down.0.block.{}.conv1.weight")
        weights = weights.rename(lambda name: _class_name(name, blocks))
        entries = {name: _of_pictures(entry) for name, entry in weights.entries.items()}
        weights = replace(weights, entries=entries)
    elif CLASS_BLOCK not in weights:
        return None
    return weights.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()


def _count(weights: StateDict, form: str) -> int:
    return sum(1 for _ in takewhile(weights.__contains__, (form.format(n) for n in range(100))))


def _class_name(name: str, blocks: int) -> str:
    """The class's name of a tensor of an original file, whose encoder has so many blocks a level.

    The decoder has one more, and both something that changes the size behind them.
    """
    for pattern, ours in _MIDDLE:
        name = pattern.sub(ours, name)
    found = _LEVEL.match(name)
    if found is None:
        return name
    side, direction, level, rest = found.groups()
    size = blocks + (2 if side == "decoder" else 1)
    first = f"{side}.{direction}_blocks."
    inside = _IN_LEVEL.match(rest)
    if inside is not None:
        return f"{first}{int(level) * size + int(inside[1])}.{inside[2]}"
    return f"{first}{int(level) * size + size - 1}.{rest.split('.', 1)[-1]}"


def _of_pictures(entry: Entry) -> Entry:
    """A convolution over single frames as one over pictures."""
    if len(entry.shape) != 5 or entry.shape[2] != 1:
        return entry
    shape = (*entry.shape[:2], *entry.shape[3:])
    return Entry(shape, entry.dtype, lambda: entry.read().reshape(shape))


def _configured(found: StateDict) -> HunyuanImageAutoencoderConfig:
    shapes = found.shapes
    kinds: list[int | None] = []
    for number in range(200):
        block = shapes.get(f"encoder.down_blocks.{number}.conv1.weight")
        if block is None and f"encoder.down_blocks.{number}.conv.weight" not in shapes:
            break
        kinds.append(None if block is None else block[0])
    blocks = next((n for n, kind in enumerate(kinds) if kind is None), len(kinds))
    levels = tuple(kind for kind in kinds[:: blocks + 1] if kind is not None)
    last = 2 * LATENT_CHANNELS
    if len(levels) != LEVELS or any(each % GROUPS for each in levels) or levels[-1] % last:
        raise WeightsError(
            f"not an autoencoder of HunyuanImage 2.1 that works: its levels have {list(levels)} "
            f"channels, expected {LEVELS} levels of multiples of {GROUPS}, the last one of {last}"
        )
    return HunyuanImageAutoencoderConfig(levels, blocks)
