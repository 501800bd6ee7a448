"""Which tensors the factors of attention apply to."""

from __future__ import annotations

import pytest
import torch

from engine.inference.attention_scaling import Scaled, by_module


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight", 2.0),
        ("input_blocks.1.1.transformer_blocks.0.attn1.to_out.0.bias", 3.0),
        ("input_blocks.1.1.transformer_blocks.0.attn2.to_q.weight", 1.0),
        ("input_blocks.1.1.transformer_blocks.0.attn1.to_k.weight", 1.0),
        ("out.2.weight", 1.0),
    ],
)
def test_factors_by_name(name: str, expected: float) -> None:
    assert by_module("attn1", {"to_q": 2.0, "to_out.0": 3.0})(name) == expected


def test_a_patch_multiplies() -> None:
    assert Scaled(2.0).apply(torch.ones(2)).tolist() == [2.0, 2.0]
    assert Scaled(2.0) == Scaled(2.0)
