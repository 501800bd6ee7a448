"""Nodes that join and mix conditioning, and limit it to areas, masks and times.

An entry is `[tensor [1, T, D], dict]`; every node returns new entries and never changes its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.sockets import Conditioning, Mask

CELL = 8
"""Pixels per latent cell: areas are asked for in pixels and kept in cells."""
Side = Annotated[int, Range(64, 16384, step=8)]
Offset = Annotated[int, Range(0, 16384, step=8)]
Part = Annotated[float, Range(0, 1.0, step=0.01)]
Strength = Annotated[float, Range(0.0, 10.0, step=0.01)]
Time = Annotated[float, Range(0.0, 1.0, step=0.001)]


@node("ConditioningCombine", category="conditioning", display="Conditioning (Combine)")
def conditioning_combine(
    conditioning_1: Conditioning, conditioning_2: Conditioning
) -> Conditioning:
    """Combine two conditionings: the model predicts for each, and the predictions are averaged."""
    return [*conditioning_1, *conditioning_2]


@node("ConditioningConcat", category="conditioning", display="Conditioning (Concat)")
def conditioning_concat(
    conditioning_to: Conditioning, conditioning_from: Conditioning
) -> Conditioning:
    """Join the tokens of two conditionings, as if both were one long prompt."""
    added = _first(conditioning_from)[0]
    for tokens, _ in conditioning_to:
        if tokens.shape[::2] != added.shape[::2]:
            raise NodeError(
                f"the tokens of {list(tokens.shape)} and {list(added.shape)} (batch, tokens, "
                "channels) cannot follow each other; both must come from models of one family, "
                "in batches of one size"
            )
    return [[torch.cat((tokens, added), dim=1), dict(values)] for tokens, values in conditioning_to]


@node("ConditioningAverage", category="conditioning")
def conditioning_average(
    conditioning_to: Conditioning,
    conditioning_from: Conditioning,
    conditioning_to_strength: Annotated[float, Range(0.0, 1.0, step=0.01)] = 1.0,
) -> Conditioning:
    """Mix two conditionings token by token; strength 1 is all `conditioning_to`."""
    from_tokens, from_values = _first(conditioning_from)
    share = conditioning_to_strength
    from_pooled: Tensor | None = from_values.get("pooled_output")
    mixed: Conditioning = []
    for tokens, values in conditioning_to:
        if tokens.shape[2] != from_tokens.shape[2]:
            raise NodeError(
                f"tokens of {tokens.shape[2]} and of {from_tokens.shape[2]} channels cannot be "
                "mixed; both must come from models of one family"
            )
        other = from_tokens[:, : tokens.shape[1]]
        missing = tokens.shape[1] - other.shape[1]
        if missing:
            other = torch.nn.functional.pad(other, (0, 0, 0, missing))
        changed = dict(values)
        if from_pooled is not None:
            pooled = values.get("pooled_output", from_pooled)
            changed["pooled_output"] = pooled * share + from_pooled * (1 - share)
        mixed.append([tokens * share + other * (1 - share), changed])
    return mixed


@node("ConditioningSetArea", category="conditioning", display="Conditioning (Set Area)")
def conditioning_set_area(
    conditioning: Conditioning,
    width: Side = 64,
    height: Side = 64,
    x: Offset = 0,
    y: Offset = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Limit a conditioning to a rectangle, given in pixels."""
    area = (height // CELL, width // CELL, y // CELL, x // CELL)
    return with_values(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node(
    "ConditioningSetAreaPercentage",
    category="conditioning",
    display="Conditioning (Set Area with Percentage)",
)
def conditioning_set_area_percentage(
    conditioning: Conditioning,
    width: Part = 1.0,
    height: Part = 1.0,
    x: Part = 0,
    y: Part = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Limit a conditioning to a rectangle, given as fractions of the picture's sides."""
    area = ("percentage", height, width, y, x)
    return with_values(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node(
    "ConditioningSetAreaPercentageVideo",
    category="conditioning",
    display="ConditioningSetAreaPercentageVideo",
)
def conditioning_set_area_percentage_video(
    *,
    conditioning: Conditioning,
    width: Part = 1.0,
    height: Part = 1.0,
    temporal: Part = 1.0,
    x: Part = 0,
    y: Part = 0,
    z: Part = 0,
    strength: Strength = 1.0,
) -> Conditioning:
    """Limit a conditioning to a part of a video, as fractions of its sides and of its length."""
    area = ("percentage", temporal, height, width, z, y, x)
    return with_values(conditioning, area=area, strength=strength, set_area_to_bounds=False)


@node("ConditioningMultiply", category="conditioning", display="Conditioning (Multiply)")
def conditioning_multiply(
    conditioning: Conditioning,
    multiplier: Annotated[float, Range(-100.0, 100.0, step=0.01)] = 1.0,
) -> Conditioning:
    """Multiply the tokens and the pooled output of a conditioning."""
    found: Conditioning = []
    for tokens, values in conditioning:
        pooled = values.get("pooled_output")
        changed = {} if pooled is None else {"pooled_output": pooled * multiplier}
        found.append([tokens * multiplier, values | changed])
    return found


@node("ConditioningSetAreaStrength", category="conditioning")
def conditioning_set_area_strength(
    conditioning: Conditioning, strength: Strength = 1.0
) -> Conditioning:
    """Set the weight of an area where several overlap."""
    return with_values(conditioning, strength=strength)


@node("ConditioningSetMask", category="conditioning", display="Conditioning (Set Mask)")
def conditioning_set_mask(
    conditioning: Conditioning,
    mask: Mask,
    strength: Strength = 1.0,
    *,
    set_cond_area: Annotated[str, Choice("default", "mask bounds")],
) -> Conditioning:
    """Limit a conditioning to the white of a mask; `mask bounds` computes only its rectangle."""
    mask = mask[None] if mask.ndim < 3 else mask
    return with_values(
        conditioning,
        mask=mask,
        set_area_to_bounds=set_cond_area != "default",
        mask_strength=strength,
    )


@node("ConditioningSetTimestepRange", category="advanced/conditioning")
def conditioning_set_timestep_range(
    conditioning: Conditioning, start: Time = 0.0, end: Time = 1.0
) -> Conditioning:
    """Limit a conditioning to a part of the sampling; 0 is the beginning, 1 the end."""
    return with_values(conditioning, start_percent=start, end_percent=end)


@node("ConditioningZeroOut", category="advanced/conditioning")
def conditioning_zero_out(conditioning: Conditioning) -> Conditioning:
    """Replace every token by zeros: the negative that some models were trained with."""
    return [
        [
            torch.zeros_like(tokens),
            {
                key: torch.zeros_like(value)
                if key in ("pooled_output", "conditioning_lyrics") and value is not None
                else value
                for key, value in values.items()
            },
        ]
        for tokens, values in conditioning
    ]


def with_values(conditioning: Conditioning, **values: Any) -> Conditioning:
    """Every entry with these values added to its dict."""
    return [[tokens, {**known, **values}] for tokens, known in conditioning]


def _first(conditioning: Conditioning) -> tuple[Tensor, Mapping[str, Any]]:
    if not conditioning:
        raise NodeError("`conditioning_from` is empty; connect a prompt to it")
    tokens, values = conditioning[0]
    return tokens, values
