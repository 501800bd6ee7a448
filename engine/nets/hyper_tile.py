"""HyperTile: self-attention within tiles of the feature map.

After the program of T. Fernandes, "HyperTile" (2023, github.com/tfernd/HyperTile). The tiles' size
changes at random from call to call, so that their borders do not show.

Measured on the incumbent, and the same here, so that seeds give its pictures: queries are tiles of
the map as if its height were its width and the reverse; keys and values are as many strips of
consecutive tokens; the last of the sizes to choose from is never drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.nets.hooks import NetHooks

SMALLEST = 32
"""The smallest tile, in pixels."""
CELL = 8
"""Pixels to a cell of the latent."""


@dataclass(frozen=True, slots=True)
class TileSizes:
    """How large tiles may be.

    Attributes:
        tile: the least size of a tile's side in cells of the latent.
        choices: the number of sizes from which one is drawn.
        depth: levels of the network, beyond the first, that are tiled.
        scales: tiles grow by 2 from level to level, in cells of that level.
    """

    tile: int
    choices: int
    depth: int
    scales: bool

    @classmethod
    def of_pixels(cls, tile: int, choices: int, depth: int, *, scales: bool) -> TileSizes:
        """From a tile's size in pixels."""
        return cls(max(SMALLEST, tile) // CELL, choices, depth, scales)


def with_hyper_tile(hooks: NetHooks, sizes: TileSizes, generator: torch.Generator) -> NetHooks:
    """Hooks that also attend within tiles; random numbers are drawn from a CPU generator."""
    tiling = HyperTile(sizes, generator)
    hooks = hooks.with_patch("attn1_patch", tiling.split)
    return hooks.with_patch("attn1_output_patch", tiling.join)


class HyperTile:
    """The patches of self-attention: `attn1_patch` splits, `attn1_output_patch` joins."""

    def __init__(self, sizes: TileSizes, generator: torch.Generator) -> None:
        self._sizes = sizes
        self._generator = generator
        self._grid: tuple[int, int, int, int] | None = None

    def split(
        self, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens [B, h w, C] as tiles [B rows columns, h w / (rows columns), C]."""
        self._grid = None
        shape = options["original_shape"]
        found = self._level(query.shape[1], shape)
        if found is None or len(query) != shape[0]:
            return query, key, value
        level, height, width = found
        least = self._sizes.tile * (2**level if self._sizes.scales else 1)
        rows, columns = self._tiles(height, least), self._tiles(width, least)
        tiles = rows * columns
        if tiles == 1 or key.shape[1] % tiles or value.shape[1] % tiles:
            return query, key, value
        self._grid = (rows, columns, height // rows, width // columns)
        height, width = self._grid[2:]
        grid = query.unflatten(1, (rows, height, columns, width)).transpose(2, 3)
        return grid.flatten(0, 2).flatten(1, 2), _strips(key, tiles), _strips(value, tiles)

    def join(self, tokens: Tensor, options: Mapping[str, Any]) -> Tensor:
        """The inverse of `split` for queries."""
        del options
        if self._grid is None:
            return tokens
        rows, columns, height, width = self._grid
        self._grid = None
        grid = tokens.unflatten(0, (-1, rows, columns)).unflatten(3, (height, width))
        return grid.transpose(2, 3).flatten(1, 4)

    def _level(self, tokens: int, shape: list[int]) -> tuple[int, int, int] | None:
        """(level, side, side) of the feature map with so many tokens, if it is tiled."""
        sides = shape[-1], shape[-2]
        for level in range(self._sizes.depth + 1):
            if math.prod(sides) == tokens:
                return level, *sides
            if any(side % 2 for side in sides):
                return None
            sides = sides[0] // 2, sides[1] // 2
        return None

    def _tiles(self, side: int, least: int) -> int:
        """The number of tiles along a side; draws a random number if there is a choice."""
        least = min(least, side)
        sizes = [size for size in range(least, side + 1) if side % size == 0]
        counts = [side // size for size in sizes[: self._sizes.choices]]
        if len(counts) == 1:
            return counts[0]
        return counts[int(torch.randint(len(counts) - 1, (1,), generator=self._generator))]


def _strips(tokens: Tensor, count: int) -> Tensor:
    """Tokens [B, N, C] as [B count, N / count, C], in their order."""
    return tokens.unflatten(1, (count, -1)).flatten(0, 1)
