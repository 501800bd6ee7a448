"""Nodes that change how a model's predictions are combined."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine.diffusion.guidance import After
from engine.diffusion.guidance_variants import noise_divided, tangentially_damped, zero_star
from engine.nodekit.contract import node
from engine.nodekit.markers import Options, Range
from nodes.sockets import Model

CATEGORY = "advanced/guidance"


def finished_by(model: Model, hook: After) -> Model:
    """The model with one more hook on the result of guidance."""
    guidance = model.guidance
    return replace(model, guidance=replace(guidance, after=(*guidance.after, hook)))


@node("CFGZeroStar", category=CATEGORY, output_names=["patched_model"])
def cfg_zero_star(model: Model) -> Model:
    """Guidance that scales the negative prediction to fit the positive one (CFG-Zero*)."""
    return finished_by(model, zero_star)


@node("TCFG", category=CATEGORY, display="Tangential Damping CFG", output_names=["patched_model"])
def tcfg(model: Model) -> Model:
    """Guidance without the parts of the negative prediction that lead off the data."""
    guidance = model.guidance
    before = (*guidance.before, lambda: tangentially_damped)
    return replace(model, guidance=replace(guidance, before=before))


@node("Epsilon Scaling", category="model_patches/unet")
def epsilon_scaling(
    model: Model,
    scaling_factor: Annotated[
        float, Range(0.5, 1.5, step=0.001), Options(display="number")
    ] = 1.005,
) -> Model:
    """Divide the predicted noise by a constant a little above 1, against exposure bias."""
    return finished_by(model, noise_divided(scaling_factor))
