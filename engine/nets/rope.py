"""Rotary positions of tokens along several axes, such as image, row and column.

Su et al. 2021, "RoFormer", with neighbouring channels as pairs; the head's channels are divided
among the axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from engine.nets.layers import is_recorded


def grid(
    rows: int,
    columns: int,
    *,
    index: float = 0.0,
    top: float = 0.0,
    left: float = 0.0,
    device: torch.device | None = None,
) -> Tensor:
    """The positions (index, row, column) [rows * columns, 3] of a picture's patches, row by row.

    The first patch is at (index, top, left).
    """
    down = torch.arange(rows, dtype=torch.float32, device=device) + top
    along = torch.arange(columns, dtype=torch.float32, device=device) + left
    places = torch.cartesian_prod(down, along).reshape(-1, 2)
    return torch.cat((torch.full_like(places[:, :1], index), places), dim=1)


class AxisScale(NamedTuple):
    """Positions along one axis: place * factor + shift."""

    factor: float = 1.0
    shift: float = 0.0

    def of(self, count: int, device: torch.device) -> Tensor:
        """The positions [count] of that many places, in float64."""
        wide = torch.float32 if device.type == "mps" else torch.float64
        return torch.arange(count, dtype=wide, device=device) * self.factor + self.shift


def rotations(positions: Tensor, channels: Sequence[int], period: float = 10_000.0) -> Tensor:
    """The cosines and sines [..., N, C / 2, 2] in float32 of positions [..., N, axes].

    Args:
        positions: of tokens.
        channels: of a head that turn with each axis, even numbers; C is their sum.
        period: theta, the base of the falling frequencies.

    Raises:
        ValueError: there are more or fewer axes than positions have.
    """
    if positions.shape[-1] != len(channels):
        raise ValueError(f"{positions.shape[-1]} axes of positions for {len(channels)} of channels")
    # A float32 angle of a far position is off by more than the network's own rounding.
    wide = torch.float32 if positions.device.type == "mps" else torch.float64
    angles: list[Tensor] = []
    for axis, count in enumerate(channels):
        steps = torch.arange(0, count, 2, dtype=wide, device=positions.device) / count
        angles.append(positions[..., axis, None].to(wide) * period**-steps)
    angle = torch.cat(angles, dim=-1)
    return torch.stack((angle.cos(), angle.sin()), dim=-1).float()


def rotate(tokens: Tensor, table: Tensor) -> Tensor:
    """Turn the pairs of channels of every head: computed in float32, returned in its own dtype.

    Args:
        tokens: [B, N, heads, C].
        table: of `rotations`, [N, C / 2, 2] or [B, N, C / 2, 2].
    """
    pairs = tokens.float().unflatten(-1, (-1, 2))
    table = table.unsqueeze(-3)  # the same for all heads
    if is_recorded():
        cosine, sine = table.unbind(-1)
        first, second = pairs.unbind(-1)
        turned = torch.stack((first * cosine - second * sine, first * sine + second * cosine), -1)
    else:
        # One pass over memory: on a CPU 8 times as fast as the line above; in place if that is a
        # copy already.
        turned, turns = torch.view_as_complex(pairs), torch.view_as_complex(table)
        is_copy = tokens.dtype != torch.float32
        turned = torch.view_as_real(turned.mul_(turns) if is_copy else turned * turns)
    return turned.flatten(-2).to(tokens.dtype)


def matrices(table: Tensor) -> Tensor:
    """A table [N, C / 2, 2] as matrices [1, 1, N, C / 2, 2, 2], the form that plugins get."""
    cosine, sine = table.unbind(-1)
    turned = torch.stack((cosine, -sine, sine, cosine), dim=-1).unflatten(-1, (2, 2))
    return turned[None, None]


def from_matrices(turned: Tensor) -> Tensor:
    """Matrices [B, 1, N, C / 2, 2, 2] as a table [B, N, C / 2, 2]."""
    return turned[:, 0, ..., 0].contiguous()
