"""Nodes that call functions inside a UNet."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine.errors import NodeError
from engine.inference.values import Model as AnyModel
from engine.nets.free_u import FreeU
from engine.nets.unet import UNetConfig
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Model

CATEGORY = "model_patches/unet"
Factor = Annotated[float, Range(0.0, 10.0, step=0.01)]


@node("FreeU", category=CATEGORY)
def free_u(
    model: Model, b1: Factor = 1.1, b2: Factor = 1.2, s1: Factor = 0.9, s2: Factor = 0.2
) -> Model:
    """More structure at no cost, by the strength of the decoder's features (FreeU).

    `b1` and `b2` multiply half of the features of the deepest and of the next level, `s1` and `s2`
    the low frequencies of their skip connections.
    """
    return _with_free_u(model, (b1, b2), (s1, s2), adaptive=False)


@node("FreeU_V2", category=CATEGORY)
def free_u_v2(
    model: Model, b1: Factor = 1.3, b2: Factor = 1.4, s1: Factor = 0.9, s2: Factor = 0.2
) -> Model:
    """The second version of FreeU: `b1` and `b2` count most where features are strong."""
    return _with_free_u(model, (b1, b2), (s1, s2), adaptive=True)


def _with_free_u(
    model: AnyModel, backbone: tuple[float, float], skip: tuple[float, float], *, adaptive: bool
) -> AnyModel:
    channels = unet_of(model).model_channels
    factors = tuple(
        (channels * width, strength, share)
        for width, strength, share in zip((4, 2), backbone, skip, strict=True)
    )
    patch = FreeU(factors, adaptive)
    return replace(model, hooks=model.hooks.with_patch("output_block_patch", patch))


def unet_of(model: AnyModel) -> UNetConfig:
    """The sizes of a model's UNet; raises `NodeError` if it has none."""
    found = getattr(model.config, "unet", None)
    if not isinstance(found, UNetConfig):
        raise NodeError(
            f"this node changes a UNet, and {model.net.name} has none; use it with Stable "
            "Diffusion 1, 2 or XL, or bypass it"
        )
    return found
