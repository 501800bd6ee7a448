"""Networks in files of their own that change a model's tokens: control networks of Z-Image.

Those of Qwen-Image are in `blockwise_control.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import NodeError, WeightsError
from engine.families.detect import recognise
from engine.families.qwen_image.blockwise import (
    BlockwiseConfig,
    BlockwiseControl,
    blockwise_config,
)
from engine.families.zimage.control import (
    INPAINT_CHANNELS,
    MARK,
    ControlConfig,
    ZImageControl,
    control_config,
    control_tensors,
)
from engine.families.zimage.network import NextDiTConfig
from engine.inference.hook_run import HookStart, WeightedHook
from engine.inference.load import module_weights
from engine.inference.pictures import for_network
from engine.inference.vae import encode
from engine.inference.values import Model, Start, Vae
from engine.nets.hooks import Hook
from engine.residency.carriers import Wants
from engine.residency.handles import Weights
from engine.weights.open import open_weights

KINDS = ("embedded", "noise_refiner", "double_block")
"""The patches of a Z-Image through which a control network works."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class ModelPatch:
    """A network that changes a model's tokens; the value of a MODEL_PATCH wire."""

    name: str
    config: ControlConfig | BlockwiseConfig
    weights: Weights


@dataclass(frozen=True, slots=True, eq=False)
class ControlPictures:
    """What a control network is shown.

    Attributes:
        vae: encodes it.
        image: [B, H, W, C], edges, a pose, depth ...; None: nothing.
        inpaint: [B, H, W, C], the picture to paint in; None: nothing.
        mask: [B, H, W], 1 where to paint; None: everywhere.
    """

    vae: Vae
    image: Tensor | None = None
    inpaint: Tensor | None = None
    mask: Tensor | None = None


def load_model_patch(path: Path) -> ModelPatch:
    """The network of a file. Reads names and shapes, and one tensor of some control networks.

    Raises:
        WeightsError: damaged, hostile, foreign or incomplete.
    """
    weights = open_weights(path)
    try:
        config: ControlConfig | BlockwiseConfig | None = blockwise_config(weights)
        tensors = weights if config is None else weights.refuse_empty()
        if config is None and MARK in weights:
            tensors = control_tensors(weights)
            config = control_config(tensors)
    except WeightsError as error:
        raise WeightsError(
            f"{weights.origin}: looks like a control network, but {error}"
        ) from error
    if config is None:
        kind = recognise(weights)
        raise WeightsError(
            f"{weights.origin}: no model patch: {f'this is {kind}' if kind else 'of no known kind'}"
            "; control networks of Z-Image can be loaded here, such as Z-Image-Turbo-Fun-"
            "Controlnet-Union of huggingface.co/alibaba-pai, and blockwise ones of Qwen-Image, of "
            "huggingface.co/DiffSynth-Studio. Other control networks are loaded with Load "
            "ControlNet Model."
        )
    handle = module_weights(
        f"{weights.origin}, model patch", partial(_built, config), tensors, Wants()
    )
    return ModelPatch(weights.origin, config, handle)


def _built(config: ControlConfig | BlockwiseConfig) -> nn.Module:
    with torch.device("meta"):
        if isinstance(config, BlockwiseConfig):
            return BlockwiseControl(config)
        return ZImageControl(config)


def controlled(
    model: Model, patch: ModelPatch, pictures: ControlPictures, strength: float
) -> Model:
    """The model with a control network, which sees the pictures at the size of each run.

    Raises:
        NodeError: the model is no Z-Image of these sizes, or the network takes no picture to paint.
    """
    config = _check(patch, model)
    if pictures.inpaint is not None and config.channels != INPAINT_CHANNELS:
        raise NodeError(
            f"{patch.name} takes no picture to inpaint; use version 2 of the control network, or "
            "leave inpaint_image out"
        )
    change = partial(_started, patch=patch, pictures=pictures, strength=strength)
    return replace(model, per_run=(*model.per_run, change))


def _check(patch: ModelPatch, model: Model) -> ControlConfig:
    """The configuration of a network that fits the model; else raises `NodeError`."""
    if isinstance(patch.config, BlockwiseConfig):
        raise NodeError(
            f"{patch.name} is a control network of Qwen-Image; use QwenImageDiffsynthControlnet, "
            "with a Qwen-Image"
        )
    sizes = model.config if isinstance(model.config, NextDiTConfig) else None
    if sizes is None or (sizes.width, sizes.multiple) != (
        patch.config.net.width,
        patch.config.net.multiple,
    ):
        raise NodeError(
            f"{patch.name} is a control network of Z-Image with tokens of "
            f"{patch.config.net.width} numbers; {model.net.name} is no such model"
        )
    return patch.config


def _started(
    model: Model, start: Start, *, patch: ModelPatch, pictures: ControlPictures, strength: float
) -> Model:
    """The model of one run."""
    size = start.run.shape[2:]
    config = _check(patch, model)
    picture = _encoded(model, config.channels, pictures, size)
    hook = _Control(patch, config, picture, strength)
    hooks = model.hooks
    for kind in KINDS:
        hooks = hooks.with_patch(kind, hook)
    return replace(model, hooks=hooks)


def _encoded(model: Model, channels: int, pictures: ControlPictures, size: Sequence[int]) -> Tensor:
    """The control network's input [B, channels, h, w]: zeros for what is not shown."""
    latent, (height, width) = model.latent, (size[0], size[1])

    rows, columns = height * latent.pixels, width * latent.pixels

    def encoded(pixels: Tensor) -> Tensor:
        return latent.into(encode(pictures.vae, pixels.movedim(1, -1)).float())

    shown = torch.zeros(1, latent.channels, height, width)
    if pictures.image is not None:
        shown = encoded(for_network(pictures.image, rows, columns))
    if channels != INPAINT_CHANNELS:
        return shown
    if pictures.inpaint is None:
        return functional.pad(shown, (0, 0, 0, 0, 0, channels - latent.channels))
    pixels = for_network(pictures.inpaint, rows, columns)
    hole = torch.ones(1, 1, rows, columns)
    if pictures.mask is not None:
        mask = pictures.mask.reshape(-1, *pictures.mask.shape[-2:], 1)
        hole = for_network(mask, rows, columns)[:, :1]
    grey = torch.where(hole >= 0.5, torch.tensor(0.5), pixels)
    kept = functional.interpolate(1.0 - hole, size=(height, width), mode="nearest")
    return torch.cat((shown, kept, encoded(grey)), dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Control(WeightedHook):
    """A control network in a run."""

    patch: ModelPatch
    config: ControlConfig
    picture: Tensor
    strength: float

    @property
    def weights(self) -> Weights:
        """See `WeightedHook`."""
        return self.patch.weights

    def check(self, model: Model) -> None:
        """See `WeightedHook`."""
        _check(self.patch, model)

    def room_for(self, model: Model, shape: Sequence[int], dtype_bytes: int) -> int:
        """What is added after each layer, and the layers' own tensors."""
        del model
        config = self.config
        tokens = shape[0] * (prod(shape[2:]) // 4 + 256)
        wide = (config.layers + 10) * config.net.width + 3 * config.net.feed_forward
        return tokens * wide * dtype_bytes

    def started(self, start: HookStart) -> Hook:
        """See `WeightedHook`."""
        model, net = start.model, cast("ZImageControl", start.module)
        pad = cast("Tensor", model.net.module.x_pad_token)
        picture = self.picture.to(start.device, start.dtype)
        return _Calls(net, picture, pad, model.config, self.strength)


@dataclass(slots=True, eq=False)
class _Calls:
    """The patches of one run: each call of the model passes `KINDS` in this order.

    Attributes:
        net: the control network, with values on the device.
        picture: [B, channels, h, w], encoded.
        pad: [1, D], the model's token that fills up pictures.
        model: the model's sizes.
        strength: the factor of what is added.
    """

    net: ZImageControl
    picture: Tensor
    pad: Tensor
    model: NextDiTConfig
    strength: float
    tokens: Tensor | None = None
    refining: Sequence[Tensor] = ()
    adding: Mapping[int, Tensor] = field(default_factory=dict[int, Tensor])

    def __call__(self, given: Mapping[str, Any]) -> dict[str, Tensor]:
        """The changed tokens."""
        kind = given["transformer_options"]["block"][0]
        text, image = given["txt"], given["img"]
        number, words = given["block_index"], text.shape[1]
        if kind == "embedded":
            self._begin(given)
        elif kind == "noise_refiner":
            if number < len(self.refining):
                image = image + self.strength * self.refining[number]
            if number == self.model.noise_refiners - 1 and self.tokens is not None:
                together = torch.cat((text, image), dim=1)
                tokens = torch.cat((text, self.tokens), dim=1)
                found = self.net.added(tokens, together, given["table"], given["vec"])
                places = self.net.config.places(self.model.layers)
                self.adding = dict(zip(places, found, strict=False))
        elif number in self.adding:
            added = self.strength * self.adding[number]
            text, image = text + added[:, :words], image + added[:, words:]
        return {"txt": text, "img": image}

    def _begin(self, given: Mapping[str, Any]) -> None:
        """The picture's tokens, for all rows of the call."""
        image, words = given["img"], given["txt"].shape[1]
        if given["x"].shape[2:] != self.picture.shape[2:]:
            raise NodeError(
                "a control network of Z-Image sees the whole picture; it cannot be used with "
                "conditionings for areas of it"
            )
        tokens = self.net(self.picture)
        short = image.shape[1] - tokens.shape[1]
        pad = self.pad.to(tokens.dtype).expand(len(tokens), short, -1)
        tokens = torch.cat((tokens, pad), dim=1)
        rows = torch.arange(len(image), device=image.device) % len(tokens)
        table, vec = given["table"][words:], given["vec"]
        self.tokens, self.refining = self.net.refined(tokens[rows], image, table, vec)
