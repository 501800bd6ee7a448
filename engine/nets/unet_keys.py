"""Names of latent diffusion UNets' tensors: the original layout, and diffusers'.

The shapes, not the names, determine the family of a UNet.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping

from engine.nets.unet_names import OUTER, RESIDUAL
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.model.", "unet.", "")
MARK = "input_blocks.0.0.weight"
DIFFUSERS_MARKS = ("conv_in.weight", "up_blocks.0.resnets.0.conv1.weight")
PARTS = (
    "time_embed.",
    "label_emb.",
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "out.",
)
GUIDANCE_PROJECTIONS = ("time_embed.cond_proj.weight", "time_embedding.cond_proj.weight")
"""The input for a guidance scale of UNets with distilled guidance (Meng et al. 2023; LCM: Luo et
al. 2023), in both layouts. Without a guidance scale, diffusers also ignores it."""
_PLACE = re.compile(
    r"(down|up|mid)_blocks?\.(?:(\d{1,3})\.)?"
    r"(resnets|attentions|downsamplers|upsamplers)\.(\d{1,3})\.(.+)"
)
_OUTER: Mapping[str, str] = {theirs: ours for ours, theirs in OUTER.items()}
_RESIDUAL: Mapping[str, str] = {theirs: ours for ours, theirs in RESIDUAL.items()}


def tensors(weights: StateDict) -> StateDict | None:
    """The UNet's tensors under their original names; None without one.

    Copies under `model_ema.`, training state and `GUIDANCE_PROJECTIONS` are not included.

    Raises:
        WeightsError: one of them is empty.
    """
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights:
            found = weights.part(prefix)
            found = found.rename(lambda name: name if name.startswith(PARTS) else None)
            return _without_projection(found).refuse_empty()
        if all(f"{prefix}{mark}" in weights for mark in DIFFUSERS_MARKS):
            found = _without_projection(weights.part(prefix))
            return found.rename(original_names(found)).refuse_empty()
    return None


def denoiser(weights: StateDict) -> StateDict:
    """The tensors of the UNet in a file known to hold one; logs tensors that are left out.

    Raises:
        WeightsError: one of them is empty.
    """
    found = tensors(weights)
    if found is None:
        raise ValueError("detect says whether a file holds a denoiser")
    if any(f"{prefix}{name}" in weights for prefix in PREFIXES for name in GUIDANCE_PROJECTIONS):
        logging.getLogger(__name__).warning(
            "%s: its network can be given a guidance scale (cond_proj); that input is left out, as "
            "in ComfyUI and where diffusers gets no timestep_cond. Use the sampler lcm, a low cfg "
            "and few steps.",
            weights.origin,
        )
    return found


def _without_projection(weights: StateDict) -> StateDict:
    return weights.rename(lambda name: None if name in GUIDANCE_PROJECTIONS else name)


def original_names(names: Iterable[str]) -> Callable[[str], str]:
    """A function from diffusers' names of a UNet's tensors to the original ones.

    Args:
        names: all of diffusers' names of one UNet: they show the number of blocks of each level.
    """
    known = set(names)
    down, up = _starts(known, "down"), _starts(known, "up")

    def rename(name: str) -> str:
        """The original name; a name of an unknown module is unchanged."""
        module, _, kind = name.rpartition(".")
        if module in _OUTER:
            return f"{_OUTER[module]}.{kind}"
        found = _PLACE.fullmatch(name)
        if found is None:
            return name
        side, level, part, number, rest = found.groups()
        place = _place(side, int(level or 0), part, int(number), down, up)
        if place is None:
            return name
        if part == "resnets":
            module, _, kind = rest.rpartition(".")
            return f"{place}.{_RESIDUAL.get(module, module)}.{kind}"
        if part == "downsamplers":
            return f"{place}.{rest.replace('conv.', 'op.', 1)}"
        if part == "upsamplers":
            last = _blocks(known, "up", int(level or 0)) - 1
            attends = f"up_blocks.{level}.attentions.{last}.norm.weight" in known
            return f"{place}.{2 if attends else 1}.{rest}"
        return f"{place}.{rest}"

    return rename


def _place(
    side: str, level: int, part: str, number: int, down: list[int], up: list[int]
) -> str | None:
    """The original place of a layer; for an upsampling, that of its block. None: no such level."""
    inner = 1 if part == "attentions" else 0
    if side == "mid":
        return f"middle_block.{1 if inner else 2 * number}"
    starts, name = (down, "input_blocks") if side == "down" else (up, "output_blocks")
    if level + 1 >= len(starts):
        return None
    start, end = starts[level : level + 2]
    if part == "downsamplers":
        return f"{name}.{end - 1}.0"
    if part == "upsamplers":
        return f"{name}.{end - 1}"
    return f"{name}.{start + number}.{inner}"


def _starts(names: set[str], side: str) -> list[int]:
    """The number of the first original block of each level, and one past the last."""
    starts = [1 if side == "down" else 0]
    while blocks := _blocks(names, side, len(starts) - 1):
        level = len(starts) - 1
        down = f"down_blocks.{level}.downsamplers.0.conv.weight" in names and side == "down"
        starts.append(starts[-1] + blocks + down)
    return starts


def _blocks(names: set[str], side: str, level: int) -> int:
    """The number of residual blocks of a level."""
    count = 0
    while f"{side}_blocks.{level}.resnets.{count}.conv1.weight" in names:
        count += 1
    return count
