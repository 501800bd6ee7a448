"""Control-LoRA (Stability AI 2023): a ControlNet as low-rank changes of the model's own weights.

The file has `X.up` and `X.down` for weights of the encoder half, and whole tensors for the rest:
the layers that a ControlNet adds, norms, and some biases. Any other tensor is the model's. The
model is known only in a run, so the network is made there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.control.kind import OnModel
from engine.control.unet_copy import UNetCopy, UNetCopyConfig, check_picture, is_averaged
from engine.errors import NodeError, WeightsError
from engine.nets.controlnet import STRIDES, ControlNet, ControlNetConfig
from engine.nets.unet import UNet
from engine.residency.handles import Weights
from engine.residency.sources import Patch, Source
from engine.weights.state_dict import StateDict

MARK = "lora_controlnet"
UP, DOWN, WEIGHT = ".up", ".down", ".weight"
PREFIX = "control_model."


@dataclass(frozen=True, slots=True)
class ControlLoraConfig:
    """The configuration of one file, before the model is known.

    Attributes:
        hint_channels: of the picture, and after each convolution that reads it.
        averaged: see `UNetCopyConfig`.
    """

    hint_channels: tuple[int, ...]
    averaged: bool = False


@dataclass(frozen=True, slots=True)
class LowRank:
    """A patch that adds `up @ down` to a weight (Hu et al. 2021), without a factor."""

    up: Source
    down: Source

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        up, down = (
            source.unpack(
                [part.to(weight.device) for part in source.read_parts()], torch.float32
            ).flatten(1)
            for source in (self.up, self.down)
        )
        return weight + (up @ down).reshape(weight.shape)


class ControlLora(UNetCopy[UNetCopyConfig]):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "Control-LoRA"
    examples = (
        "`lora_controlnet`: changes of the weights of the model that it is used with "
        "(huggingface.co/stabilityai/control-lora), for Stable Diffusion 1 and XL"
    )

    def detect(self, weights: StateDict) -> ControlLoraConfig | None:
        """The configuration of a file with that mark."""
        if MARK not in weights:
            return None
        shapes = _tensors(weights).shapes
        keys = [f"input_hint_block.{2 * i}.weight" for i in range(len(STRIDES))]
        hints = [shapes.get(key, ()) for key in keys]
        for key, shape in zip(keys, hints, strict=True):
            if len(shape) != 4:
                found = f"shape {list(shape)}" if shape else "no such tensor"
                raise WeightsError(f"{key} should have 4 axes, found {found}")
        check_picture(hints[0][1])
        for name, shape in shapes.items():
            if name.endswith(UP):
                _check_pair(name.removesuffix(UP), shape, shapes)
        channels = (hints[0][1], *(shape[0] for shape in hints))
        return ControlLoraConfig(channels, is_averaged(weights))

    def tensors(self, config: ControlLoraConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        return _tensors(weights)

    def is_difference(self, config: UNetCopyConfig | ControlLoraConfig) -> bool:
        """No: each change is of low rank."""
        del config
        return False

    def needs_model(self, config: UNetCopyConfig | ControlLoraConfig) -> bool:
        """Yes, until it is on a model."""
        return isinstance(config, ControlLoraConfig)

    def on_model(self, config: ControlLoraConfig, tensors: StateDict, model: Weights) -> OnModel:
        """The encoder half of the model's UNet with the file's changes and layers."""
        unet = model.module
        if not isinstance(unet, UNet):
            raise NodeError(
                f"{tensors.origin}: a Control-LoRA changes the weights of a Stable Diffusion UNet, "
                "but the model has another network; choose a control network of its family"
            )
        sizes = ControlNetConfig(
            in_channels=unet.config.in_channels,
            model_channels=unet.config.model_channels,
            time_channels=unet.config.time_channels,
            vector_channels=unet.config.vector_channels,
            input_blocks=unet.config.input_blocks,
            middle_block=unet.config.middle_block,
            hint_channels=config.hint_channels,
        )
        found = UNetCopyConfig(sizes, config.averaged)
        with torch.device("meta"):
            net = ControlNet(sizes)
        expected = {name: tuple(each.shape) for name, each in net.state_dict().items()}
        sources, patches = _merged(tensors, model.sources, expected)
        return OnModel(found, sources, patches)


def _merged(
    tensors: StateDict, model: Mapping[str, Source], expected: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Source], dict[str, tuple[Patch, ...]]]:
    """The sources of a network's tensors, and the patches of those that are the model's."""
    sources: dict[str, Source] = {}
    patches: dict[str, tuple[Patch, ...]] = {}
    for name, shape in expected.items():
        module = name.removesuffix(WEIGHT)
        up, down = (tensors.entries.get(f"{module}{part}") for part in (UP, DOWN))
        source = tensors.entries.get(name) or model.get(name)
        if source is None:
            raise NodeError(
                f"{tensors.origin}: neither this Control-LoRA nor the model has {name}; the file "
                "is incomplete or was made for another model; get it again, or choose one of the "
                "model's family"
            )
        given: tuple[int, ...] = tuple(source.shape)
        if name.endswith(WEIGHT) and up is not None and down is not None:
            given = (up.shape[0], *down.shape[1:])
            patches[name] = (LowRank(up, down),)
        if prod(given) != prod(shape) or given[0] != shape[0]:
            raise _made_for_another(tensors.origin, name, given, shape)
        sources[name] = source
    known = {name.removesuffix(WEIGHT) for name in expected}
    for name in tensors:
        if name.removesuffix(UP).removesuffix(DOWN).removesuffix(WEIGHT) not in known:
            raise NodeError(
                f"{tensors.origin}: this Control-LoRA changes {name[:100]!r}, which the model does "
                "not have; it was made for another model; choose one of the model's family"
            )
    return sources, patches


def _made_for_another(
    origin: str, name: str, found: tuple[int, ...], expected: tuple[int, ...]
) -> NodeError:
    return NodeError(
        f"{origin}: this Control-LoRA has {list(found)} for {name}, where the model has "
        f"{list(expected)}: it was made for another model; choose one of the model's family"
    )


def _check_pair(module: str, up: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]) -> None:
    down = shapes.get(f"{module}{DOWN}", ())
    if len(up) < 2 or len(down) < 2 or prod(up[1:]) != down[0]:
        raise WeightsError(
            f"the factors of {module} do not fit: up {list(up)}, down {list(down) or 'missing'}"
        )


def _tensors(weights: StateDict) -> StateDict:
    """All tensors but the mark, without a prefix."""
    prefix = PREFIX if any(name.startswith(PREFIX) for name in weights) else ""
    return weights.part(prefix).rename(lambda name: None if name == MARK else name)
