"""FLUX.1 Redux (Black Forest Labs 2024): an encoded picture to tokens beside those of T5.

Two projections of SigLIP's tokens, each of which becomes a token of the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.layers import Linear
from engine.weights.state_dict import StateDict

MARK = "redux_down.weight"
UP = "redux_up.weight"


@dataclass(frozen=True, slots=True)
class ReduxConfig:
    """The widths of the encoded picture, between the projections, and of the text."""

    channels: int
    inner: int
    text: int


class Redux(nn.Module):
    """See the module."""

    def __init__(self, config: ReduxConfig) -> None:
        super().__init__()
        self.redux_up = Linear(config.channels, config.inner)
        self.redux_down = Linear(config.inner, config.text)

    def forward(self, states: Tensor) -> Tensor:
        """The last states of an image encoder [B, T, D] -> [B, T, text width]."""
        return self.redux_down(functional.silu(self.redux_up(states)))


def redux_config(weights: StateDict) -> ReduxConfig | None:
    """The configuration from tensor shapes; None without one.

    Raises:
        WeightsError: a tensor is missing or misshapen.
    """
    if MARK not in weights:
        return None
    up, down = weights.shape(UP) or (), weights.shape(MARK) or ()
    if len(up) != 2 or len(down) != 2 or up[0] != down[1]:
        raise WeightsError(
            f"{weights.origin}: not a complete Redux model: {UP} {list(up)}, {MARK} {list(down)}; "
            "expected two matrices, the first with as many rows as the second has columns"
        )
    return ReduxConfig(up[1], up[0], down[0])
