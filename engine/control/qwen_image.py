"""ControlNets for Qwen-Image: InstantX' union of types, and theirs for inpainting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.control.kind import Call
from engine.control.qwen_image_network import QwenImageControl, QwenImageControlConfig
from engine.control.transformer import TransformerControl, each_for_several, has_mask
from engine.errors import NodeError
from engine.families.family import ModelFamily
from engine.families.qwen_image import keys
from engine.families.qwen_image.network import QwenImageConfig
from engine.families.shapes import matrix
from engine.families.wan_autoencoder import LATENT
from engine.nets.hooks import Residuals
from engine.weights.state_dict import StateDict

BLOCKS = 60
"""Of Qwen-Image, among which residuals are divided whatever the model's number is."""
PICTURE = "controlnet_x_embedder.weight"


class QwenImageControlNet(TransformerControl[QwenImageControlConfig]):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet of Qwen-Image"
    examples = (
        "`controlnet_x_embedder` beside `txt_norm`, for Qwen-Image: InstantX' Union, which sees "
        "the type of the picture itself, and Inpainting (huggingface.co/InstantX)"
    )
    family = "Qwen-Image"
    latent_format = LATENT

    def detect(self, weights: StateDict) -> QwenImageControlConfig | None:
        """The configuration of a file with those marks."""
        if not all(mark in weights for mark in (PICTURE, keys.TEXT, keys.MARK)):
            return None
        hint = matrix(weights, PICTURE)[1]
        return QwenImageControlConfig(
            net=keys.sizes(weights, out_channels=0),
            hint_channels=hint,
            mask=has_mask(hint, LATENT.channels, PICTURE),
        )

    def tensors(self, config: QwenImageControlConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        return weights.refuse_empty()

    def build(self, config: QwenImageControlConfig) -> nn.Module:
        """See `ControlKind`."""
        with torch.device("meta"):
            return QwenImageControl(config)

    def fits(self, config: QwenImageControlConfig, family: ModelFamily, sizes: Any) -> bool:
        """Whether the model is of the family, and its tokens and texts of the same widths."""
        if family.name != self.family or not isinstance(sizes, QwenImageConfig):
            return False
        wanted = (config.net.channels, config.net.context_channels)
        return (sizes.channels, sizes.context_channels) == wanted

    def features(
        self, config: QwenImageControlConfig, net: nn.Module, picture: Tensor
    ) -> Sequence[Tensor]:
        """The picture's tokens."""
        del config
        return (cast("QwenImageControl", net).picture(picture),)

    def residuals(self, config: QwenImageControlConfig, net: nn.Module, call: Call) -> Residuals:
        """Each serves several blocks in a row.

        Raises:
            NodeError: the latent has several layers.
        """
        del config
        if call.x.shape[2] != 1:
            raise NodeError(
                f"a ControlNet of Qwen-Image sees one picture, the latent has {call.x.shape[2]} "
                "layers; use EmptySD3LatentImage, or leave the ControlNet out"
            )
        found = net(
            call.x,
            call.timestep,
            call.inputs["context"],
            call.inputs.get("mask"),
            call.features[0],
            checkpoint=call.checkpoint,
        )
        return Residuals(input=each_for_several(found, BLOCKS))
