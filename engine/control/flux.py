"""ControlNets for FLUX.1: by InstantX, Shakker Labs, Alimama and others; and those by XLabs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.control.flux_network import FluxControl, FluxControlConfig
from engine.control.kind import Call
from engine.control.transformer import TransformerControl, each_for_several, has_mask
from engine.errors import NodeError, WeightsError
from engine.families.family import ModelFamily
from engine.families.flux import keys
from engine.families.flux.family import GUIDANCE
from engine.families.flux.network import FluxConfig
from engine.families.latent_format import FLUX_LATENT
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix, width_of_heads
from engine.nets.hooks import Residuals
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.weights.state_dict import StateDict

DOUBLE, SINGLE = 19, 38
"""The blocks of FLUX.1, among which residuals are divided whatever the model's number is, as the
incumbent does."""
PICTURE = "controlnet_x_embedder"
MODES = "controlnet_mode_embedder"
MARKS = (f"{PICTURE}.weight", "time_text_embed.text_embedder.linear_1.weight")
XLABS_MARKS = ("controlnet_blocks.0.weight", "double_blocks.0.img_attn.norm.key_norm.scale")
XLABS_PICTURE = "pos_embed_input"
FIRST_CONVOLUTION = "input_hint_block.0.weight"


class _FluxKind(TransformerControl[FluxControlConfig]):
    """What both layouts share."""

    family = "FLUX.1"

    def fits(self, config: FluxControlConfig, family: ModelFamily, sizes: Any) -> bool:
        """Whether the model is of the family, and its tokens and texts of the same widths."""
        if family.name != self.family or not isinstance(sizes, FluxConfig):
            return False
        wanted = (config.channels, config.context_channels, config.vector_channels)
        return (sizes.channels, sizes.context_channels, sizes.vector_channels) == wanted

    def build(self, config: FluxControlConfig) -> nn.Module:
        """See `ControlKind`."""
        with torch.device("meta"):
            return FluxControl(config)

    def dtypes(self, config: FluxControlConfig) -> Sequence[torch.dtype]:
        """Those of the model."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def features(
        self, config: FluxControlConfig, net: nn.Module, picture: Tensor
    ) -> Sequence[Tensor]:
        """The picture's tokens."""
        del config
        return (cast("FluxControl", net).picture(picture),)

    def found(
        self, config: FluxControlConfig, net: nn.Module, call: Call
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The residuals of the blocks of two streams and of one."""
        guidance = call.inputs.get("guidance")
        if guidance is None and config.guidance:
            # A model such as schnell is told none, but the control network is.
            guidance = torch.full((len(call.x),), GUIDANCE, device=call.x.device)
        return net(
            call.x,
            call.timestep,
            call.inputs["context"],
            call.inputs["vector"],
            guidance,
            call.features[0],
            mode=config.chosen if config.modes else None,
            checkpoint=call.checkpoint,
        )


class FluxControlNet(_FluxKind):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet of FLUX.1"
    examples = (
        "in the layout of diffusers, for FLUX.1 dev: InstantX' Canny and Union, Shakker Labs' "
        "Depth, Union Pro and Union Pro 2.0, Jasper AI's, Alimama's for inpainting "
        "(`controlnet_x_embedder`); SetUnionControlNetType chooses a type by its number"
    )
    latent_format = FLUX_LATENT

    def detect(self, weights: StateDict) -> FluxControlConfig | None:
        """The configuration of a file with those marks."""
        if not all(mark in weights for mark in MARKS):
            return None
        hint = matrix(weights, f"{PICTURE}.weight")[1]
        return FluxControlConfig(
            in_channels=matrix(weights, "x_embedder.weight")[1],
            hint_channels=hint,
            context_channels=matrix(weights, "context_embedder.weight")[1],
            vector_channels=matrix(weights, MARKS[1])[1],
            channels=width_of_heads(weights, "x_embedder.weight", HEAD_CHANNELS),
            inner=matrix(weights, "transformer_blocks.0.ff.net.0.proj.weight")[0],
            double=count(weights, "transformer_blocks."),
            single=count(weights, "single_transformer_blocks."),
            guidance="time_text_embed.guidance_embedder.linear_1.weight" in weights,
            modes=matrix(weights, f"{MODES}.weight")[0] if f"{MODES}.weight" in weights else 0,
            mask=has_mask(hint, FLUX_LATENT.channels, f"{PICTURE}.weight"),
        )

    def tensors(self, config: FluxControlConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        model = FluxConfig(
            in_channels=config.in_channels,
            out_channels=0,
            context_channels=config.context_channels,
            vector_channels=config.vector_channels,
            channels=config.channels,
            inner=config.inner,
            double=config.double,
            single=config.single,
            guidance=config.guidance,
        )
        own = [PICTURE, MODES]
        own += [f"controlnet_blocks.{number}" for number in range(config.double)]
        own += [f"controlnet_single_blocks.{number}" for number in range(config.single)]
        names = {**keys.diffusers_names(model), **{name: name for name in own}}
        return original_layout(weights, names, parameter=keys.norm_scale).refuse_empty()

    def types(self, config: FluxControlConfig) -> int:
        """The number of types with an embedding."""
        return config.modes

    def of_type(self, config: FluxControlConfig, number: int | None) -> FluxControlConfig:
        """The configuration for one type. Raises `NodeError` if there is no such type."""
        if not config.modes:
            return config
        if number is not None and not 0 <= number < config.modes:
            raise NodeError(
                f"this union ControlNet has {config.modes} types of pictures, numbered from 0, the "
                f"chosen one is number {number}; choose another type"
            )
        return replace(config, chosen=number)

    def residuals(self, config: FluxControlConfig, net: nn.Module, call: Call) -> Residuals:
        """Each serves several blocks in a row."""
        double, single = self.found(config, net, call)
        return Residuals(
            input=each_for_several(double, DOUBLE), output=each_for_several(single, SINGLE)
        )


class XlabsControlNet(_FluxKind):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet of FLUX.1 by XLabs"
    examples = (
        "for FLUX.1 dev: Canny, Depth and HED of huggingface.co/XLabs-AI (`input_hint_block` "
        "beside `double_blocks`); these take no VAE"
    )
    latent_format = None

    def detect(self, weights: StateDict) -> FluxControlConfig | None:
        """The configuration of a file with those marks."""
        if not all(mark in weights for mark in XLABS_MARKS):
            return None
        first = weights.shape(FIRST_CONVOLUTION)
        if first is None or len(first) != 4 or first[1] != 3:
            found = "no such tensor" if first is None else f"shape {list(first)}"
            raise WeightsError(
                f"{FIRST_CONVOLUTION} should be a convolution of pictures, found {found}"
            )
        hint = matrix(weights, f"{XLABS_PICTURE}.weight")[1]
        return FluxControlConfig(
            in_channels=matrix(weights, "img_in.weight")[1],
            hint_channels=hint,
            context_channels=matrix(weights, "txt_in.weight")[1],
            vector_channels=matrix(weights, keys.OWN)[1],
            channels=width_of_heads(weights, "img_in.weight", HEAD_CHANNELS),
            inner=matrix(weights, "double_blocks.0.img_mlp.0.weight")[0],
            double=count(weights, "double_blocks."),
            single=0,
            guidance="guidance_in.in_layer.weight" in weights,
            pixels=first[0],
        )

    def tensors(self, config: FluxControlConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config

        def ours(name: str) -> str:
            return name.replace(f"{XLABS_PICTURE}.", f"{PICTURE}.", 1)

        return weights.rename(ours).refuse_empty()

    def shown(self, config: FluxControlConfig, picture: Tensor) -> Tensor:
        """In -1..1."""
        del config
        return picture * 2 - 1

    def residuals(self, config: FluxControlConfig, net: nn.Module, call: Call) -> Residuals:
        """One after the other, and from the first again."""
        double, _ = self.found(config, net, call)
        return Residuals(input=tuple(double[number % len(double)] for number in range(DOUBLE)))
