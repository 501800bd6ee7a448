"""ControlNets for Stable Diffusion 3 and 3.5: InstantX', Alimama's, and Stability AI's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.control.kind import Call, OnModel
from engine.control.sd3_network import JointControl, PictureControl, SD3Control, SD3ControlConfig
from engine.control.transformer import TransformerControl, each_for_several, has_mask
from engine.errors import NodeError, WeightsError
from engine.families.family import ModelFamily
from engine.families.latent_format import LatentFormat
from engine.families.other_layouts import original_layout
from engine.families.sd3 import keys
from engine.families.sd3.family import LATENT_SCALE, LATENT_SHIFT
from engine.families.sd3.network import MMDiT, MMDiTConfig
from engine.families.shapes import count, matrix
from engine.nets.hooks import Residuals
from engine.residency.handles import Weights
from engine.weights.state_dict import StateDict

CHANNELS = 16
PICTURE = "pos_embed_input.proj.weight"
JOINT_MARKS = (PICTURE, "context_embedder.weight", "transformer_blocks.0.attn.add_q_proj.weight")
PICTURE_MARKS = (PICTURE, "transformer_blocks.0.adaLN_modulation.1.bias")
KIND = "control_type"
BLURRED, EDGES, DEPTH = 0, 1, 2
"""Values of `KIND`."""
OF_MODEL = ("pos_embed", "x_embedder.proj.weight", "x_embedder.proj.bias")


class _SD3Kind(TransformerControl[SD3ControlConfig]):
    """What both share."""

    family = "Stable Diffusion 3"
    network: type[SD3Control]

    def fits(self, config: SD3ControlConfig, family: ModelFamily, sizes: Any) -> bool:
        """Whether the model is of the family, and its tokens and texts of the same widths."""
        if family.name != self.family or not isinstance(sizes, MMDiTConfig):
            return False
        same_text = config.net.context in (0, sizes.context) and config.net.vector == sizes.vector
        return same_text and sizes.width == config.net.width

    def dtypes(self, config: SD3ControlConfig) -> Sequence[torch.dtype]:
        """Any, as the model."""
        del config
        return ()

    def build(self, config: SD3ControlConfig) -> nn.Module:
        """See `ControlKind`."""
        with torch.device("meta"):
            return self.network(config)

    def features(
        self, config: SD3ControlConfig, net: nn.Module, picture: Tensor
    ) -> Sequence[Tensor]:
        """The picture's tokens."""
        del config
        return (cast("SD3Control", net).picture(picture),)


def _hint_channels(weights: StateDict) -> int:
    """The channels of the encoded picture. Raises `WeightsError` where it cannot be told."""
    shape = weights.shape(PICTURE) or ()
    if len(shape) != 4:
        raise WeightsError(f"its {PICTURE} has the shape {list(shape)}, expected 4 axes")
    return shape[1]


class SD3ControlNet(_SD3Kind):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet of Stable Diffusion 3"
    examples = (
        "in the layout of diffusers (`pos_embed_input`), for SD3 medium: InstantX' Canny, Pose, "
        "Tile and Depth, Alimama's for inpainting"
    )
    network = JointControl
    # Without the model's shift, as they were trained.
    latent_format = LatentFormat(CHANNELS, (8, 8), scale=LATENT_SCALE)

    def detect(self, weights: StateDict) -> SD3ControlConfig | None:
        """The configuration of a file with those marks."""
        if not all(mark in weights for mark in JOINT_MARKS):
            return None
        hint = _hint_channels(weights)
        net = keys.config_of(_original(weights))
        return SD3ControlConfig(net, hint, has_mask(4 * hint, net.channels, PICTURE))

    def tensors(self, config: SD3ControlConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        return _original(weights).refuse_empty()

    def residuals(self, config: SD3ControlConfig, net: nn.Module, call: Call) -> Residuals:
        """Each serves several blocks in a row, but none the model's last.

        The pooled text is replaced by zeros, as in their training.
        """
        found = net(
            call.x,
            call.timestep,
            call.inputs["context"],
            torch.zeros_like(call.inputs["vector"]),
            call.features[0],
            checkpoint=call.checkpoint,
        )
        return Residuals(input=each_for_several(found, _depth(config))[:-1])


class SD35ControlNet(_SD3Kind):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet of Stable Diffusion 3.5 large"
    examples = (
        "Stability AI's Blur, Canny and Depth for SD3.5 large (huggingface.co/stabilityai/"
        "stable-diffusion-3.5-controlnets); they embed the latent as the model does"
    )
    network = PictureControl
    latent_format = LatentFormat(CHANNELS, (8, 8), scale=LATENT_SCALE, shift=LATENT_SHIFT)

    def detect(self, weights: StateDict) -> SD3ControlConfig | None:
        """The configuration of a file with those marks; reads the kind of its picture."""
        if not all(mark in weights for mark in PICTURE_MARKS):
            return None
        found = _of_pictures(weights)
        width, vector = matrix(found, "y_embedder.mlp.0.weight")
        if width % keys.HEAD:
            raise WeightsError(f"its width {width} is no multiple of a head's {keys.HEAD} channels")
        hint = _hint_channels(weights)
        net = MMDiTConfig(
            width=width,
            depth=count(found, "transformer_blocks."),
            head=keys.HEAD,
            feed_forward=matrix(found, "transformer_blocks.0.mlp.fc1.weight")[0],
            channels=CHANNELS,
            context=0,
            vector=vector,
            positions=1,
            norms=False,
            attend_twice=frozenset(),
        )
        if has_mask(4 * hint, CHANNELS, PICTURE):
            raise WeightsError(f"its {PICTURE} takes a mask, which is of no published file")
        return SD3ControlConfig(net, hint, picture_kind=_picture_kind(weights))

    def tensors(self, config: SD3ControlConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        return _of_pictures(weights).refuse_empty()

    def needs_model(self, config: SD3ControlConfig) -> bool:
        """Yes: the embedding of the latent is the model's."""
        del config
        return True

    def on_model(self, config: SD3ControlConfig, tensors: StateDict, model: Weights) -> OnModel:
        """The file's tensors, and the model's embedding and positions."""
        module = model.module
        if not isinstance(module, MMDiT) or module.config.width != config.net.width:
            raise NodeError(
                f"{tensors.origin} was made for {self.made_for(config)}, the model "
                f"{model.name} is another; choose a control network that was made for it"
            )
        net = replace(config.net, positions=module.config.positions)
        sources = {**tensors.entries, **{name: model.sources[name] for name in OF_MODEL}}
        return OnModel(replace(config, net=net), sources, {})

    def shown(self, config: SD3ControlConfig, picture: Tensor) -> Tensor:
        """Edges of a larger range, and depth inverted, as these were trained.

        The authors give the autoencoder 127.5 x + 0.5 for edges, in place of 2 x - 1.
        """
        if config.picture_kind == EDGES:
            return (picture * 127.5 + 1.5) / 2
        return 1 - picture if config.picture_kind == DEPTH else picture

    def residuals(self, config: SD3ControlConfig, net: nn.Module, call: Call) -> Residuals:
        """Each serves several blocks in a row."""
        found = net(
            call.x,
            call.timestep,
            call.inputs["vector"],
            call.features[0],
            checkpoint=call.checkpoint,
        )
        return Residuals(input=each_for_several(found, _depth(config)))


def _depth(config: SD3ControlConfig) -> int:
    """The blocks of the model, which has a head of 64 channels for each."""
    return config.net.width // keys.HEAD


def _original(weights: StateDict) -> StateDict:
    """The tensors of a joint network under the original names."""
    width, _ = matrix(weights, "context_embedder.weight")
    depth = count(weights, "transformer_blocks.")
    # One more block, for the names of a model's last differ.
    names = keys.diffusers_names(depth + 1, width)
    own = ["pos_embed_input.proj", *(f"controlnet_blocks.{number}" for number in range(depth))]
    found = original_layout(weights, {**names, **{name: name for name in own}})
    if keys.POSITIONS not in weights:
        raise WeightsError(f"its tensor {keys.POSITIONS} is missing; the file is incomplete")
    positions = weights.entries[keys.POSITIONS]
    return replace(found, entries={**found.entries, "pos_embed": positions})


def _of_pictures(weights: StateDict) -> StateDict:
    """The tensors of a network of pictures under the original names, without the kind."""
    names = {f"{theirs}.": f"{ours}." for theirs, ours in keys.OUTER.items()}

    def ours(name: str) -> str | None:
        if name == KIND or name.removeprefix("pos_embed.proj.") in ("weight", "bias"):
            return None
        module, _, kind = name.rpartition(".")
        return f"{names.get(f'{module}.', f'{module}.')}{kind}"

    return weights.rename(ours)


def _picture_kind(weights: StateDict) -> int:
    """The kind of pictures that a file names; reads that tensor."""
    if KIND not in weights:
        return BLURRED
    value = weights.entries[KIND].read()
    found = int(value.flatten()[0]) if value.numel() == 1 else -1
    if found not in (BLURRED, EDGES, DEPTH):
        raise WeightsError(
            f"its {KIND} is {value.flatten()[:4].tolist()}, expected 0 (blurred), 1 (edges) or "
            "2 (depth)"
        )
    return found
