"""Llama 3.1 fills prompts with a token that they may have within."""

from __future__ import annotations

import torch

from .test_language_models import NUMBERS, built, difference, encode, in_file, oracle


def test_llama_31_fills_with_the_end_of_a_turn():
    model = oracle("Llama 3.1")
    encoder, _, module = built(in_file(model))
    assert encoder.pads_with_a_word
    numbers = [*NUMBERS[:4], encoder.pad, *NUMBERS[4:9]]
    filled = [*numbers, *[encoder.pad] * 6]
    found = encode(encoder, module, filled)
    assert found.mask is not None
    assert found.mask.tolist() == [[1] * 10 + [0] * 6]
    with torch.no_grad():
        expected = model(torch.tensor([filled]), attention_mask=found.mask).last_hidden_state
    assert difference(found.states, expected) < 5e-6
    assert difference(found.states[:, 10:], expected[:, 10:]) < 5e-6
