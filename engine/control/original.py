"""ControlNets in the original layout, for all latent diffusion UNets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

import torch
from torch import Tensor, nn

from engine.control.kind import Call
from engine.errors import NodeError, WeightsError
from engine.nets.controlnet import HINT, PIXELS, ControlNet, ControlNetConfig, controlnet_config
from engine.nets.hooks import Residuals
from engine.nets.unet_blocks import DownsampleConfig
from engine.weights.state_dict import StateDict

PREFIXES = ("control_model.", "")
MARKS = ("zero_convs.0.0.weight", "input_hint_block.0.weight")
PARTS = (
    "time_embed.",
    "label_emb.",
    "input_blocks.",
    "middle_block.",
    "input_hint_block.",
    "zero_convs.",
    "middle_block_out.",
)
OTHER_KINDS = ("lora_controlnet", "task_embedding", "control_add_embedding")
"""Tensors that identify files of other kinds, which also have the names used here."""
HEADS, HEAD_CHANNELS = 8, 64
HEADS_METADATA = "calotype.attention_heads"
AVERAGED = ("_shuffle", "_shuffle_fp16")
DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class OriginalConfig:
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


class OriginalControlNet:
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet"
    examples = (
        "original layout (`zero_convs`, with or without `control_model.`), for Stable Diffusion 1 "
        "and XL: ControlNet 1.0 and 1.1 (huggingface.co/lllyasviel), files whose weights are a "
        "difference, shuffle"
    )

    def detect(self, weights: StateDict) -> OriginalConfig | None:
        """The configuration of a file with an encoder half and zero convolutions."""
        found = _below(weights)
        if found is None:
            return None
        stem = weights.path.stem if weights.path else ""
        return OriginalConfig(
            net=controlnet_config(found.shapes, **_heads(weights, found)),
            averaged=stem.endswith(AVERAGED),
            difference=DIFFERENCE in weights,
        )

    def tensors(self, config: OriginalConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        found = _below(weights)
        if found is None:
            raise ValueError("detect says whether a file is of this kind")
        return found

    def build(self, config: OriginalConfig) -> nn.Module:
        """See `ControlKind`."""
        with torch.device("meta"):
            return ControlNet(config.net)

    def is_difference(self, config: OriginalConfig) -> bool:
        """Whether the file is marked so."""
        return config.difference

    def picture_size(self, config: OriginalConfig, size: Sequence[int]) -> tuple[int, int]:
        """Eight pixels per cell."""
        del config
        return size[-2] * PIXELS, size[-1] * PIXELS

    def features(self, config: OriginalConfig, net: nn.Module, picture: Tensor) -> Sequence[Tensor]:
        """One tensor of the latent's size."""
        del config
        return (net.get_submodule(HINT)(picture),)

    def residuals(self, config: OriginalConfig, net: nn.Module, call: Call) -> Residuals:
        """One residual for each input block and one for the middle."""
        context, vector = call.inputs.get("context"), call.inputs.get("vector")
        _check_width("text tokens", config.net.context_channels, context)
        _check_width("a vector of sizes", config.net.vector_channels, vector)
        found: Residuals = net(
            call.x,
            call.timestep,
            call.features[0],
            context,
            vector if config.net.vector_channels is not None else None,
            checkpoint=call.checkpoint,
        )
        if not config.averaged:
            return found
        return found.each(
            lambda residual: residual.mean(dim=(2, 3), keepdim=True).expand_as(residual)
        )

    def activation_bytes(
        self, config: OriginalConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """As for the UNet, or for the picture's first, larger tensors."""
        cells = shape[0] * prod(shape[2:])
        return 70 * cells * config.net.model_channels * dtype_bytes

    def features_bytes(self, config: OriginalConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """See `ControlKind`."""
        return shape[0] * prod(shape[2:]) * config.net.hint_channels[-1] * dtype_bytes

    def kept_bytes(self, config: OriginalConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """See `ControlKind`."""
        rows, columns = shape[-2], shape[-1]
        total = 0
        *skips, middle = config.net.residual_channels
        for block, channels in zip(config.net.input_blocks, skips, strict=True):
            if isinstance(block[0], DownsampleConfig):
                rows, columns = ceil(rows / 2), ceil(columns / 2)
            total += channels * rows * columns
        return shape[0] * (total + middle * rows * columns) * dtype_bytes


def _below(weights: StateDict) -> StateDict | None:
    if any(name in weights for name in OTHER_KINDS):
        return None
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in MARKS):
            found = weights.part(prefix) if prefix else weights
            return found.rename(lambda name: name if name.startswith(PARTS) else None)
    return None


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
