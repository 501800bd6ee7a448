"""Variants of classifier-free guidance: hooks for `engine.diffusion.guidance.Guidance`.

Predictions are clean images, so the noise that a network predicts is x minus them, in units of
sigma. All tensors are [B, C, ...]; each row is treated alone.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.diffusion.guidance import After, Predictions


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """The inner products of rows [B, C, ...], as [B, 1, ...]."""
    return (one * other).sum(dim=tuple(range(1, one.ndim)), keepdim=True)


def zero_star(predictions: Predictions, denoised: Tensor) -> Tensor:
    """Weigh the negative prediction by how much of the positive it explains.

    Fan et al. 2025, "CFG-Zero*: Improved Classifier-Free Guidance for Flow Matching Models",
    weighs the negative by s: guidance is s n + scale (p - s n). As in the incumbent, s =
    <p, n> / |n|^2 comes from the predicted noises, and weighs the clean images. Changes the result
    of the guidance in use by the difference that s makes. No first step is zeroed.
    """
    positive, negative = predictions.x - predictions.positive, predictions.x - predictions.negative
    share = _dot(positive, negative) / _dot(negative, negative).clamp(min=1e-8)
    return denoised + (share - 1.0) * (1.0 - predictions.scale) * predictions.negative


def tangentially_damped(predictions: Predictions) -> Predictions:
    """Leave out of the negative what is not along the direction common to both predictions.

    Kwon et al. 2025, "TCFG: Tangential Damping Classifier-free Guidance": the negative
    noise is projected to the first right singular vector of both noises as rows of a matrix.
    """
    if predictions.negative is predictions.positive:
        return predictions
    x = predictions.x
    positive, negative = (
        (x - each).flatten(1).float() for each in (predictions.positive, predictions.negative)
    )
    pair = torch.stack((positive, negative), dim=1)
    main = torch.linalg.svd(pair, full_matrices=False).Vh[:, 0]
    kept = (negative * main).sum(dim=1, keepdim=True) * main
    return replace(predictions, negative=x - kept.reshape(x.shape).to(x.dtype))


def noise_divided(factor: float) -> After:
    """Divide the predicted noise by `factor`, which is a little above 1.

    Ning et al. 2024, "Elucidating the Exposure Bias in Diffusion Models": a sampler
    meets larger errors than training did, and a smaller noise prediction makes up for them.
    """

    def after(predictions: Predictions, denoised: Tensor) -> Tensor:
        return predictions.x - (predictions.x - denoised) / factor

    return after
