"""Nodes that join, repeat and split batches of latents.

A row's number, in `batch_index`, says which draw of noise belongs to it, so that one picture of a
batch can be made again alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, Range
from nodes.image_scaling import as_masks, match_count, scale_masks
from nodes.latent_shapes import CELL, fit_size, join_batches, row_numbers
from nodes.sockets import Latent


@node("BatchLatentsNode", category="latent", display="Batch Latents")
def batch_latents(
    latents: Annotated[dict[str, Any], Autogrow("latent", "LATENT", 2, 50)],
) -> Latent:
    """Join several latents to a batch, at the first one's size."""
    return join_batches(list(latents.values()))


@node("LatentBatch", category="latent/batch", deprecated=True)
def latent_batch(samples1: Latent, samples2: Latent) -> Latent:
    """Join two latents to a batch, at the first one's size."""
    return join_batches([samples1, samples2])


@node("LatentFromBatch", category="latent/batch", display="Latent From Batch")
def latent_from_batch(
    samples: Latent,
    batch_index: Annotated[int, Range(0, 63)] = 0,
    length: Annotated[int, Range(1, 64)] = 1,
) -> Latent:
    """Take `length` rows of a batch from `batch_index` on, each with its noise in the batch."""
    whole = samples["samples"]
    first = min(batch_index, whole.shape[0] - 1)
    rows = slice(first, first + length)
    part = samples | {"samples": whole[rows].clone(), "batch_index": row_numbers(samples)[rows]}
    mask = samples.get("noise_mask")
    if mask is not None and mask.shape[0] > 1:
        part["noise_mask"] = match_count(mask, whole.shape[0])[rows].clone()
    return part


@node("RepeatLatentBatch", category="latent/batch", display="Repeat Latent Batch")
def repeat_latent_batch(samples: Latent, amount: Annotated[int, Range(1, 64)] = 1) -> Latent:
    """Repeat a batch of latents `amount` times; each repetition has its own noise."""
    whole = samples["samples"]
    repeated = samples | {"samples": torch.cat([whole] * amount)}
    mask = samples.get("noise_mask")
    if mask is not None and mask.shape[0] > 1:
        repeated["noise_mask"] = torch.cat([match_count(mask, whole.shape[0])] * amount)
    numbers = samples.get("batch_index")
    if numbers is not None:
        span = max(numbers) - min(numbers) + 1
        repeated["batch_index"] = [
            number + turn * span for turn in range(amount) for number in numbers
        ]
    return repeated


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a batch: [1, C, ...], its mask [1, 1, H, W] or None, its number."""

    samples: torch.Tensor
    mask: torch.Tensor | None
    number: int


@node("RebatchLatents", category="latent/batch", display="Rebatch Latents", input_is_list=True)
def rebatch_latents(
    latents: Sequence[Latent],
    batch_size: Sequence[Annotated[int, Range(1, 4096)]] = (1,),
) -> list[Latent]:
    """Regroup a list of batches into batches of `batch_size`; a batch has rows of one size."""
    groups: list[list[_Row]] = []
    for row in _rows(latents):
        group = groups[-1] if groups else []
        full = len(group) >= batch_size[0]
        if not group or full or group[0].samples.shape != row.samples.shape:
            groups.append([row])
        else:
            group.append(row)
    return [_together(group) for group in groups]


def _rows(latents: Sequence[dict[str, Any]]) -> list[_Row]:
    rows: list[_Row] = []
    for latent in latents:
        samples = latent["samples"]
        mask = latent.get("noise_mask")
        masks: Sequence[torch.Tensor | None] = [None] * samples.shape[0]
        if mask is not None:
            if mask.ndim < 4:
                mask = as_masks(mask).unsqueeze(1)
            masks = match_count(mask, samples.shape[0]).split(1)
        numbers = row_numbers(latent, start=len(rows))
        rows += map(_Row, samples.split(1), masks, numbers)
    return rows


def _together(group: Sequence[_Row]) -> dict[str, Any]:
    samples = torch.cat([row.samples for row in group])
    latent: dict[str, Any] = {"samples": samples, "batch_index": [row.number for row in group]}
    given = [row.mask for row in group if row.mask is not None]
    if given:
        # A row without a mask is sampled everywhere; masks of one batch have one size.
        rows, columns = (side * CELL for side in samples.shape[-2:])
        alike = len({mask.shape for mask in given}) == 1
        size = given[0].shape[-2:] if alike else (rows, columns)
        everywhere = torch.ones(1, 1, *size)
        masks = [everywhere if row.mask is None else row.mask for row in group]
        latent["noise_mask"] = torch.cat(
            [scale_masks(mask[:, 0], size[1], size[0]).unsqueeze(1) for mask in masks]
        )
    return latent


@node("ReplaceVideoLatentFrames", category="latent/batch")
def replace_video_latent_frames(
    destination: Latent,
    index: Annotated[int, Range(-16384, 16384, step=1)] = 0,
    source: Latent | None = None,
) -> Latent:
    """Replace the frames of a video latent by those of another, from `index` on.

    A negative index counts from the end. Without a source, or if its frames do not fit, nothing
    changes; the log says so.
    """
    if source is None:
        return destination
    whole, part = destination["samples"], source["samples"]
    if whole.ndim != 5 or part.ndim != 5:
        raise NodeError(
            f"only latents with time, [B, C, T, h, w], have frames; these are "
            f"{list(whole.shape)} and {list(part.shape)}"
        )
    frames = whole.shape[2]
    first = index + frames if index < 0 else index
    if first < 0 or first + part.shape[2] > frames:
        logging.getLogger(__name__).warning(
            "ReplaceVideoLatentFrames: %d frames do not fit at index %d of a latent of %d frames; "
            "nothing was replaced",
            part.shape[2],
            index,
            frames,
        )
        return destination
    replaced = whole.clone()
    part = match_count(fit_size(part, whole, any_frames=True), whole.shape[0])
    replaced[:, :, first : first + part.shape[2]] = part.to(whole)
    return destination | {"samples": replaced}
