"""The training samples: latents of single pictures with their conditionings.

Pictures are batched if their sizes are the same and their texts can share a call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.diffusion.conditioning import Input, Role, joinable, joined
from engine.errors import NodeError
from engine.families.family import Entry, Run
from engine.inference.sample import fitted, into_latent
from engine.inference.values import Conditioning, Model

Latent = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture.

    Attributes:
        clean: its latent [1, C, ...] in the denoiser's space.
        inputs: the denoiser's other inputs.
    """

    clean: Tensor
    inputs: Mapping[str, Input]


Group = list[Sample]
"""Samples that can share a call."""


def make_groups(
    model: Model, latents: Sequence[Latent], conditionings: Sequence[Conditioning]
) -> list[Group]:
    """The samples of latents [B, C, ...] and their conditionings, in groups that share a call.

    A conditioning with one entry applies to all pictures of its latent; one with as many entries as
    the latent has pictures applies to them in order. A single conditioning applies to all latents;
    as many conditionings as there are pictures in total apply to them in order.

    Raises:
        NodeError: no picture, or the numbers do not match.
    """
    rows = [fitted(each, model)["samples"] for each in latents]
    pictures = sum(len(each) for each in rows)
    if not pictures:
        raise NodeError("there is nothing to train on: connect at least one latent")
    groups: list[Group] = []
    for row, entry in zip(
        (row for each in rows for row in each.split(1)), _entries(rows, conditionings), strict=True
    ):
        clean = into_latent(own(row), model)
        embedding, extras = own(entry[0]), {key: own(value) for key, value in entry[1].items()}
        inputs = model.family.inputs(
            model.config,
            Entry(embedding, extras),
            run=Run(clean.shape, clean=clean),
            role=Role.POSITIVE,
        )
        sample = Sample(clean, inputs)
        group = next((each for each in groups if _together(each[0], sample)), None)
        if group is None:
            groups.append([sample])
        else:
            group.append(sample)
    return groups


def own(value: Any) -> Any:
    """A tensor that autograd can use, even if it was created in inference mode."""
    return value.clone() if isinstance(value, Tensor) else value


def _entries(rows: Sequence[Tensor], conditionings: Sequence[Conditioning]) -> list[Sequence[Any]]:
    """An entry for each picture."""
    pictures = sum(len(each) for each in rows)
    if len(conditionings) == 1 < len(rows) and len(conditionings[0]) == 1:
        return [conditionings[0][0]] * pictures
    if len(conditionings) == pictures and all(len(each) == 1 for each in conditionings):
        return [each[0] for each in conditionings]
    if len(conditionings) != len(rows):
        raise NodeError(
            f"there are {pictures} pictures in {len(rows)} latents and {len(conditionings)} "
            "conditionings; give one for all, or one for each"
        )
    found: list[Sequence[Any]] = []
    for row, conditioning in zip(rows, conditionings, strict=True):
        entries = list(conditioning)
        if len(entries) == 1:
            entries *= len(row)
        if len(entries) != len(row):
            raise NodeError(
                f"a latent of {len(row)} pictures has a conditioning of {len(entries)} entries; "
                "combined conditionings cannot be trained: give each picture one text"
            )
        found += entries
    return found


def _together(one: Sample, other: Sample) -> bool:
    return (
        one.clean.shape == other.clean.shape
        and one.inputs.keys() == other.inputs.keys()
        and all(joinable(one.inputs[name], other.inputs[name]) for name in one.inputs)
    )


def batch_inputs(
    samples: Sequence[Sample], device: torch.device, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The network's inputs beside the latents of these samples."""
    found: dict[str, Tensor] = {}
    for name in samples[0].inputs:
        inputs = [sample.inputs[name].to(device, dtype) for sample in samples]
        found |= joined(name, inputs, 1)
    return found


def digest(groups: Sequence[Group]) -> str:
    """A digest that identifies a training set."""
    found = hashlib.blake2b(digest_size=16)
    for sample in (each for group in groups for each in group):
        for tensor in (sample.clean, *(each.value for each in sample.inputs.values())):
            found.update(str(tuple(tensor.shape)).encode())
            found.update(tensor.float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
