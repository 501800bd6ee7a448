"""Nodes that change how a model's predictions are combined."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine.diffusion.guidance import After, Before
from engine.diffusion.guidance_variants import (
    direction_led,
    frequency_scaled,
    noise_divided,
    normed,
    perp_neg,
    renormed,
    score_rescaled,
    tangentially_damped,
    zero_star,
)
from engine.inference.skip_layers import interval
from engine.inference.values import Model as AnyModel
from engine.inference.values import Start
from engine.nodekit.contract import node
from engine.nodekit.markers import Options, Range
from nodes.sockets import Conditioning, Model

TESTING = "_for_testing"
CATEGORY = "advanced/guidance"
Time = Annotated[float, Range(0.0, 1.0, step=0.001)]


def finished_by(model: Model, hook: After) -> Model:
    """The model with one more hook on the result of guidance."""
    guidance = model.guidance
    return replace(model, guidance=replace(guidance, after=(*guidance.after, hook)))


def begun_by(model: Model, hook: Before) -> Model:
    """The model with one more hook on the predictions before guidance combines them."""
    guidance = model.guidance
    return replace(model, guidance=replace(guidance, before=(*guidance.before, lambda: hook)))


@node("CFGZeroStar", category=CATEGORY, output_names=["patched_model"])
def cfg_zero_star(model: Model) -> Model:
    """Guidance that scales the negative prediction to fit the positive one (CFG-Zero*)."""
    return finished_by(model, zero_star)


@node("TCFG", category=CATEGORY, display="Tangential Damping CFG", output_names=["patched_model"])
def tcfg(model: Model) -> Model:
    """Guidance without the parts of the negative prediction that lead off the data."""
    return begun_by(model, tangentially_damped)


@node("CFGOverride", category=CATEGORY, display="CFG Override")
def cfg_override(
    model: Model,
    cfg: Annotated[float, Range(0.0, 100.0, step=0.1)] = 1.0,
    start_percent: Time = 0.0,
    end_percent: Time = 1.0,
) -> Model:
    """Another scale of guidance in a part of sampling; of several, the last one counts.

    At 1 the negative is not evaluated there, which makes these steps twice as fast.
    """

    def changed(model: AnyModel, _: Start) -> AnyModel:
        within = interval(model, start_percent, end_percent)

        def scale(sigma: float, before: float) -> float:
            return cfg if within.has(sigma) else before

        return replace(
            model, guidance=replace(model.guidance, scales=(*model.guidance.scales, scale))
        )

    return replace(model, per_run=(*model.per_run, changed))


@node("Epsilon Scaling", category="model_patches/unet")
def epsilon_scaling(
    model: Model,
    scaling_factor: Annotated[
        float, Range(0.5, 1.5, step=0.001), Options(display="number")
    ] = 1.005,
) -> Model:
    """Divide the predicted noise by a constant a little above 1, against exposure bias."""
    return finished_by(model, noise_divided(scaling_factor))


@node("CFGNorm", category=CATEGORY, experimental=True, output_names=["patched_model"])
def cfg_norm(model: Model, strength: Annotated[float, Range(0.0, 100.0, step=0.01)] = 1.0) -> Model:
    """Guidance no stronger than the positive prediction at each place, times a factor."""
    return finished_by(model, normed(strength))


@node("RenormCFG", category="advanced/model")
def renorm_cfg(
    model: Model,
    cfg_trunc: Annotated[float, Range(0.0, 100.0, step=0.01)] = 100.0,
    renorm_cfg: Annotated[float, Range(0.0, 100.0, step=0.01)] = 1.0,
) -> Model:
    """Guidance of limited strength, from a noise level on.

    At noise levels of `cfg_trunc` and more only the positive counts. `renorm_cfg` is the largest
    length of guidance relative to that of the positive prediction; 0 sets no limit.
    """
    combine = renormed(renorm_cfg, cfg_trunc)
    return replace(model, guidance=replace(model.guidance, combine=combine))


@node(
    "TemporalScoreRescaling",
    category="model_patches/unet",
    display="TSR - Temporal Score Rescaling",
    output_names=["patched_model"],
)
def temporal_score_rescaling(
    model: Model,
    tsr_k: Annotated[float, Range(0.01, 100.0, step=0.001, display="number")] = 0.95,
    tsr_sigma: Annotated[float, Range(0.01, 100.0, step=0.001, display="number")] = 1.0,
) -> Model:
    """More detail or more smoothness, by the temperature of sampling (TSR).

    Below 1, `tsr_k` allows more variation, above 1 less; `tsr_sigma` says how early it acts: small
    values late.
    """
    return finished_by(model, score_rescaled(tsr_k, tsr_sigma))


@node(
    "Mahiro",
    category=TESTING,
    display="Mahiro CFG",
    experimental=True,
    output_names=["patched_model"],
)
def mahiro(model: Model) -> Model:
    """Guidance that follows the positive prompt more where the negative leads another way."""
    return finished_by(model, direction_led)


@node("FreSca", category=TESTING, display="FreSca", experimental=True)
def fresca(
    model: Model,
    scale_low: Annotated[float, Range(0, 10, step=0.01)] = 1.0,
    scale_high: Annotated[float, Range(0, 10, step=0.01)] = 1.25,
    freq_cutoff: Annotated[int, Range(1, 10000, step=1)] = 20,
) -> Model:
    """Guide coarse structure and fine detail with strengths of their own (FreSca).

    `scale_low` is for the lowest `freq_cutoff` frequencies of the latent, `scale_high` for the
    others.
    """
    return begun_by(model, frequency_scaled(scale_low, scale_high, freq_cutoff))


@node(
    "PerpNeg",
    category=TESTING,
    display="Perp-Neg (DEPRECATED by PerpNegGuider)",
    deprecated=True,
    experimental=True,
)
def perp_neg_model(
    model: Model,
    empty_conditioning: Conditioning,
    neg_scale: Annotated[float, Range(0.0, 100.0, step=0.01)] = 1.0,
) -> Model:
    """Guidance by a negative that never takes away what the positive asks for (Perp-Neg).

    `empty_conditioning` is an empty prompt; `neg_scale` weighs the negative.
    """
    guidance = model.guidance
    conditionings = {**guidance.conditionings, "empty": empty_conditioning}
    return replace(
        model,
        guidance=replace(
            guidance,
            combine=perp_neg(neg_scale),
            conditionings=conditionings,
            always_negative=True,
        ),
    )
