"""Conditionings in the making: from the value of a wire to what `calc_cond_batch` takes."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from engine.compat.install import host_module
from engine.compat.sampling.ready import FROM_INPUT, KEY, Group, Ready, open_group, running
from engine.compat.sampling.values import patcher_of
from engine.diffusion import regions
from engine.diffusion.regions import Region
from engine.families.family import Run

Cond = dict[str, Any]
OURS = ("cross_attn", "model_conds", "uuid", KEY)
"""Keys that a converted conditioning has in addition to its extras."""


def convert_cond(cond: Sequence[Sequence[Any]]) -> list[Cond]:
    """Dictionaries from the entries `[tensor, dict]` of a CONDITIONING."""
    found: list[Cond] = []
    for entry in cond:
        extras = dict(entry[1])
        if entry[0] is not None:
            extras["cross_attn"] = entry[0]
        extras["model_conds"] = dict(extras.get("model_conds", {}))
        extras["uuid"] = uuid.uuid4()
        found.append(extras)
    return found


def process_conds(
    model: Any,
    noise: Tensor,
    conds: Mapping[str, Sequence[Cond]],
    device: Any,
    latent_image: Tensor | None = None,
    denoise_mask: Tensor | None = None,
    seed: int | None = None,
    latent_shapes: Any = None,
) -> dict[str, list[Cond]]:
    """Make converted conditionings ready for x of the shape of `noise`.

    Areas and masks are fitted to it, shares of the run become sigmas, the network's inputs are
    made, and every area of one conditioning gets a counterpart in the others. Only inside a run.
    """
    del device, latent_shapes
    run = running()
    host_module("comfy.samplers").pre_run_control(
        model, [each for many in conds.values() for each in many]
    )
    entries = {
        name: [
            [
                cond.get("cross_attn"),
                {key: _value(run, each) for key, each in cond.items() if key not in OURS},
            ]
            for cond in many
        ]
        for name, many in conds.items()
    }
    mask = denoise_mask if denoise_mask is None else denoise_mask[:, :1].float().cpu()
    clean = torch.zeros(noise.shape) if latent_image is None else latent_image.float().cpu()
    group = open_group(patcher_of(model), entries, Run(noise.shape, seed or 0, clean, mask))
    return {name: _shown(group, name, many) for name, many in conds.items()}


def _value(run: Any, thing: Any) -> Any:
    return thing if run is None else run.value_of(thing)


def _shown(group: Group, name: str, conds: Sequence[Cond]) -> list[Cond]:
    """The dictionaries of a conditioning's regions; added ones have the last's extras."""
    found: list[Cond] = []
    for index, region in enumerate(group.network.named[name]):
        cond = dict(conds[min(index, len(conds) - 1)]) if conds else {}
        if index >= len(conds):
            for key in ("mask", "control", "gligen"):
                cond.pop(key, None)
        found.append(show(group, region, cond))
    return found


def show(group: Group, region: Region, cond: Cond) -> Cond:
    """A dictionary with what a region says, ready to be evaluated."""
    made = _model_conds(region)
    cond = {**cond, "model_conds": {**cond.get("model_conds", {}), **made}}
    cond.pop("area", None)
    if region.area is not None:
        cond["area"] = region.area
    if region.mask is not None:
        cond["mask"] = region.mask
        cond["mask_strength"] = 1.0
    cond["strength"] = region.strength
    if region.start != math.inf:
        cond["timestep_start"] = region.start
    if region.end != 0.0:
        cond["timestep_end"] = region.end
    cond.setdefault("uuid", uuid.uuid4())
    shown = {
        key: cond.get(key) for key in ("area", "mask", "strength", "timestep_start", "timestep_end")
    }
    shown |= {"model_conds": cond["model_conds"], "inputs": made}
    cond[KEY] = Ready(group, region, shown)
    return cond


def _model_conds(region: Region) -> dict[str, Any]:
    """The network's inputs as `comfy.conds` objects, by the ecosystem's names."""
    conds = host_module("comfy.conds")
    made: dict[str, Any] = {}
    for name, each in region.inputs.items():
        theirs = FROM_INPUT.get(name, name)
        form = {
            "c_crossattn": conds.CONDCrossAttn,
            "c_concat": conds.CONDNoiseShape,
        }.get(theirs, conds.CONDRegular)
        made[theirs] = form(each.value)
    return made


def pre_run_control(model: Any, conds: Sequence[Cond]) -> None:
    """Tell control objects that bring their own code that a run begins."""
    to_sigma = model.model_sampling.percent_to_sigma
    for cond in conds:
        control = cond.get("control")
        if control is not None and hasattr(control, "pre_run"):
            control.pre_run(model, to_sigma)


def encode_model_conds(
    model_function: Callable[..., Mapping[str, Any]],
    conds: Sequence[Cond],
    noise: Tensor,
    device: Any,
    prompt_type: str,
    **kwargs: Any,
) -> list[Cond]:
    """The conditionings with what `model_function(**cond)` makes of each in `model_conds`."""
    found: list[Cond] = []
    for cond in conds:
        size = noise.shape[2:]
        given = {
            "width": size[-1] * 8 if size else None,
            "height": size[-2] * 8 if len(size) > 1 else None,
            **cond,
            "device": device,
            "noise": noise,
            "prompt_type": cond.get("prompt_type", prompt_type),
            **kwargs,
        }
        made = model_function(**given)
        found.append({**cond, "model_conds": {**cond.get("model_conds", {}), **made}})
    return found


def calculate_start_end_timesteps(model: Any, conds: list[Cond]) -> None:
    """Put the sigmas of each conditioning's shares of the run into it, in place."""
    to_sigma = model.model_sampling.percent_to_sigma
    for index, cond in enumerate(conds):
        changed = dict(cond)
        for share, key in (("start_percent", "timestep_start"), ("end_percent", "timestep_end")):
            if cond.get(share) is not None:
                changed[key] = to_sigma(cond[share])
        conds[index] = changed


def resolve_areas_and_cond_masks_multidim(
    conditions: list[Cond], dims: Sequence[int], device: Any
) -> None:
    """Fit areas and masks to x of a size, in place."""
    for index, cond in enumerate(conditions):
        changed = dict(cond)
        area = regions.in_cells(cond.get("area"), dims)
        mask = cond.get("mask")
        if mask is not None:
            mask = regions.fitted_mask(mask.to(device), dims, max(len(mask), 1))
            changed["mask"] = mask
            if cond.get("set_area_to_bounds"):
                area = regions.bounds_of(mask)
        if area is not None:
            changed["area"] = area
        conditions[index] = changed


def resolve_areas_and_cond_masks(conditions: list[Cond], h: int, w: int, device: Any) -> None:
    """The same for pictures."""
    resolve_areas_and_cond_masks_multidim(conditions, [h, w], device)


def create_cond_with_same_area_if_none(conds: list[Cond], c: Cond) -> None:
    """Give a conditioning with an area a counterpart among others, in place."""
    area = c.get("area")
    if area is None or any(each.get("area") == area for each in conds):
        return
    fitting = [each for each in conds if each.get("area") is None]
    if not fitting:
        return
    kept = {key: value for key, value in fitting[0].items() if key not in ("mask", KEY)}
    conds.append({**kept, "area": area, "strength": c.get("strength", 1.0)})


def apply_empty_x_to_equal_area(
    conds: list[Cond],
    uncond: list[Cond],
    name: str,
    uncond_fill_func: Callable[[list[Any], int], Any],
) -> None:
    """Give values of `name` in one conditioning to entries of another that have none, in place."""
    whole = [each for each in conds if each.get("area") is None and each.get(name) is not None]
    theirs = [index for index, each in enumerate(uncond) if each.get("area") is None]
    values = [each[name] for each in whole]
    if not values or any(uncond[index].get(name) is not None for index in theirs):
        return
    for number in range(len(values)):
        if not theirs:
            return
        index = theirs[number % len(theirs)]
        changed = {**uncond[index], name: uncond_fill_func(values, number)}
        if number < len(theirs):
            uncond[index] = changed
        else:
            uncond.append(changed)


class CondObj(NamedTuple):
    """One processed conditioning for a call, see `get_area_and_mult`."""

    input_x: Tensor
    mult: Tensor
    conditioning: dict[str, Any]
    area: Any
    control: Any
    patches: dict[str, Any] | None
    uuid: Any
    hooks: Any


def get_area_and_mult(conds: Cond, x_in: Tensor, timestep_in: Tensor) -> Any:
    """The part of x that a processed conditioning rules, its weight and the network's inputs.

    None if it is not active at that sigma.
    """
    level = float(timestep_in.flatten()[0])
    start, end = conds.get("timestep_start"), conds.get("timestep_end")
    if (start is not None and level > float(start)) or (end is not None and level < float(end)):
        return None
    size = x_in.shape[2:]
    mask, area = conds.get("mask"), regions.in_cells(conds.get("area"), size)
    if mask is not None:
        mask = regions.fitted_mask(mask.cpu(), size, len(x_in)) * conds.get("mask_strength", 1.0)
    region = regions.weighted(Region({}, area, mask, float(conds.get("strength", 1.0))), size)
    input_x = regions.cropped(x_in, area)
    weight = torch.tensor(1.0) if region.weight is None else region.weight
    made = {
        key: each.process_cond(batch_size=len(x_in), device=x_in.device, area=area)
        for key, each in conds.get("model_conds", {}).items()
    }
    gligen = conds.get("gligen")
    return CondObj(
        input_x,
        weight.to(x_in).expand_as(input_x).clone(),
        made,
        area,
        conds.get("control"),
        None if gligen is None else {"gligen": gligen},
        conds.get("uuid"),
        conds.get("hooks"),
    )


def cond_equal_size(c1: Mapping[str, Any], c2: Mapping[str, Any]) -> bool:
    """Whether the inputs of two conditionings can share a call."""
    if c1 is c2:
        return True
    return c1.keys() == c2.keys() and all(c1[key].can_concat(c2[key]) for key in c1)


def can_concat_cond(c1: Any, c2: Any) -> bool:
    """Whether two results of `get_area_and_mult` can share a call."""
    if c1.input_x.shape != c2.input_x.shape or c1.control is not c2.control:
        return False
    ours, theirs = c1.patches, c2.patches
    if (ours is None) != (theirs is None) or (ours and ours.keys() != theirs.keys()):
        return False
    if ours and any(ours[key] is not theirs[key] for key in ours):
        return False
    return cond_equal_size(c1.conditioning, c2.conditioning)


def cond_cat(c_list: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The inputs of several conditionings as those of one call."""
    merged: dict[str, list[Any]] = {}
    for each in c_list:
        for key, value in each.items():
            merged.setdefault(key, []).append(value)
    return {key: many[0].concat(many[1:]) for key, many in merged.items()}


def prepare_mask(noise_mask: Tensor, shape: Sequence[int], device: Any) -> Tensor:
    """A noise mask at the size of x: [B, C, ...], on a device."""
    if noise_mask.ndim == len(shape) and tuple(noise_mask.shape[2:]) == tuple(shape[2:]):
        fitted = noise_mask[:, :1].float()
    else:
        fitted = regions.fitted_mask(noise_mask, shape[2:], shape[0])[:, None]
    return cast("Tensor", fitted.expand(shape[0], shape[1], *fitted.shape[2:]).to(device))
