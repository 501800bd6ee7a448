"""A text of their own for the control networks of a conditioning entry."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

TOKENS = "cross_attn_controlnet"
"""The key of its tokens [1, T, D] in an entry."""
POOLED = "pooled_output_controlnet"
"""The key of its pooled text [1, D], or None."""
PREFIX = "of control: "
"""Before the names of the network's inputs that this text makes."""


def inputs_of_control(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The inputs as control networks take them: with their own text, where there is one."""
    own = {name.removeprefix(PREFIX): inputs[name] for name in inputs if name.startswith(PREFIX)}
    return {**inputs_of_denoiser(inputs), **own} if own else inputs


def inputs_of_denoiser(inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The inputs without those of a text for control networks."""
    if not any(name.startswith(PREFIX) for name in inputs):
        return inputs
    return {name: each for name, each in inputs.items() if not name.startswith(PREFIX)}
