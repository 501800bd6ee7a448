"""Guiders: which conditioning a model predicts with, and how predictions become one."""

from __future__ import annotations

from typing import Annotated

from engine.errors import NodeError
from engine.inference.dual_model import DualModelGuider
from engine.inference.values import BasicGuider, CfgGuider, DualCfgGuider, PerpNegGuider
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.sampling import Scale
from nodes.sockets import Conditioning, Guider, Model

GUIDERS = "sampling/custom_sampling/guiders"


@node("BasicGuider", category=GUIDERS)
def basic_guider(model: Model, conditioning: Conditioning) -> Guider:
    """Predict with one conditioning and no guidance, for models that need none."""
    return BasicGuider(model, conditioning)


@node("CFGGuider", category=GUIDERS)
def cfg_guider(
    model: Model, positive: Conditioning, negative: Conditioning, cfg: Scale = 8.0
) -> Guider:
    """Classifier-free guidance: away from the negative, towards the positive."""
    return CfgGuider(model, positive, negative, cfg)


@node("DualCFGGuider", category=GUIDERS)
def dual_cfg_guider(
    *,
    model: Model,
    cond1: Conditioning,
    cond2: Conditioning,
    negative: Conditioning,
    cfg_conds: Scale = 8.0,
    cfg_cond2_negative: Scale = 8.0,
    style: Annotated[str, Choice("regular", "nested")],
) -> Guider:
    """Guidance in two stages: from the negative to the second text, from there to the first."""
    return DualCfgGuider(
        model,
        positive=cond1,
        middle=cond2,
        negative=negative,
        scale=cfg_conds,
        middle_scale=cfg_cond2_negative,
        nested=style == "nested",
    )


@node("DualModelGuider", category=GUIDERS, display="Dual Model CFG Guider")
def dual_model_guider(
    model: Model,
    positive: Conditioning,
    cfg: Annotated[float, Range(0.0, 100.0, step=0.1, round=0.01)] = 4.0,
    model_negative: Model | None = None,
    negative: Conditioning | None = None,
) -> Guider:
    """Guidance whose negative another model predicts; without one, `model` does.

    Both models stay loaded for the whole run. At a `cfg` of 1 the negative is not evaluated.
    """
    if negative is None:
        raise NodeError(
            "DualModelGuider has no negative: only models whose unguided prediction needs no text, "
            "such as Ideogram 4, run without, and this version has none; connect a prompt, which "
            "may be empty, to `negative`"
        )
    if model_negative is None:
        return CfgGuider(model, positive, negative, cfg)
    return DualModelGuider(model, positive, model_negative, negative, cfg)


@node("PerpNegGuider", category="_for_testing", experimental=True)
def perp_neg_guider(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty_conditioning: Conditioning,
    cfg: Scale = 8.0,
    neg_scale: Annotated[float, Range(0.0, 100.0, step=0.01)] = 1.0,
) -> Guider:
    """Guidance by a negative that never takes away what the positive asks for (Perp-Neg).

    `empty_conditioning` is an empty prompt; `neg_scale` weighs the negative.
    """
    return PerpNegGuider(model, positive, negative, empty_conditioning, cfg, neg_scale)
