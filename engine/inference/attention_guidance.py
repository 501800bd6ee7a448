"""Guidance by a prediction that is made worse on purpose: with perturbed or blurred attention."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from engine.diffusion.guidance import Predictions
from engine.errors import NodeError
from engine.inference.values import Model, PerRun, Start
from engine.nets.attention_maps import (
    MIDDLE,
    AttentionRecorder,
    middle_transformers,
    without_middle_attention,
)
from engine.nets.hooks import NetHooks
from engine.nets.unet import UNetConfig

KERNEL = 9
"""Cells along a side of the Gaussian that blurs, as in the authors' program."""
ATTENDED = 1.0
"""How much attention a token receives on average; cells with more are blurred."""


def guided_by_perturbed_attention(model: Model, config: UNetConfig, scale: float) -> Model:
    """The model, guided away from its prediction without attention in the middle block.

    Ahn et al. 2024, "Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance", eqs. 15
    and 16, beside guidance by text: the map of self-attention is replaced by the identity. Costs
    one more evaluation of the positive. Nothing changes in a network without attention there.
    """
    transformers = middle_transformers(config)
    if not transformers:
        return model

    def perturbed(hooks: NetHooks) -> NetHooks:
        return without_middle_attention(hooks, transformers)

    def after(predictions: Predictions, denoised: Tensor) -> Tensor:
        if scale == 0:
            return denoised
        (worse,) = predictions.evaluate(predictions.names[0], hooks=perturbed)
        return denoised + scale * (predictions.positive - worse)

    guidance = replace(model.guidance, after=(*model.guidance.after, after))
    return replace(model, guidance=guidance)


def guided_by_self_attention(
    model: Model, config: UNetConfig, scale: float, blur_sigma: float
) -> Model:
    """The model, guided away from a blurred picture where its attention is.

    Hong et al. 2023, "Improving Sample Quality of Diffusion Models Using Self-Attention Guidance",
    algorithm 1: the clean image of the negative is blurred where the middle block attends most,
    gets the noise that was predicted, and is evaluated again with the negative.

    Raises:
        NodeError: there is no attention in the network's middle block.
    """
    if not middle_transformers(config):
        raise NodeError(
            f"self-attention guidance reads the attention of a UNet's middle block, and that of "
            f"{model.net.name} has none (as in SSD-1B and Vega); bypass this node, or use another "
            "model"
        )
    return replace(model, per_run=(*model.per_run, _self_attention(config, scale, blur_sigma)))


def _self_attention(config: UNetConfig, scale: float, blur_sigma: float) -> PerRun:
    def start(model: Model, start: Start) -> Model:
        size = tuple(start.run.shape[2:])
        recorder = AttentionRecorder(size)

        def after(predictions: Predictions, denoised: Tensor) -> Tensor:
            received = recorder.received
            if received is None or scale == 0:
                return denoised
            negative = predictions.negative
            grid = _grid(received.shape[1], size, config.downsamplings)
            blurry = degraded(negative, received.unflatten(1, grid), blur_sigma)
            noisy = blurry + (predictions.x - negative)
            (worse,) = predictions.evaluate(predictions.names[1], x=noisy)
            return denoised + scale * (blurry - worse)

        guidance = replace(
            model.guidance, after=(*model.guidance.after, after), always_negative=True
        )
        hooks = model.hooks.with_replacement("attn1", (*MIDDLE, 0), recorder)
        return replace(model, hooks=hooks, guidance=guidance)

    return start


def _grid(tokens: int, size: tuple[int, ...], halvings: int) -> tuple[int, int]:
    """(rows, columns) of the middle block's map with so many tokens, for x of that size.

    Another patch may have changed the map's size, but hardly its proportions.
    """
    rows, columns = (-(-side // 2**halvings) for side in size)
    if rows * columns == tokens:
        return rows, columns
    sides = [side for side in range(1, tokens + 1) if tokens % side == 0]
    wanted = size[0] / size[1]
    rows = min(sides, key=lambda side: abs(math.log(side / (tokens // side) / wanted)))
    return rows, tokens // rows


def degraded(clean: Tensor, received: Tensor, blur_sigma: float) -> Tensor:
    """A clean image [B, C, h, w], blurred where its cells get more attention than average.

    Args:
        clean: the image.
        received: [B, h', w'], the attention that each cell of a smaller grid gets.
        blur_sigma: of the Gaussian, in cells.
    """
    mask = (received > ATTENDED).to(clean.dtype)[:, None]
    mask = functional.interpolate(mask, size=clean.shape[2:], mode="nearest")
    return blurred(clean, blur_sigma) * mask + clean * (1.0 - mask)


def blurred(image: Tensor, sigma: float) -> Tensor:
    """An image [B, C, h, w] under a Gaussian of `KERNEL` cells a side, mirrored at the borders."""
    offsets = torch.arange(KERNEL, device=image.device, dtype=torch.float32) - KERNEL // 2
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2) if sigma else (offsets == 0).float()
    weights = (weights / weights.sum()).to(image.dtype)
    for dim in (2, 3):
        size = image.shape[dim]
        reach = torch.arange(-(KERNEL // 2), size + KERNEL // 2, device=image.device)
        around = image.index_select(dim, _mirrored(reach, size))
        image = sum(
            (around.narrow(dim, step, size) * weight for step, weight in enumerate(weights)),
            start=torch.zeros_like(image),
        )
    return image


def _mirrored(positions: Tensor, size: int) -> Tensor:
    """Positions outside 0..size-1, reflected at the outermost cells."""
    period = max(2 * (size - 1), 1)
    positions = positions.remainder(period)
    return torch.minimum(positions, period - positions).clamp(max=size - 1)
