"""Nodes that hand a model on with another way to sample it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from engine.diffusion.guidance import projected, rescaled
from engine.diffusion.parameterization import Prediction, discrete, distilled
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.sampling import Share
from nodes.sockets import Model

PREDICTIONS: Mapping[str, Prediction] = {
    "eps": Prediction.EPS,
    "v_prediction": Prediction.V,
    "lcm": Prediction.LCM,
    "x0": Prediction.X0,
    "img_to_img": Prediction.IMAGE,
}


@node("ModelSamplingDiscrete", category="advanced/model")
def model_sampling_discrete(
    *, model: Model, sampling: Annotated[str, Choice(*PREDICTIONS)], zsnr: bool = False
) -> Model:
    """What the model predicts, where its file does not say.

    `lcm` also keeps only the fifty levels it was distilled on; `zsnr` makes the noisiest level
    nearly pure noise.
    """
    prediction = PREDICTIONS[sampling]
    levels = discrete(prediction, zero_terminal_snr=zsnr)
    if prediction is Prediction.LCM:
        levels = distilled(levels)
    return replace(model, parameterization=levels)


@node("RescaleCFG", category="advanced/model")
def rescale_cfg(model: Model, multiplier: Share = 0.7) -> Model:
    """Guidance that keeps the contrast of the unguided prediction, by that share."""
    return replace(model, guidance=replace(model.guidance, combine=rescaled(multiplier)))


@node("APG", category="sampling/custom_sampling", display="Adaptive Projected Guidance")
def apg(
    model: Model,
    eta: Annotated[float, Range(-10.0, 10.0, step=0.01)] = 1.0,
    norm_threshold: Annotated[float, Range(0.0, 50.0, step=0.1)] = 5.0,
    momentum: Annotated[float, Range(-5.0, 1.0, step=0.01)] = 0.0,
) -> Model:
    """Strong guidance without oversaturation.

    `eta` weighs the part of guidance along the prediction, `norm_threshold` bounds its length (0:
    not), `momentum` mixes in that of earlier steps (negative: away from it).
    """
    hook = projected(eta, norm_threshold, momentum)
    guidance = replace(model.guidance, before=(*model.guidance.before, hook))
    return replace(model, guidance=guidance)
