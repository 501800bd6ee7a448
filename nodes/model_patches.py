"""Nodes that change how a model is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from engine.diffusion.continuous import Clock, continuous
from engine.diffusion.guidance import projected, rescaled
from engine.diffusion.parameterization import Prediction, discrete, distilled
from engine.errors import NodeError
from engine.families.latent_format import PLAYGROUND_DEVIATION, PLAYGROUND_MEAN
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
    """Set what the model predicts, if its file does not say.

    `lcm` also uses only the fifty levels it was distilled on; `zsnr` makes the noisiest level
    nearly pure noise.
    """
    prediction = PREDICTIONS[sampling]
    levels = discrete(prediction, zero_terminal_snr=zsnr)
    if prediction is Prediction.LCM:
        levels = distilled(levels)
    return replace(model, parameterization=levels)


ATTENTIONS = ("pytorch attention", "comfy kitchen attention")


@node(
    "ModelAttentionBackend",
    category="advanced/model",
    display="Model Attention Backend",
    output_names=("model",),
)
def model_attention_backend(
    model: Model, attention: Annotated[str, Choice(*ATTENTIONS)] = ATTENTIONS[0]
) -> Model:
    """Choose how attention is computed; here always by torch, whose kernel the device decides.

    The other choice, an attention in 8 bits, is for workflows that name it: it changes nothing.
    """
    del attention
    return model


PLAYGROUND = "edm_playground_v2.5"
CONTINUOUS: Mapping[str, tuple[Prediction, float, Clock]] = {
    "v_prediction": (Prediction.V, 1.0, Clock.LOG),
    "edm": (Prediction.EDM, 0.5, Clock.LOG),
    PLAYGROUND: (Prediction.EDM, 0.5, Clock.LOG),
    "eps": (Prediction.EPS, 1.0, Clock.LOG),
    "cosmos_rflow": (Prediction.V, 1.0, Clock.FLOW),
}
"""What is predicted, the deviation of data, the network's timestep."""
Level = Range(0.0, 1000.0, step=0.001, round=False)


@node("ModelSamplingContinuousEDM", category="advanced/model")
def model_sampling_continuous_edm(
    *,
    model: Model,
    sampling: Annotated[str, Choice(*CONTINUOUS)],
    sigma_max: Annotated[float, Level] = 120.0,
    sigma_min: Annotated[float, Level] = 0.002,
) -> Model:
    """Set continuous noise levels for a model, if its file does not say so.

    `edm_playground_v2.5` also standardises latents as that model does.
    """
    prediction, data, clock = CONTINUOUS[sampling]
    _check_levels(sigma_min, sigma_max)
    levels = continuous(
        prediction, sigma_min=sigma_min, sigma_max=sigma_max, sigma_data=data, clock=clock
    )
    latent = model.latent
    if sampling == PLAYGROUND:
        if latent.channels != len(PLAYGROUND_MEAN):
            raise NodeError(
                f"{PLAYGROUND} is about latents of {len(PLAYGROUND_MEAN)} channels, this model's "
                f"have {latent.channels}; choose another sampling"
            )
        latent = latent.standardised(PLAYGROUND_MEAN, PLAYGROUND_DEVIATION)
    return replace(model, parameterization=levels, latent=latent)


@node("ModelSamplingContinuousV", category="advanced/model")
def model_sampling_continuous_v(
    *,
    model: Model,
    sampling: Annotated[str, Choice("v_prediction")],
    sigma_max: Annotated[float, Level] = 500.0,
    sigma_min: Annotated[float, Level] = 0.03,
) -> Model:
    """Set v prediction with the angle of noise and signal as the timestep."""
    del sampling
    _check_levels(sigma_min, sigma_max)
    levels = continuous(
        Prediction.V, sigma_min=sigma_min, sigma_max=sigma_max, sigma_data=1.0, clock=Clock.ANGLE
    )
    return replace(model, parameterization=levels)


def _check_levels(smallest: float, largest: float) -> None:
    if not 0.0 < smallest < largest:
        raise NodeError(
            f"sigma_min is {smallest:g} and sigma_max {largest:g}; noise levels rise from above 0: "
            "make sigma_min larger than 0 and smaller than sigma_max"
        )


@node("RescaleCFG", category="advanced/model")
def rescale_cfg(model: Model, multiplier: Share = 0.7) -> Model:
    """Guidance that preserves the contrast of the unguided prediction, by that share."""
    return replace(model, guidance=replace(model.guidance, combine=rescaled(multiplier)))


@node("APG", category="sampling/custom_sampling", display="Adaptive Projected Guidance")
def apg(
    model: Model,
    eta: Annotated[float, Range(-10.0, 10.0, step=0.01)] = 1.0,
    norm_threshold: Annotated[float, Range(0.0, 50.0, step=0.1)] = 5.0,
    momentum: Annotated[float, Range(-5.0, 1.0, step=0.01)] = 0.0,
) -> Model:
    """Strong guidance without oversaturation.

    `eta` weights the part of guidance along the prediction, `norm_threshold` limits its length (0:
    no limit), `momentum` adds that of earlier steps (negative: subtracts it).
    """
    hook = projected(eta, norm_threshold, momentum)
    guidance = replace(model.guidance, before=(*model.guidance.before, hook))
    return replace(model, guidance=guidance)
