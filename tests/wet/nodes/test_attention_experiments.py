"""The factors that the nodes give to the attentions of a network, by the names of its tensors."""

import pytest

from nodes import attention_experiments


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("input_blocks.1.1.transformer_blocks.0.attn1.to_out.0.weight", 2.0),
        ("input_blocks.1.1.time_stack.0.attn1.to_out.0.bias", 3.0),
        ("input_blocks.1.1.transformer_blocks.0.attn2.to_out.0.bias", 5.0),
        ("input_blocks.1.1.time_stack.0.attn2.to_out.0.weight", 7.0),
        ("input_blocks.1.1.time_stack.0.attn1.to_q.weight", 1.0),
        ("out.2.weight", 1.0),
    ],
)
def test_attentions_within_and_between_frames_have_factors_of_their_own(
    name, expected, monkeypatch
):
    monkeypatch.setattr(attention_experiments, "scaled_model", lambda model, factor: factor)
    factor = attention_experiments.multiply_temporal_attention(
        None, self_structural=2.0, self_temporal=3.0, cross_structural=5.0, cross_temporal=7.0
    )
    assert factor(name) == expected
