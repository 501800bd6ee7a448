"""Guidance of videos: a scale for each frame. Rows of predictions are frames."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.diffusion.guidance import Combine, Predictions


def rising_over_frames(least: float) -> Combine:
    """Guidance for a video whose scale rises from `least` at the first frame to the run's scale.

    Blattmann et al. 2023, "Stable Video Diffusion", appendix D.3.
    """

    def combine(predictions: Predictions) -> Tensor:
        share = torch.linspace(0, 1, len(predictions.x), device=predictions.x.device)
        return _framewise(predictions, least, share)

    return combine


def peaking_over_frames(least: float) -> Combine:
    """The same with the run's scale in the middle and `least` at both ends.

    Voleti et al. 2024, "SV3D", section 3.3.
    """

    def combine(predictions: Predictions) -> Tensor:
        along = torch.linspace(0, 1, len(predictions.x), device=predictions.x.device)
        return _framewise(predictions, least, 1 - (2 * along - 1).abs())

    return combine


def _framewise(predictions: Predictions, least: float, share: Tensor) -> Tensor:
    """Guidance of each row by its own scale between `least` and the run's."""
    positive, negative = predictions.positive, predictions.negative
    scale = least + (predictions.scale - least) * share
    scale = scale.reshape(-1, *(1 for _ in positive.shape[1:]))
    return negative + (positive - negative) * scale
