"""Variants of classifier-free guidance: hooks for `engine.diffusion.guidance.Guidance`.

Predictions are clean images, so the noise that a network predicts is x minus them, in units of
sigma. All tensors are [B, C, ...]; each row is treated alone.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.diffusion.guidance import After, Before, Combine, Predictions, classifier_free


def _norm(one: Tensor) -> Tensor:
    """The lengths of rows [B, C, ...], as [B, 1, ...]."""
    return torch.linalg.vector_norm(one, dim=tuple(range(1, one.ndim)), keepdim=True)


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


def perpendicular(predictions: Predictions, empty: Tensor, negative_scale: float) -> Tensor:
    """Guidance that keeps of the negative only what does not oppose the positive.

    Armandpour et al. 2023, "Re-imagine the Negative Prompt Algorithm", eqs. 6 and 7. `empty`
    [B, C, ...] is the prediction without a text.
    """
    positive, negative = predictions.positive - empty, predictions.negative - empty
    tiny = torch.finfo(empty.dtype).tiny
    along = _dot(negative, positive) / _norm(positive).square().clamp(min=tiny)
    away = negative - along * positive
    return empty + predictions.scale * (positive - negative_scale * away)


def perp_neg(negative_scale: float) -> Combine:
    """`perpendicular` with the conditioning "empty" of the model's guidance."""

    def combine(predictions: Predictions) -> Tensor:
        (empty,) = predictions.evaluate("empty")
        return perpendicular(predictions, empty, negative_scale)

    return combine


def normed(strength: float) -> After:
    """Make guidance no longer than the positive prediction at each cell, times `strength`.

    As the pipelines of Qwen-Image do it: the length of the guided prediction along its channels
    becomes that of the positive one.
    """

    def after(predictions: Predictions, denoised: Tensor) -> Tensor:
        kept = torch.linalg.vector_norm(predictions.positive, dim=1, keepdim=True)
        length = torch.linalg.vector_norm(denoised, dim=1, keepdim=True)
        return denoised * (kept / (length + 1e-8)).clamp(max=1.0) * strength

    return after


def renormed(most: float, below: float) -> Combine:
    """Guidance below a noise level, no longer than the positive prediction times `most`.

    As the program of Lumina-Image 2.0 does it, where `below` and `most` are `cfg_trunc` and
    `renorm_cfg`, but as in the incumbent on clean images, and `below` is a sigma. 0 for `most`: any
    length.
    """

    def combine(predictions: Predictions) -> Tensor:
        if float(predictions.sigma.flatten()[0]) >= below:
            return predictions.positive
        found = classifier_free(predictions)
        if most > 0.0:
            longest = _norm(predictions.positive) * most
            found = found * (longest / _norm(found)).clamp(max=1.0)
        return found

    return combine


def direction_led(predictions: Predictions, denoised: Tensor) -> Tensor:
    """Mahiro: guidance that leans on the positive where the negative leads another way.

    Has no paper. With p and n the predictions times the scale, and g the guided one: the cosine c
    of n and (p + g) / 2, after the signed square root of each element, gives the share (1 + c) / 2
    of g, and p gets the rest.
    """
    leap = predictions.positive * predictions.scale
    back = predictions.negative * predictions.scale
    ahead = (leap + denoised) / 2
    one, other = (each.sign() * each.abs().sqrt() for each in (back, ahead))
    cosine = torch.cosine_similarity(one, other, dim=1).mean()
    share = (cosine + 1.0) / 2
    return share * denoised + (1.0 - share) * leap


def frequency_scaled(low: float, high: float, cutoff: int) -> Before:
    """Scale the low and the high frequencies of guidance by factors of their own.

    Huang et al. 2025, "FreSca: Scaling in Frequency Space Enhances Diffusion Models": of the step
    from the negative to the positive, `cutoff` frequencies along each axis count as low.
    """

    def before(predictions: Predictions) -> Predictions:
        step = predictions.positive - predictions.negative
        frequencies = torch.fft.fftshift(torch.fft.fft2(step.float()), dim=(-2, -1))
        factor = torch.full(step.shape[-2:], high, device=step.device)
        middle = [slice(max(side // 2 - cutoff, 0), side // 2 + cutoff) for side in step.shape[-2:]]
        factor[middle[0], middle[1]] = low
        frequencies = torch.fft.ifftshift(frequencies * factor, dim=(-2, -1))
        scaled = torch.fft.ifft2(frequencies).real.to(step.dtype)
        return replace(predictions, positive=predictions.negative + scaled)

    return before


def score_rescaled(k: float, data_sigma: float) -> After:
    """Divide the temperature of sampling by `k`.

    Xu et al. 2025, "Temporal Score Rescaling for Temperature Sampling in Diffusion and Flow
    Models", eq. 9: the score times (snr s^2 + 1) / (snr s^2 / k + 1), with the signal to noise
    ratio 1 / sigma^2 and the deviation s of the data.
    """

    def after(predictions: Predictions, denoised: Tensor) -> Tensor:
        x = predictions.x
        sigma = predictions.sigma.reshape(-1, *(1 for _ in x.shape[1:]))
        ratio = (data_sigma / sigma) ** 2
        return x - (x - denoised) * (ratio + 1.0) / (ratio / k + 1.0)

    return after
