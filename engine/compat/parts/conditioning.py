"""The functions of `comfy.hooks` that set properties of conditionings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from engine.compat.parts.hooks import HookGroup

Entries = Sequence[Sequence[Any]]
Range = tuple[float, float] | None


def _set(conditioning: Entries, values: Mapping[str, Any]) -> list[list[Any]]:
    return [[tensor, {**extras, **values}] for tensor, extras in conditioning]


def set_hooks_for_conditioning(
    cond: Entries,
    hooks: HookGroup | None,
    append_hooks: bool = True,
    cache: dict[tuple[int, int], Any] | None = None,
) -> Any:
    """The conditioning with hooks, after those it has or instead of them."""
    if hooks is None:
        return cond
    joined = {} if cache is None else cache
    found: list[list[Any]] = []
    for tensor, extras in cond:
        old = extras.get("hooks") if append_hooks else None
        key = (id(old), id(hooks))
        if key not in joined:  # entries with the same hooks before share them afterwards
            joined[key] = hooks if old is None else old.clone_and_combine(hooks)
        found.append([tensor, {**extras, "hooks": joined[key]}])
    return found


def set_timesteps_for_conditioning(cond: Entries, timestep_range: Range) -> Any:
    """The conditioning for a part of sampling, (start, end)."""
    if timestep_range is None:
        return cond
    return _set(cond, {"start_percent": timestep_range[0], "end_percent": timestep_range[1]})


def set_mask_for_conditioning(
    cond: Entries, mask: Tensor | None, set_cond_area: str, strength: float
) -> Any:
    """The conditioning inside a mask [B, H, W] or [H, W]."""
    if mask is None:
        return cond
    values = {
        "mask": mask if mask.ndim >= 3 else mask[None],
        "set_area_to_bounds": set_cond_area != "default",
        "mask_strength": strength,
    }
    return _set(cond, values)


def combine_conditioning(conds: Sequence[Entries]) -> list[Any]:
    """The entries of several conditionings."""
    return [entry for cond in conds for entry in cond]


def set_conds_props(
    conds: Sequence[Entries],
    strength: float,
    set_cond_area: str,
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps_range: Range = None,
    append_hooks: bool = True,
) -> list[Any]:
    """Conditionings with hooks, a mask and a time range."""
    cache: dict[tuple[int, int], Any] = {}
    return [
        set_timesteps_for_conditioning(
            set_mask_for_conditioning(
                set_hooks_for_conditioning(cond, hooks, append_hooks, cache),
                mask,
                set_cond_area,
                strength,
            ),
            timesteps_range,
        )
        for cond in conds
    ]


def set_conds_props_and_combine(
    conds: Sequence[Entries],
    new_conds: Sequence[Entries],
    strength: float = 1.0,
    set_cond_area: str = "default",
    mask: Tensor | None = None,
    hooks: HookGroup | None = None,
    timesteps_range: Range = None,
    append_hooks: bool = True,
) -> list[Any]:
    """Each conditioning with the entries of a new one, which get the properties."""
    changed = set_conds_props(
        new_conds, strength, set_cond_area, mask, hooks, timesteps_range, append_hooks
    )
    return [combine_conditioning(pair) for pair in zip(conds, changed, strict=True)]


def set_default_conds_and_combine(
    conds: Sequence[Entries],
    new_conds: Sequence[Entries],
    hooks: HookGroup | None = None,
    timesteps_range: Range = None,
    append_hooks: bool = True,
) -> list[Any]:
    """Each conditioning with a new one that applies where no other does."""
    cache: dict[tuple[int, int], Any] = {}
    found: list[Any] = []
    for cond, new in zip(conds, new_conds, strict=True):
        hooked = set_hooks_for_conditioning(new, hooks, append_hooks, cache)
        timed = set_timesteps_for_conditioning(_set(hooked, {"default": True}), timesteps_range)
        found.append(combine_conditioning([cond, timed]))
    return found
