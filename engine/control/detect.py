"""Detects the kind of a control network from a file's keys; names unsupported kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.control.control_lora import ControlLora
from engine.control.diffusers import DiffusersControlNet
from engine.control.flux import FluxControlNet, XlabsControlNet
from engine.control.kind import ControlKind
from engine.control.original import OriginalControlNet
from engine.control.qwen_image import QwenImageControlNet
from engine.control.sd3 import SD3ControlNet, SD35ControlNet
from engine.control.t2i_adapter import T2IAdapterKind
from engine.control.union import UnionControlNet
from engine.errors import WeightsError
from engine.weights.state_dict import StateDict

KINDS: tuple[ControlKind, ...] = (
    ControlLora(),
    UnionControlNet(),
    DiffusersControlNet(),
    OriginalControlNet(),
    T2IAdapterKind(),
    FluxControlNet(),
    XlabsControlNet(),
    QwenImageControlNet(),
    SD3ControlNet(),
    SD35ControlNet(),
)
NOT_YET: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "a ControlNet of another kind for a transformer model",
        (
            "controlnet_x_embedder.weight",
            "controlnet_blocks.0.weight",
            "controlnet_blocks.0.linear.weight",
            "pos_embed_input.proj.weight",
        ),
        "docs/models.md lists those that can be used",
    ),
    (
        "a blockwise control network of Qwen-Image",
        ("controlnet_blocks.0.y_rms.weight",),
        "it is a model patch; load it with ModelPatchLoader, from model_patches/",
    ),
    (
        "a control network of Z-Image",
        ("control_all_x_embedder.2-1.weight",),
        "it is a model patch; load it with ModelPatchLoader, from model_patches/",
    ),
    (
        "a style adapter",
        ("style_embedding", "redux_down.weight"),
        "it changes the text; load it with Load Style Model",
    ),
)
"""The names of unsupported kinds, by tensors that only they have, and what to do."""


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
    for name, marks, advice in NOT_YET:
        if any(mark in weights for mark in marks):
            raise WeightsError(
                f"{weights.origin}: this is {name}, which is no control network that Calotype can "
                f"use; {advice}."
            )
    return None
