# pyright: basic
"""Which family a file's weights are, as plugins ask (`comfy.model_detection`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engine.compat.given_weights import given_entry
from engine.compat.models import supported_models
from engine.compat.models.model_configs import class_of, unet_dict
from engine.errors import WeightsError
from engine.families.detect import FAMILIES, PREFIXES
from engine.weights.state_dict import StateDict

FEWEST = 5
"""A prefix that fewer names have is none."""


def unet_prefix_from_state_dict(state_dict: Mapping[str, Any]) -> str:
    """The prefix under which a file holds its denoiser."""
    counts = {
        prefix: sum(name.startswith(prefix) for name in state_dict)
        for prefix in PREFIXES
        if prefix not in ("model.", "")
    }
    best = max(counts, key=lambda prefix: counts[prefix])
    return best if counts[best] > FEWEST else "model."


def count_blocks(state_dict_keys: Any, prefix_string: str) -> int:
    """The number of blocks whose names begin with `prefix_string`, such as `blocks.{}.`."""
    names, count = list(state_dict_keys), 0
    while any(name.startswith(prefix_string.format(count)) for name in names):
        count += 1
    return count


def _found(state_dict: Mapping[str, Any], prefix: str) -> tuple[Any, Any] | None:
    """(family, configuration) of the weights under a prefix, or None."""
    entries = {
        f"model.diffusion_model.{name[len(prefix) :]}": given_entry(name, tensor)
        for name, tensor in state_dict.items()
        if name.startswith(prefix) and isinstance(tensor, Tensor)
    }
    weights = StateDict(entries)
    for family in FAMILIES:
        try:
            config = family.detect(weights)
        except WeightsError:
            continue
        if config is not None:
            return family, config
    return None


def detect_unet_config(
    state_dict: Mapping[str, Any], key_prefix: str, metadata: Any = None
) -> dict[str, Any] | None:
    """The sizes of the denoiser under a prefix; None if no family has such weights."""
    found = _found(state_dict, key_prefix)
    return None if found is None else unet_dict(found[1].unet)


def model_config_from_unet_config(
    unet_config: dict[str, Any], state_dict: Any = None
) -> supported_models.BASE | None:
    """The configuration of the family with these sizes, or None."""
    for kind in supported_models.models:
        if kind.matches(unet_config, state_dict):
            return kind(unet_config)
    return None


def model_config_from_unet(
    state_dict: Mapping[str, Any],
    unet_key_prefix: str,
    use_base_if_no_match: bool = False,
    metadata: Any = None,
) -> supported_models.BASE | None:
    """The configuration of the denoiser under a prefix, or None."""
    found = _found(state_dict, unet_key_prefix)
    if found is None:
        sizes = detect_unet_config(state_dict, unet_key_prefix, metadata)
        return supported_models.BASE(sizes or {}) if use_base_if_no_match else None
    family, config = found
    return class_of(family, config.unet)(unet_dict(config.unet))


def convert_config(unet_config: dict[str, Any]) -> dict[str, Any]:
    """Sizes with one number for each level, from the older form with attention by resolution."""
    made = dict(unet_config)
    counts, widths = made.get("num_res_blocks"), made.get("channel_mult")
    if isinstance(counts, int) and widths is not None:
        made["num_res_blocks"] = [counts] * len(widths)
    if "attention_resolutions" not in made or widths is None:
        return made
    at = made.pop("attention_resolutions")
    depths, depth = made.get("transformer_depth", 1), []
    for level in range(len(widths)):
        of_level = depths if isinstance(depths, int) else depths[level]
        attends = 2**level in at
        depth += [of_level if attends else 0] * made["num_res_blocks"][level]
    made["transformer_depth"] = depth
    output = []
    for level in range(len(widths)):
        of_level = depths if isinstance(depths, int) else depths[level]
        output += [of_level if 2**level in at else 0] * (made["num_res_blocks"][level] + 1)
    made["transformer_depth_output"] = output
    made.setdefault("transformer_depth_middle", depth[-1])
    return made
