"""Conditioning entries as regions of one run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.diffusion import regions
from engine.diffusion.conditioning import Role
from engine.diffusion.regions import Area, Region
from engine.families.family import Entry, Run
from engine.inference import control_text
from engine.inference.control import chain_of
from engine.inference.entry_hooks import EntryHooks
from engine.inference.values import Conditioning, Model


def prepared_by_name(
    conditionings: Mapping[str, Conditioning], model: Model, run: Run
) -> dict[str, list[Region]]:
    """A guider's conditionings as regions of x of that run, on the CPU.

    Every area of one of them has a counterpart in the others.
    """
    hooks = EntryHooks(model)
    named = {
        name: prepared(entries, model, run, _role(name), hooks)
        for name, entries in conditionings.items()
    }
    completed = dict(named)
    for ours, found in named.items():
        for theirs in named:
            if ours != theirs:
                completed[theirs] = regions.mirrored(found, completed[theirs])
    return completed


def prepared(
    entries: Conditioning,
    model: Model,
    run: Run,
    role: Role = Role.POSITIVE,
    hooks: EntryHooks | None = None,
) -> list[Region]:
    """The entries of a conditioning as regions of x of that run, on the CPU.

    `hooks` makes those that entries bring; conditionings of one run share it.
    """
    size, hooks = run.shape[2:], hooks or EntryHooks(model)
    found: list[Region] = []
    for embedding, extras in entries:
        area: Area | None = regions.in_cells(extras.get("area"), size)
        mask: Tensor | None = extras.get("mask")
        if mask is not None:
            mask = regions.fitted_mask(mask, size, run.shape[0])
            if extras.get("set_area_to_bounds"):
                area = regions.in_cells(regions.bounds_of(mask), size)
            mask = mask * extras.get("mask_strength", 1.0)
        start, end = _times(extras, model)
        networks = chain_of(extras)
        inputs = model.family.inputs(model.config, Entry(embedding, extras), run=run, role=role)
        if networks and isinstance(extras.get(control_text.TOKENS), Tensor):
            told = {**extras, "pooled_output": extras.get(control_text.POOLED)}
            entry = Entry(extras[control_text.TOKENS], told)
            seen = model.family.inputs(model.config, entry, run=run, role=role)
            inputs = {**inputs, **{f"{control_text.PREFIX}{name}": seen[name] for name in seen}}
        found.append(
            Region(
                inputs,
                area,
                mask,
                extras.get("strength", 1.0),
                start,
                end,
                role=role,
                networks=(*networks, *hooks.of(extras)),
                hooks=tuple(extras.get("hooks") or ()),
                fills=bool(extras.get("default")),
            )
        )
    return found


def _role(name: str) -> Role:
    """The role of a conditioning, from the guider's name of it.

    "empty" is the prompt without words that Perp-Neg guides away from.
    """
    return Role.NEGATIVE if name in ("negative", "empty") else Role.POSITIVE


def _times(extras: Mapping[str, Any], model: Model) -> tuple[float, float]:
    """(first, last sigma) from an entry's time range and that of its text's keyframe."""
    to_sigma = model.parameterization.percent_to_sigma
    first, last = math.inf, 0.0
    for kind in ("", "clip_"):
        start, end = extras.get(f"{kind}start_percent"), extras.get(f"{kind}end_percent")
        first = first if not start else min(first, to_sigma(start))
        last = last if end is None else max(last, to_sigma(end))
    return first, last
