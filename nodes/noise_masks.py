"""Nodes that change how a noise mask is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine.inference.changing_mask import by_change
from engine.nodekit.contract import node
from engine.nodekit.markers import InOptionalSection, Range
from nodes.sockets import Model


@node(
    "DifferentialDiffusion",
    category="_for_testing",
    display="Differential Diffusion",
    experimental=True,
)
def differential_diffusion(
    model: Model, strength: Annotated[float, Range(0.0, 1.0, step=0.01), InOptionalSection()] = 1.0
) -> Model:
    """Let the noise mask say how much each place may change: grey places join later.

    `strength` mixes the plain reading of the mask in, the more the lower it is.
    """
    return replace(model, per_run=(*model.per_run, by_change(strength)))
