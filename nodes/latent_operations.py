"""Functions of latents, as values on a wire, and nodes that apply them once or at every step."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import torch

from engine.diffusion.guidance import After, Before, Guidance, Predictions
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_filters import gaussian_blur
from nodes.sockets import Latent, LatentOperation, Model

_TINY = 1e-6


@node("LatentApplyOperation", category="latent/advanced/operations", experimental=True)
def latent_apply_operation(samples: Latent, operation: LatentOperation) -> Latent:
    """Apply an operation to a latent."""
    return samples | {"samples": operation(samples["samples"])}


@node("LatentApplyOperationCFG", category="latent/advanced/operations", experimental=True)
def latent_apply_operation_cfg(model: Model, operation: LatentOperation) -> Model:
    """Apply an operation to a model's guidance at every step.

    The operation is applied to the step from the negative to the positive prediction; if there is
    no negative, to the positive itself.
    """

    def before(predictions: Predictions) -> Predictions:
        step = predictions.positive - predictions.negative
        return replace(predictions, positive=operation(step) + predictions.negative)

    def after(predictions: Predictions, denoised: torch.Tensor) -> torch.Tensor:
        alone = predictions.negative is predictions.positive
        return operation(denoised) if alone else denoised

    return replace(model, guidance=_patched(model, before, after))


def _patched(model: Model, before: Before, after: After) -> Guidance:
    guidance = model.guidance
    return replace(
        guidance, before=(*guidance.before, lambda: before), after=(*guidance.after, after)
    )


@node("LatentOperationSharpen", category="latent/advanced/operations", experimental=True)
def latent_operation_sharpen(
    sharpen_radius: Annotated[int, Range(1, 31, step=1)] = 9,
    sigma: Annotated[float, Range(0.1, 10.0, step=0.1)] = 1.0,
    alpha: Annotated[float, Range(0.0, 5.0, step=0.01)] = 0.1,
) -> LatentOperation:
    """Sharpen the direction of each cell by unsharp masking; its length is unchanged.

    Arguments as for pictures: the radius in cells, `sigma` in radii; at `alpha` 0.1 the difference
    to the blurred latent is added once.
    """
    strength = alpha * 10

    def sharpen(latent: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.vector_norm(latent, dim=1, keepdim=True) + _TINY
        direction = latent / length
        blurred = gaussian_blur(direction.movedim(1, -1), sharpen_radius, sigma).movedim(-1, 1)
        return (direction + strength * (direction - blurred)) * length

    return sharpen


@node("LatentOperationTonemapReinhard", category="latent/advanced/operations", experimental=True)
def latent_operation_tonemap_reinhard(
    multiplier: Annotated[float, Range(0.0, 100.0, step=0.01)] = 1.0,
) -> LatentOperation:
    """Compresses the length of the strongest cells, so that high guidance does not burn out.

    L / (1 + L) of Reinhard et al. 2002, eq. 3, with the mean length plus five standard deviations,
    times the multiplier, as unit.
    """

    def compress(latent: torch.Tensor) -> torch.Tensor:
        length = torch.linalg.vector_norm(latent, dim=1, keepdim=True)
        dims = tuple(range(1, latent.ndim))
        # Of a sample, over N - 1; a single cell has none.
        alone = math.prod(length.shape[1:]) == 1
        spread = length.std(dim=dims, keepdim=True, correction=0 if alone else 1)
        top = (length.mean(dim=dims, keepdim=True) + 5 * spread) * multiplier
        relative = length / top.clamp(min=_TINY)
        return latent / length.clamp(min=_TINY) * top * relative / (relative + 1)

    return compress
