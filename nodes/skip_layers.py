"""Nodes for guidance by skipped layers of a transformer."""

from __future__ import annotations

import re
from typing import Annotated

from engine.inference.skip_layers import (
    guided_by_skipped_layers,
    interval,
    negative_with_skipped_layers,
)
from engine.nets.hooks import Place
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text
from nodes.sockets import Model

CATEGORY = "advanced/guidance"
Layers = Annotated[str, Text()]
Scale = Annotated[float, Range(0.0, 10.0, step=0.1)]
Percent = Range(0.0, 1.0, step=0.001)
DOUBLE, SINGLE = "double_block", "single_block"


@node("SkipLayerGuidanceSD3", category=CATEGORY, experimental=True)
def skip_layer_guidance_sd3(
    model: Model,
    layers: Layers = "7, 8, 9",
    scale: Scale = 3.0,
    start_percent: Annotated[float, Percent] = 0.01,
    end_percent: Annotated[float, Percent] = 0.15,
) -> Model:
    """Guide away from what SD3.5 medium predicts without some of its layers.

    Improves anatomy. Costs one more evaluation at each step between the two percentages.
    """
    within = interval(model, start_percent, end_percent)
    return guided_by_skipped_layers(model, _places(DOUBLE, layers), scale, within)


@node("SkipLayerGuidanceDiT", category=CATEGORY, experimental=True)
def skip_layer_guidance_dit(
    model: Model,
    double_layers: Layers = "7, 8, 9",
    single_layers: Layers = "7, 8, 9",
    scale: Scale = 3.0,
    start_percent: Annotated[float, Percent] = 0.01,
    end_percent: Annotated[float, Percent] = 0.15,
    rescaling_scale: Annotated[float, Range(0.0, 10.0, step=0.01)] = 0.0,
) -> Model:
    """Guide away from what a transformer predicts without some of its layers.

    `rescaling_scale` brings the contrast back towards that of the positive prediction.
    """
    places = [*_places(DOUBLE, double_layers), *_places(SINGLE, single_layers)]
    if not places:
        return model
    within = interval(model, start_percent, end_percent)
    return guided_by_skipped_layers(model, places, scale, within, rescaling_scale)


@node("SkipLayerGuidanceDiTSimple", category=CATEGORY, experimental=True)
def skip_layer_guidance_dit_simple(
    model: Model,
    double_layers: Layers = "7, 8, 9",
    single_layers: Layers = "7, 8, 9",
    start_percent: Annotated[float, Percent] = 0.0,
    end_percent: Annotated[float, Percent] = 1.0,
) -> Model:
    """Predict the negative without some of a transformer's layers; costs no evaluation."""
    places = [*_places(DOUBLE, double_layers), *_places(SINGLE, single_layers)]
    return negative_with_skipped_layers(model, places, interval(model, start_percent, end_percent))


def _places(part: str, layers: str) -> list[Place]:
    """The blocks whose numbers are in a text."""
    return [(part, int(number)) for number in dict.fromkeys(re.findall(r"\d+", layers))]
