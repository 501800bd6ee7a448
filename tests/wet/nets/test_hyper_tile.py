"""Attention within tiles against attention with a mask of the tiles."""

from __future__ import annotations

import pytest
import torch

from engine.nets.attention import CrossAttention
from engine.nets.hooks import BlockHooks, NetHooks
from engine.nets.hyper_tile import TileSizes, with_hyper_tile


def attended(attention: CrossAttention, tokens: torch.Tensor, hooks: NetHooks, shape: list[int]):
    options = hooks.with_options({"original_shape": shape})
    block = BlockHooks(options, ("input", 1))
    return block.attention("attn1", 0, (tokens, tokens, tokens), attention)


def numbered(count: int) -> torch.Tensor:
    return torch.arange(count, dtype=torch.float32).reshape(1, count, 1)


def hooks_of(tile: int, *, choices: int = 1, depth: int = 0, scales: bool = False) -> NetHooks:
    sizes = TileSizes(tile, choices, depth, scales)
    return with_hyper_tile(NetHooks(), sizes, torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("shape", "tokens", "tile", "options", "rows", "columns"),
    [
        ((8, 8), 64, 4, {}, 2, 2),
        # Height and width change places, as in the incumbent: 8 x 4 tiles of a 16 x 8 map.
        ((8, 16), 128, 4, {}, 4, 2),
        ((8, 8), 16, 2, {"depth": 1}, 2, 2),
        ((16, 16), 64, 2, {"depth": 1, "scales": True}, 2, 2),
    ],
)
def test_each_query_attends_to_its_strip(shape, tokens, tile, options, rows, columns) -> None:
    torch.manual_seed(3)
    attention = CrossAttention(8, 8, 8, 2)
    x = torch.randn(2, tokens, 8)
    height = round((tokens * shape[1] / shape[0]) ** 0.5)
    width = tokens // height
    with torch.no_grad():
        found = attended(attention, x, hooks_of(tile, **options), [2, 4, *shape])
        query, key, value = attention.to_q(x), attention.to_k(x), attention.to_v(x)
        place = torch.arange(tokens)
        tile_of = (place // width) // (height // rows) * columns + place % width // (
            width // columns
        )
        strip_of = place // (tokens // (rows * columns))
        mask = tile_of[:, None] == strip_of[None]
        split = [each.unflatten(-1, (2, -1)).transpose(1, 2) for each in (query, key, value)]
        expected = torch.nn.functional.scaled_dot_product_attention(*split, attn_mask=mask)
        expected = attention.to_out(expected.transpose(1, 2).flatten(2))
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "tokens"), [((8, 8), 16), ((9, 8), 20), ((8, 8), 100)], ids=["deep", "odd", "other"]
)
def test_other_maps_are_left_alone(shape, tokens) -> None:
    torch.manual_seed(3)
    attention = CrossAttention(8, 8, 8, 2)
    x = torch.randn(2, tokens, 8)
    with torch.no_grad():
        hooks = hooks_of(2, depth=0 if shape == (8, 8) else 1)
        found = attended(attention, x, hooks, [2, 4, *shape])
        assert torch.allclose(found, attention(x), atol=1e-6)


def test_a_tile_as_large_as_the_map_changes_nothing_and_twice_tiles_once() -> None:
    torch.manual_seed(3)
    attention = CrossAttention(8, 8, 8, 2)
    x = torch.randn(1, 64, 8)
    with torch.no_grad():
        assert torch.allclose(
            attended(attention, x, hooks_of(8), [1, 4, 8, 8]), attention(x), atol=1e-6
        )
        once = hooks_of(4, depth=1)
        twice = with_hyper_tile(once, TileSizes(2, 1, 1, False), torch.Generator())
        found = attended(attention, x, twice, [1, 4, 8, 8])
        assert torch.equal(found, attended(attention, x, once, [1, 4, 8, 8]))


def test_sizes_are_drawn_but_the_last_never() -> None:
    drawn = set()
    hooks = hooks_of(2, choices=3)
    split = hooks.of("attn1_patch")[0]
    for _ in range(40):
        query, *_ = split(*[numbered(64)] * 3, {"original_shape": [1, 4, 8, 8]})
        drawn.add(len(query))
    # Of the sizes 2, 4 and 8 two are drawn for each side: 4 or 2 tiles.
    assert drawn == {16, 8, 4}
