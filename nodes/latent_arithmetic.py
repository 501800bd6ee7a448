"""Nodes for arithmetic with latents: add, blend, concatenate and split."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.image_scaling import match_count
from nodes.latent_shapes import blend_directions, fit, lerp_directions, row_numbers
from nodes.sockets import Latent


@node("LatentAdd", category="latent/advanced")
def latent_add(samples1: Latent, samples2: Latent) -> Latent:
    """Add two latents; the second is scaled and repeated to fit the first."""
    first = samples1["samples"]
    return samples1 | {"samples": first + fit(samples2["samples"], first)}


@node("LatentSubtract", category="latent/advanced")
def latent_subtract(samples1: Latent, samples2: Latent) -> Latent:
    """Subtract two latents; the second is scaled and repeated to fit the first."""
    first = samples1["samples"]
    return samples1 | {"samples": first - fit(samples2["samples"], first)}


@node("LatentMultiply", category="latent/advanced")
def latent_multiply(
    samples: Latent, multiplier: Annotated[float, Range(-10.0, 10.0, step=0.01)] = 1.0
) -> Latent:
    """Multiply a latent by a number."""
    return samples | {"samples": samples["samples"] * multiplier}


@node("LatentInterpolate", category="latent/advanced")
def latent_interpolate(
    samples1: Latent,
    samples2: Latent,
    ratio: Annotated[float, Range(0.0, 1.0, step=0.01)] = 1.0,
) -> Latent:
    """Interpolate between two latents (ratio 1: the first), direction and length of cells apart.

    This preserves the contrast of both, which a linear mixture would reduce.
    """
    first = samples1["samples"]
    second = fit(samples2["samples"], first)
    blended = blend_directions(second, first, ratio, dim=1, mix=lerp_directions)
    return samples1 | {"samples": blended}


_DIMENSIONS = MappingProxyType({"x": -1, "y": -2, "t": -3})
"""Places in a latent's shape. Without time, `t` is its channels, as in the incumbent."""


@node("LatentConcat", category="latent/advanced")
def latent_concat(
    samples1: Latent, samples2: Latent, dim: Literal["x", "-x", "y", "-y", "t", "-t"]
) -> Latent:
    """Join two latents side by side (x), vertically (y) or in time (t); `-` puts the second first.

    Without time, `t` joins their channels.
    """
    first = samples1["samples"]
    second = match_count(samples2["samples"], first.shape[0])
    along = _DIMENSIONS[dim.removeprefix("-")]
    pair = (second, first) if dim.startswith("-") else (first, second)
    try:
        return samples1 | {"samples": torch.cat(pair, dim=along)}
    except RuntimeError as error:
        raise NodeError(
            f"latents of the shapes {list(first.shape)} and {list(second.shape)} cannot be joined "
            f"along {dim}: their other sides differ; scale or crop one of them first"
        ) from error


@node("LatentCut", category="latent/advanced")
def latent_cut(
    samples: Latent,
    dim: Literal["x", "y", "t"],
    index: Annotated[int, Range(-16384, 16384, step=1)] = 0,
    amount: Annotated[int, Range(1, 16384, step=1)] = 1,
) -> Latent:
    """Cut a band out of a latent: `amount` cells along one side from `index` on.

    A negative index counts from the end; parts beyond the edge are dropped. `t` of a latent without
    time means its channels.
    """
    whole = samples["samples"]
    along = _DIMENSIONS[dim]
    size = whole.shape[along]
    first = max(index + size, 0) if index < 0 else min(index, size - 1)
    band = whole.narrow(along, first, min(amount, size - first))
    return samples | {"samples": band.clone()}


@node("LatentCutToBatch", category="latent/advanced")
def latent_cut_to_batch(
    samples: Latent,
    dim: Literal["t", "x", "y"],
    slice_size: Annotated[int, Range(1, 16384, step=1)] = 1,
) -> Latent:
    """Cut a latent into bands of `slice_size` cells as a batch; a remainder is dropped.

    Along `t`, a latent without time is unchanged.
    """
    whole = samples["samples"]
    along = _DIMENSIONS[dim]
    if dim == "t" and whole.ndim < 5:
        return samples
    size = min(slice_size, whole.shape[along])
    count = whole.shape[along] // size
    used = whole.narrow(along, 0, count * size)
    bands = torch.stack(used.split(size, dim=along), dim=1)
    return samples | {"samples": bands.flatten(0, 1)}


@node("LatentBatchSeedBehavior", category="latent/advanced")
def latent_batch_seed_behavior(
    samples: Latent, seed_behavior: Literal["random", "fixed"] = "fixed"
) -> Latent:
    """Choose whether each row of a batch gets its own noise, or all that of the first."""
    if seed_behavior == "random":
        return {key: value for key, value in samples.items() if key != "batch_index"}
    first = row_numbers(samples)[0]
    return samples | {"batch_index": [first] * samples["samples"].shape[0]}
