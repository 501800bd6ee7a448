"""Detects the kind of a control network from a file's keys; names unsupported kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.control.control_lora import ControlLora
from engine.control.diffusers import DiffusersControlNet
from engine.control.kind import ControlKind
from engine.control.original import OriginalControlNet
from engine.errors import WeightsError
from engine.weights.state_dict import StateDict

KINDS: tuple[ControlKind, ...] = (ControlLora(), DiffusersControlNet(), OriginalControlNet())
NOT_YET: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a union ControlNet", ("task_embedding", "control_add_embedding.linear_1.weight")),
    (
        "a ControlNet for a transformer model",
        (
            "controlnet_x_embedder.weight",
            "controlnet_blocks.0.weight",
            "controlnet_mode_embedder.weight",
            "pos_embed_input.proj.weight",
        ),
    ),
    (
        "a T2I-Adapter",
        (
            "body.0.in_conv.weight",
            "adapter.body.0.in_conv.weight",
            "body.0.block1.weight",
            "adapter.body.0.resnets.0.block1.weight",
        ),
    ),
    ("a style adapter", ("style_embedding",)),
)
"""The names of unsupported kinds, by tensors that only they have."""


@dataclass(frozen=True, slots=True)
class FoundControl:
    """A control network in a file: its kind, its configuration, its tensors under its names."""

    kind: ControlKind
    config: Any
    tensors: StateDict


def find_control(weights: StateDict) -> FoundControl | None:
    """The control network of a file, or None.

    Raises:
        WeightsError: it is incomplete, or of a kind that is not supported yet.
    """
    for kind in KINDS:
        try:
            config = kind.detect(weights)
        except WeightsError as error:
            raise WeightsError(
                f"{weights.origin}: looks like a {kind.name}, but {error}"
            ) from error
        if config is not None:
            return FoundControl(kind, config, kind.tensors(config, weights))
    for name, marks in NOT_YET:
        if any(mark in weights for mark in marks):
            raise WeightsError(
                f"{weights.origin}: this is {name}; Calotype cannot use it yet. Get the ControlNet "
                "in its original layout (with zero_convs), where there is one."
            )
    return None
