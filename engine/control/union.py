"""Union ControlNets for SDXL (ControlNet++): one file for several types of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from engine.control.diffusers import in_original_layout
from engine.control.kind import Call
from engine.control.unet_copy import UNetCopy, UNetCopyConfig, sizes_of
from engine.errors import NodeError, WeightsError
from engine.nets.controlnet_union import ControlNetUnion, UnionConfig, union_config
from engine.nets.hooks import Residuals
from engine.weights.state_dict import StateDict

MARKS = ("task_embedding", "control_add_embedding.linear_1.weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionControlConfig(UNetCopyConfig):
    """The configuration of one file, with the chosen type.

    Attributes:
        union: sizes of the parts that depend on the type.
        chosen: the type of the picture; None: not said.
    """

    union: UnionConfig
    chosen: int | None = None


class UnionControlNet(UNetCopy[UnionControlConfig]):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "union ControlNet"
    examples = (
        "`task_embedding`, for Stable Diffusion XL: huggingface.co/xinsir/"
        "controlnet-union-sdxl-1.0, also its promax; SetUnionControlNetType chooses the type"
    )

    def detect(self, weights: StateDict) -> UnionControlConfig | None:
        """The configuration of a file with those marks."""
        if not any(mark in weights for mark in MARKS):
            return None
        found = in_original_layout(weights)
        net, union = sizes_of(weights, found), union_config(found.shapes)
        if union.channels != net.hint_channels[-1] or not 0 < union.types <= union.flags:
            raise WeightsError(
                f"its {union.types} types of {union.channels} channels do not fit its picture's "
                f"{net.hint_channels[-1]} channels and embedding of {union.flags} types"
            )
        return UnionControlConfig(net=net, union=union)

    def tensors(self, config: UnionControlConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        return in_original_layout(weights)

    def build(self, config: UnionControlConfig) -> nn.Module:
        """See `ControlKind`."""
        with torch.device("meta"):
            return ControlNetUnion(config.net, config.union)

    def types(self, config: UnionControlConfig) -> int:
        """The number of types with an embedding."""
        return config.union.types

    def of_type(self, config: UnionControlConfig, number: int | None) -> UnionControlConfig:
        """The configuration for one type. Raises `NodeError` if there is no such type."""
        if number is not None and not 0 <= number < config.union.types:
            raise NodeError(
                f"this union ControlNet has {config.union.types} types of pictures, numbered from "
                f"0, the chosen one is number {number}; choose another type, or a file with more, "
                "such as a promax one"
            )
        return replace(config, chosen=number)

    def hole(self, config: UnionControlConfig) -> float | None:
        """Not known."""
        del config
        return None

    def features(
        self, config: UnionControlConfig, net: nn.Module, picture: Tensor
    ) -> Sequence[Tensor]:
        """One tensor of the latent's size; it depends on the type."""
        return (_network(net).typed_features(picture, config.chosen),)

    def residuals(self, config: UnionControlConfig, net: nn.Module, call: Call) -> Residuals:
        """See `UNetCopy.residuals`."""
        embedding = _network(net).type_embedding(config.chosen, call.x)
        return self.computed(config, net, call, embedding)


def _network(net: nn.Module) -> ControlNetUnion:
    if not isinstance(net, ControlNetUnion):
        raise TypeError("not the network that this kind builds")
    return net
