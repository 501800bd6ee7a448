"""T2I-Adapters for Stable Diffusion 1 and XL, in the original layout and in that of diffusers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil, prod
from types import MappingProxyType

import torch
from torch import Tensor, nn

from engine.control.kind import Call
from engine.control.of_unets import OfUNets
from engine.control.whole_file import WholeFile
from engine.errors import WeightsError
from engine.nets.hooks import Residuals
from engine.nets.t2i_adapter import T2IAdapter, T2IAdapterConfig, t2i_adapter_config
from engine.weights.state_dict import StateDict

PREFIX = "adapter."
MARKS = ("body.0.in_conv.weight", "body.0.block1.weight", "body.0.resnets.0.block1.weight")
LEVELS = 4
UNSHUFFLED: Mapping[int, tuple[int, int]] = MappingProxyType(
    {64: (8, 1), 192: (8, 3), 256: (16, 1), 768: (16, 3)}
)
"""Pixels per cell and channels of the picture, by the channels of the unshuffled picture."""
PLACES: Mapping[int, tuple[int, ...]] = MappingProxyType({8: (2, 5, 8, 11), 16: (3, 5, 8)})
"""By pixels per cell: the input blocks after which the levels are added; SDXL's last one is added
after the middle."""
PIXELS = 8
_FULL = re.compile(r"body\.(\d{1,3})\.(in_conv|block[12])\.(weight|bias)")


class T2IAdapterKind(WholeFile, OfUNets):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "T2I-Adapter"
    examples = (
        "full and light, for Stable Diffusion 1 and XL, also in the layout of diffusers "
        "(`adapter.body`): huggingface.co/TencentARC"
    )

    def detect(self, weights: StateDict) -> T2IAdapterConfig | None:
        """The configuration of a file with one of the marks."""
        if not any(f"{prefix}{mark}" in weights for prefix in ("", PREFIX) for mark in MARKS):
            return None
        return t2i_adapter_config(_named(weights).shapes, UNSHUFFLED)

    def tensors(self, config: T2IAdapterConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        return _named(weights)

    def build(self, config: T2IAdapterConfig) -> nn.Module:
        """See `ControlKind`."""
        with torch.device("meta"):
            return T2IAdapter(config)

    def hole(self, config: T2IAdapterConfig) -> float | None:
        """Not known."""
        del config
        return None

    def picture_size(self, config: T2IAdapterConfig, size: Sequence[int]) -> tuple[int, int]:
        """Eight pixels per cell, rounded up to whole cells of the first level."""
        rows, columns = (ceil(side * PIXELS / config.factor) for side in size[-2:])
        return rows * config.factor, columns * config.factor

    def features(
        self, config: T2IAdapterConfig, net: nn.Module, picture: Tensor
    ) -> Sequence[Tensor]:
        """One tensor for each level; they are the residuals."""
        if config.picture_channels == 1:
            picture = picture.mean(dim=1, keepdim=True)
        return net(picture)

    def residuals(self, config: T2IAdapterConfig, net: nn.Module, call: Call) -> Residuals:
        """The features after the last input block of each level."""
        del net
        places = PLACES[config.factor]
        added: list[Tensor | None] = [None] * (places[-1] + 1)
        rows = len(call.x)
        features = [each.expand(rows, *each.shape[1:]) for each in call.features]
        for place, feature in zip(places, features, strict=False):
            added[place] = feature
        return Residuals(input=tuple(added), middle=tuple(features[len(places) :]))

    def activation_bytes(
        self, config: T2IAdapterConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Of the first level, which is the largest, and the picture."""
        cells = shape[0] * prod(shape[2:])
        widest = max(level.channels_out for level in config.levels)
        return 8 * cells * widest * dtype_bytes

    def features_bytes(
        self, config: T2IAdapterConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """See `ControlKind`."""
        rows, columns = (side // config.factor for side in self.picture_size(config, shape))
        total = 0
        for level in config.levels:
            if level.halves:
                rows, columns = ceil(rows / 2), ceil(columns / 2)
            total += level.channels_out * rows * columns
        return shape[0] * total * dtype_bytes

    def kept_bytes(self, config: T2IAdapterConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """As much as the features: a strength makes copies."""
        return self.features_bytes(config, shape, dtype_bytes)


def _named(weights: StateDict) -> StateDict:
    """The tensors under the module's names.

    Raises:
        WeightsError: the blocks do not divide among the levels.
    """
    marked = any(f"{PREFIX}{mark}" in weights for mark in MARKS)
    found = weights.part(PREFIX) if marked else weights
    if "body.0.resnets.0.block1.weight" in found:
        return found.rename(lambda name: name.replace(".resnets.", ".body.", 1))
    if "body.0.block1.weight" not in found:
        return found
    places = [_FULL.fullmatch(name) for name in found]
    count = max((int(place[1]) + 1 for place in places if place), default=0)
    if count % LEVELS:
        raise WeightsError(f"its {count} blocks do not divide among {LEVELS} levels")

    def rename(name: str) -> str:
        place = _FULL.fullmatch(name)
        if place is None:
            return name
        level, block = divmod(int(place[1]), count // LEVELS)
        part = place[2] if place[2] == "in_conv" and block == 0 else f"body.{block}.{place[2]}"
        return f"body.{level}.{part}.{place[3]}"

    return found.rename(rename)
