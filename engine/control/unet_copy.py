"""What the kinds share whose network is a copy of a UNet's encoder half (ControlNets)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from engine.control.kind import Call
from engine.control.of_unets import OfUNets
from engine.control.whole_file import WholeFile
from engine.errors import NodeError, WeightsError
from engine.nets.controlnet import HINT, PIXELS, ControlNet, ControlNetConfig, controlnet_config
from engine.nets.hooks import Residuals
from engine.nets.unet_blocks import DownsampleConfig
from engine.weights.state_dict import StateDict

HEADS, HEAD_CHANNELS = 8, 64
HEADS_METADATA = "calotype.attention_heads"
AVERAGED = ("_shuffle", "_shuffle_fp16")


@dataclass(frozen=True, slots=True)
class UNetCopyConfig:
    """The configuration of one file.

    Attributes:
        net: the sizes.
        averaged: whether the residuals are averaged over the picture, for control of content, not
            of places.
        difference: whether its weights must be added to those of the model it was trained on.
    """

    net: ControlNetConfig
    averaged: bool = False
    difference: bool = False


AnyConfig = TypeVar("AnyConfig", bound=UNetCopyConfig)


class UNetCopy(WholeFile, OfUNets, Generic[AnyConfig]):
    """The methods of `engine.control.kind.ControlKind` that do not depend on the layout."""

    def build(self, config: AnyConfig) -> nn.Module:
        """See `ControlKind`."""
        with torch.device("meta"):
            return ControlNet(config.net)

    def is_difference(self, config: AnyConfig) -> bool:
        """Whether the file is marked so."""
        return config.difference

    def hole(self, config: AnyConfig) -> float | None:
        """-1, outside the range of pictures (Zhang et al., ControlNet 1.1, inpainting)."""
        del config
        return -1.0

    def picture_size(self, config: AnyConfig, size: Sequence[int]) -> tuple[int, int]:
        """Eight pixels per cell."""
        del config
        return size[-2] * PIXELS, size[-1] * PIXELS

    def features(self, config: AnyConfig, net: nn.Module, picture: Tensor) -> Sequence[Tensor]:
        """One tensor of the latent's size."""
        del config
        return (net.get_submodule(HINT)(picture),)

    def residuals(self, config: AnyConfig, net: nn.Module, call: Call) -> Residuals:
        """One residual for each input block and one for the middle."""
        return self.computed(config, net, call, None)

    def computed(
        self, config: AnyConfig, net: nn.Module, call: Call, embedding: Tensor | None
    ) -> Residuals:
        """The residuals; `embedding` [1 or B, E] is added to that of the time.

        Raises:
            NodeError: the model's inputs are of another width.
        """
        context, vector = call.inputs.get("context"), call.inputs.get("vector")
        _check_width("text tokens", config.net.context_channels, context)
        _check_width("a vector of sizes", config.net.vector_channels, vector)
        _check_latent(config.net.in_channels, call.x)
        found: Residuals = net(
            call.x,
            call.timestep,
            call.features[0],
            context,
            vector if config.net.vector_channels is not None else None,
            embedding=embedding,
            checkpoint=call.checkpoint,
        )
        if not config.averaged:
            return found
        return found.each(
            lambda residual: residual.mean(dim=(2, 3), keepdim=True).expand_as(residual)
        )

    def activation_bytes(self, config: AnyConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """As for the UNet, or for the picture's first, larger tensors."""
        cells = shape[0] * prod(shape[2:])
        return 70 * cells * config.net.model_channels * dtype_bytes

    def features_bytes(self, config: AnyConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """See `ControlKind`."""
        return shape[0] * prod(shape[2:]) * config.net.hint_channels[-1] * dtype_bytes

    def kept_bytes(self, config: AnyConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """See `ControlKind`."""
        rows, columns = shape[-2], shape[-1]
        total = 0
        *skips, middle = config.net.residual_channels
        for block, channels in zip(config.net.input_blocks, skips, strict=True):
            if isinstance(block[0], DownsampleConfig):
                rows, columns = ceil(rows / 2), ceil(columns / 2)
            total += channels * rows * columns
        return shape[0] * (total + middle * rows * columns) * dtype_bytes


def sizes_of(weights: StateDict, found: StateDict) -> ControlNetConfig:
    """The sizes of the ControlNet with these tensors; its file may name the number of heads.

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    config = controlnet_config(found.shapes, **_heads(weights, found))
    check_picture(config.hint_channels[0])
    return config


def check_picture(channels: int) -> None:
    """Raises `WeightsError` if a network reads pictures of other than three channels."""
    if channels != 3:
        raise WeightsError(
            f"its picture has {channels} channels; Calotype gives pictures of 3 (red, green, blue)"
        )


def is_averaged(weights: StateDict) -> bool:
    """Whether the file's name says that the residuals are averaged over the picture."""
    return weights.path is not None and weights.path.stem.endswith(AVERAGED)


def _heads(weights: StateDict, found: StateDict) -> dict[str, int]:
    """SD1's eight heads, or heads of 64 channels for later UNets, which project tokens."""
    given = weights.metadata.get(HEADS_METADATA)
    if given is not None:
        if not given.isdecimal() or not 1 <= int(given) <= 1024:
            raise WeightsError(
                f"its metadata {HEADS_METADATA} is {given[:50]!r}, expected a number"
            )
        return {"heads": int(given)}
    projections = (
        shape for name, shape in found.shapes.items() if name.endswith(".proj_in.weight")
    )
    is_linear = len(next(projections, ())) == 2
    return {"head_channels": HEAD_CHANNELS} if is_linear else {"heads": HEADS}


def _check_width(what: str, expected: int | None, given: Tensor | None) -> None:
    found = None if given is None else given.shape[-1]
    if expected is not None and found != expected:
        raise NodeError(
            f"the control network takes {what} {expected} wide, the model gives "
            f"{'none' if found is None else f'those of {found}'}: it was made for another model; "
            "choose a control network of the model's family"
        )


def _check_latent(expected: int, x: Tensor) -> None:
    if x.shape[1] != expected:
        raise NodeError(
            f"the control network takes latents of {expected} channels, the model works on "
            f"{x.shape[1]}: it was made for another model; choose a control network of the "
            "model's family"
        )
