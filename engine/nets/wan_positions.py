"""Other positions of the tokens of Wan's networks, which are diffusers' class.

The class turns queries and keys by a table of cosines and sines [1, N, 1, head], each number twice
in a row, for frames, rows and columns in this order of channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engine.nets.rope import AxisScale

PERIOD = 10_000.0


@contextmanager
def positions_scaled(
    net: nn.Module, time: AxisScale, rows: AxisScale, columns: AxisScale
) -> Iterator[None]:
    """Have a network place its tokens elsewhere inside the `with`; the outermost one counts."""
    rope: Any = net.rope
    if "forward" in rope.__dict__:
        yield
        return
    widths = rope.t_dim, rope.h_dim, rope.w_dim

    def forward(hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        grid = [
            side // patch
            for side, patch in zip(hidden_states.shape[2:], rope.patch_size, strict=True)
        ]
        found: list[Tensor] = []
        for axis, (scale, count, width) in enumerate(
            zip((time, rows, columns), grid, widths, strict=True)
        ):
            angles = _angles(scale.of(count, hidden_states.device), width)
            shape = [1, 1, 1, width]
            shape[axis] = count
            found.append(angles.reshape(shape).expand(*grid, width))
        all_angles = torch.cat(found, dim=-1).reshape(1, -1, 1, sum(widths))
        return all_angles.cos().float(), all_angles.sin().float()

    rope.forward = forward
    try:
        yield
    finally:
        del rope.forward


def _angles(positions: Tensor, width: int) -> Tensor:
    """The angles [N, width] of positions [N], each twice in a row."""
    steps = torch.arange(0, width, 2, dtype=positions.dtype, device=positions.device) / width
    return (positions[:, None] * PERIOD**-steps).repeat_interleave(2, dim=1)
