"""Nodes that call functions inside a UNet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from torch import Tensor

from engine.errors import NodeError
from engine.inference.attention_guidance import (
    guided_by_perturbed_attention,
    guided_by_self_attention,
)
from engine.inference.values import Model as AnyModel
from engine.inference.values import Start
from engine.nets.downscale import Downscale
from engine.nets.free_u import FreeU
from engine.nets.hyper_tile import TileSizes, with_hyper_tile
from engine.nets.token_merging import with_token_merging
from engine.nets.unet import UNetConfig
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.latent_shapes import resize
from nodes.sockets import Model

CATEGORY = "model_patches/unet"
RESIZING = Choice("bicubic", "nearest-exact", "bilinear", "area", "bislerp")
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


@node("PerturbedAttentionGuidance", category=CATEGORY)
def perturbed_attention_guidance(
    model: Model, scale: Annotated[float, Range(0.0, 100.0, step=0.01, round=0.01)] = 3.0
) -> Model:
    """Better structure, by guidance away from a picture made without attention (PAG).

    Each step takes half as long again. Has no effect on SSD-1B and Vega, whose middle block has no
    attention.
    """
    return guided_by_perturbed_attention(model, unet_of(model), scale)


@node(
    "SelfAttentionGuidance",
    category="_for_testing",
    display="Self-Attention Guidance",
    experimental=True,
)
def self_attention_guidance(
    model: Model,
    scale: Annotated[float, Range(-2.0, 5.0, step=0.01)] = 0.5,
    blur_sigma: Annotated[float, Range(0.0, 10.0, step=0.1)] = 2.0,
) -> Model:
    """More detail, by guidance away from a picture blurred where the model looks (SAG).

    `blur_sigma` is the radius of the blur in cells of the latent. Each step takes half as long
    again.
    """
    return guided_by_self_attention(model, unet_of(model), scale, blur_sigma)


@node("HyperTile", category=CATEGORY)
def hyper_tile(
    model: Model,
    tile_size: Annotated[int, Range(1, 2048)] = 256,
    swap_size: Annotated[int, Range(1, 128)] = 2,
    max_depth: Annotated[int, Range(0, 10)] = 0,
    scale_depth: bool = False,
) -> Model:
    """Faster large pictures, by self-attention within tiles (HyperTile).

    `tile_size` is the smallest tile in pixels; its size is drawn among `swap_size` sizes at each
    call. `max_depth` is the last level of the network that is tiled; `scale_depth` makes tiles
    larger with each level.
    """
    unet_of(model)
    sizes = TileSizes.of_pixels(tile_size, swap_size, max_depth, scales=scale_depth)

    def start(model: AnyModel, start: Start) -> AnyModel:
        return replace(model, hooks=with_hyper_tile(model.hooks, sizes, start.generator))

    return replace(model, per_run=(*model.per_run, start))


@node("TomePatchModel", category=CATEGORY)
def tome_patch_model(
    model: Model, ratio: Annotated[float, Range(0.0, 1.0, step=0.01)] = 0.3
) -> Model:
    """Faster pictures with less detail, by merging similar parts before attention (ToMe).

    `ratio` is the share that is merged. Has no effect on Stable Diffusion XL, which has no
    attention at full size.
    """
    unet_of(model)

    def start(model: AnyModel, start: Start) -> AnyModel:
        return replace(model, hooks=with_token_merging(model.hooks, ratio, start.generator))

    return replace(model, per_run=(*model.per_run, start))


@node(
    "PatchModelAddDownscale",
    category=CATEGORY,
    display="PatchModelAddDownscale (Kohya Deep Shrink)",
)
def patch_model_add_downscale(
    *,
    model: Model,
    block_number: Annotated[int, Range(1, 32, step=1)] = 3,
    downscale_factor: Annotated[float, Range(0.1, 9.0, step=0.001)] = 2.0,
    start_percent: Annotated[float, Range(0.0, 1.0, step=0.001)] = 0.0,
    end_percent: Annotated[float, Range(0.0, 1.0, step=0.001)] = 0.35,
    downscale_after_skip: bool = True,
    downscale_method: Annotated[str, RESIZING],
    upscale_method: Annotated[str, RESIZING],
) -> Model:
    """Large pictures without repeated motifs, by smaller features in the first steps (Deep Shrink).

    The features after `block_number` are divided in size by `downscale_factor`, from
    `start_percent` to `end_percent` of sampling.
    """
    unet_of(model)
    to_sigma = model.parameterization.percent_to_sigma
    shrink, enlarge = (
        partial(resize_to, method=method) for method in (downscale_method, upscale_method)
    )
    patch = Downscale(
        block_number,
        downscale_factor,
        to_sigma(start_percent),
        to_sigma(end_percent),
        shrink,
        enlarge,
    )
    return replace(model, hooks=patch.hooked(model.hooks, after_skip=downscale_after_skip))


def resize_to(features: Tensor, width: int, height: int, method: str) -> Tensor:
    """Features [B, C, h, w] at another size."""
    return resize(features, width, height, method=method)


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
