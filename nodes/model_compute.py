"""Nodes that choose how a model's network is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import torch

from engine.inference.computing import computed_in
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice
from nodes.sockets import Model

DTYPES: Mapping[str, torch.dtype | None] = {
    "default": None,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


@node("ModelComputeDtype", category="advanced/debug/model")
def model_compute_dtype(*, model: Model, dtype: Annotated[str, Choice(*DTYPES)]) -> Model:
    """Choose the precision that a model's network is computed in; `default` is its own.

    The weights are stored as they are and converted when they are loaded. fp32 takes twice the
    memory of the others; in fp16 numbers beyond 65,504 overflow, which shows as black pictures.
    """
    wanted = DTYPES[dtype]
    return model if wanted is None else replace(model, net=computed_in(model, wanted))
