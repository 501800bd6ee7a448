"""Nodes that set several properties of conditioning: mask, hooks and time, single or in pairs."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from engine.nodekit.contract import node
from engine.nodekit.markers import Choice
from nodes.conditioning import Strength, Time, with_values
from nodes.sockets import Conditioning, Hooks, Mask, TimestepsRange

SINGLE, PAIR = "advanced/hooks/cond single", "advanced/hooks/cond pair"
CondArea = Annotated[str, Choice("default", "mask bounds")]


class Pair(NamedTuple):
    """Both sides of guidance."""

    positive: Conditioning
    negative: Conditioning


class Ranges(NamedTuple):
    """A part of sampling, and what is before and after it."""

    TIMESTEPS_RANGE: TimestepsRange
    BEFORE_RANGE: TimestepsRange
    AFTER_RANGE: TimestepsRange


@node("ConditioningSetProperties", category=SINGLE, display="Cond Set Props", experimental=True)
def set_properties(
    *,
    cond_NEW: Conditioning,  # noqa: N803 - the incumbent's name of the input
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Limit a conditioning to a mask and a time, and add hooks; `strength` is that of the mask."""
    return with_properties(cond_NEW, strength, set_cond_area, mask, hooks, timesteps)


@node(
    "ConditioningSetPropertiesAndCombine",
    category=SINGLE,
    display="Cond Set Props Combine",
    experimental=True,
)
def set_properties_and_combine(
    *,
    cond: Conditioning,
    cond_NEW: Conditioning,  # noqa: N803
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Conditioning:
    """Set mask, time and hooks of new conditioning, and combine it with the given one."""
    new = with_properties(cond_NEW, strength, set_cond_area, mask, hooks, timesteps)
    return [*cond, *new]


@node(
    "ConditioningSetDefaultCombine",
    category=SINGLE,
    display="Cond Set Default Combine",
    experimental=True,
)
def set_default(
    cond: Conditioning,
    cond_DEFAULT: Conditioning,  # noqa: N803
    hooks: Hooks | None = None,
) -> Conditioning:
    """Add a default that applies where and when no other conditioning does."""
    return [*cond, *with_values(with_hooks(cond_DEFAULT, hooks), default=True)]


@node(
    "PairConditioningSetProperties", category=PAIR, display="Cond Pair Set Props", experimental=True
)
def set_properties_of_pair(
    *,
    positive_NEW: Conditioning,  # noqa: N803
    negative_NEW: Conditioning,  # noqa: N803
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Limit a positive and negative pair to a mask and a time, and add hooks."""
    positive, negative = (
        with_properties(each, strength, set_cond_area, mask, hooks, timesteps)
        for each in (positive_NEW, negative_NEW)
    )
    return Pair(positive, negative)


@node(
    "PairConditioningSetPropertiesAndCombine",
    category=PAIR,
    display="Cond Pair Set Props Combine",
    experimental=True,
)
def set_properties_of_pair_and_combine(
    *,
    positive: Conditioning,
    negative: Conditioning,
    positive_NEW: Conditioning,  # noqa: N803
    negative_NEW: Conditioning,  # noqa: N803
    strength: Strength = 1.0,
    set_cond_area: CondArea,
    mask: Mask | None = None,
    hooks: Hooks | None = None,
    timesteps: TimestepsRange | None = None,
) -> Pair:
    """Set mask, time and hooks of new conditioning, and combine it with the given one."""
    new_positive, new_negative = (
        with_properties(each, strength, set_cond_area, mask, hooks, timesteps)
        for each in (positive_NEW, negative_NEW)
    )
    return Pair([*positive, *new_positive], [*negative, *new_negative])


@node(
    "PairConditioningSetDefaultCombine",
    category=PAIR,
    display="Cond Pair Set Default Combine",
    experimental=True,
)
def set_default_of_pair(
    positive: Conditioning,
    negative: Conditioning,
    positive_DEFAULT: Conditioning,  # noqa: N803
    negative_DEFAULT: Conditioning,  # noqa: N803
    hooks: Hooks | None = None,
) -> Pair:
    """Add a default that applies where and when no other pair of conditionings does."""
    return Pair(
        set_default(positive, positive_DEFAULT, hooks),
        set_default(negative, negative_DEFAULT, hooks),
    )


@node("PairConditioningCombine", category=PAIR, display="Cond Pair Combine", experimental=True)
def combine_pairs(
    positive_A: Conditioning,  # noqa: N803
    negative_A: Conditioning,  # noqa: N803
    positive_B: Conditioning,  # noqa: N803
    negative_B: Conditioning,  # noqa: N803
) -> Pair:
    """Combine two pairs of positive and negative conditioning."""
    return Pair([*positive_A, *positive_B], [*negative_A, *negative_B])


@node(
    "ConditioningTimestepsRange",
    category="advanced/hooks",
    display="Timesteps Range",
    experimental=True,
)
def timesteps_range(start_percent: Time = 0.0, end_percent: Time = 1.0) -> Ranges:
    """A part of the sampling (0 is the beginning, 1 the end), and the parts before and after it."""
    return Ranges((start_percent, end_percent), (0.0, start_percent), (end_percent, 1.0))


def with_properties(
    conditioning: Conditioning,
    strength: float,
    set_cond_area: str,
    mask: Any | None,
    hooks: Hooks | None,
    timesteps: TimestepsRange | None,
) -> Conditioning:
    """Every entry with those properties that are given."""
    values: dict[str, Any] = {}
    if mask is not None:
        values["mask"] = mask[None] if mask.ndim < 3 else mask
        values["set_area_to_bounds"] = set_cond_area != "default"
        values["mask_strength"] = strength
    if timesteps is not None:
        values["start_percent"], values["end_percent"] = timesteps
    return with_values(with_hooks(conditioning, hooks), **values)


def with_hooks(conditioning: Conditioning, hooks: Hooks | None) -> Conditioning:
    """Every entry with these hooks appended to its own."""
    if not hooks:
        return conditioning
    return [
        [tokens, {**known, "hooks": (*known.get("hooks", ()), *hooks)}]
        for tokens, known in conditioning
    ]
