"""What diffusion transformers share: rotary positions, patches, norms, attention of heads."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.nets import rope
from engine.nets.transformer_layers import (
    TimeEmbedder,
    attend_heads,
    from_patches,
    gated,
    heads_of,
    modulated,
    patch_grid,
    patches,
)


def rotations_of_diffusers(positions: torch.Tensor) -> torch.Tensor:
    from diffusers.models.transformers.transformer_flux import FluxPosEmbed

    cosine, sine = FluxPosEmbed(theta=10_000, axes_dim=[8, 12, 12])(positions)
    return torch.stack((cosine[:, ::2], sine[:, ::2]), dim=-1)


def test_positions_turn_as_in_diffusers():
    positions = rope.grid(5, 7, index=2, top=3, left=-1)
    assert positions[9].tolist() == [2, 4, 1]
    table = rope.rotations(positions, (8, 12, 12))
    assert torch.allclose(table, rotations_of_diffusers(positions), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_both_ways_to_rotate_agree(dtype):
    tokens = torch.randn(2, 35, 3, 32).to(dtype)
    table = rope.rotations(rope.grid(5, 7), (8, 12, 12))
    found = rope.rotate(tokens, table)
    with torch.inference_mode(mode=False), torch.enable_grad():
        differentiable = rope.rotate(tokens.clone(), table.clone())
    assert found.dtype == dtype
    # Rounding of a sum of two products, of which one way rounds each.
    assert torch.allclose(found.float(), differentiable.float(), atol=1e-6, rtol=0.01)
    turned = rope.matrices(table)
    assert turned.shape == (1, 1, 35, 16, 2, 2)
    assert torch.equal(rope.from_matrices(turned)[0], table)
    pairs = tokens.double().unflatten(-1, (-1, 1, 2))
    by_matrices = (turned[0].transpose(0, 1).double() * pairs).sum(-1).flatten(-2)
    assert torch.allclose(found.double(), by_matrices, atol=1e-5, rtol=0.01)


def test_axes_must_agree():
    with pytest.raises(ValueError, match="3 axes of positions for 2"):
        rope.rotations(rope.grid(2, 2), (8, 8))


@pytest.mark.parametrize("channels_last", [False, True])
def test_patches_and_back(channels_last):
    x = torch.randn(2, 3, 5, 6)
    tokens = patches(x, channels_last=channels_last)
    assert tokens.shape == (2, 9, 12)
    assert patch_grid(5, 6) == (3, 3)
    assert torch.equal(from_patches(tokens, 5, 6, channels_last=channels_last), x)
    cell = tokens[0, 4].reshape((2, 2, 3) if channels_last else (3, 2, 2))
    cell = cell.movedim(-1, 0) if channels_last else cell
    assert torch.equal(cell, x[0, :, 2:4, 2:4])


def test_an_odd_side_continues_from_the_opposite_edge():
    x = torch.arange(6.0).reshape(1, 1, 3, 2)
    assert patches(x)[0, 1].tolist() == [4.0, 5.0, 0.0, 1.0]


def test_attention_of_heads_with_shared_keys_and_a_mask():
    query, key, value = torch.randn(2, 5, 4, 8), torch.randn(2, 5, 2, 8), torch.randn(2, 5, 2, 8)
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    found = attend_heads(query, key, value, None, mask)
    expected = functional.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2).repeat_interleave(2, 1),
        value.transpose(1, 2).repeat_interleave(2, 1),
        attn_mask=mask[:, None, None],
    )
    assert torch.allclose(found, expected.transpose(1, 2).flatten(2), atol=1e-6)
    short = attend_heads(query[1:, :3], key[1:, :3], value[1:, :3])
    assert torch.allclose(found[1:, :3], short, atol=1e-6)


def test_modulation_and_gate():
    tokens, shift, scale = torch.randn(2, 3, 8), torch.randn(2, 1, 8), torch.randn(2, 1, 8)
    mean, deviation = tokens.mean(-1, keepdim=True), tokens.var(-1, keepdim=True, correction=0)
    expected = (tokens - mean) / (deviation + 1e-6).sqrt() * (1 + scale) + shift
    assert torch.allclose(modulated(tokens, shift, scale), expected, atol=1e-5)
    assert torch.allclose(gated(tokens, shift, scale), tokens + shift * scale)
    query, _, value = heads_of(torch.arange(12.0).reshape(1, 1, 12), 2)
    assert query.tolist() == [[[[0, 1], [2, 3]]]]
    assert value.tolist() == [[[[8, 9], [10, 11]]]]


def test_the_time_is_embedded_in_the_dtype_of_the_weights():
    embedder = TimeEmbedder(8, 16).to(torch.bfloat16)
    assert embedder(torch.rand(2), torch.bfloat16).dtype == torch.bfloat16
