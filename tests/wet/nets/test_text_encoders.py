"""CLIP against transformers' own forward and the reference's conditioning for 23 prompts."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import Stopped, WeightsError
from engine.nets.text_encoders import (
    ClipTextConfig,
    TextStyle,
    build_clip_text,
    clip_text_config,
    encode_prompt,
)
from engine.nets.tokens import ChunkFormat, clip_tokenizer, tokenize

TINY = ClipTextConfig(49408, 77, 64, 128, 3, 2, "quick_gelu")


@pytest.fixture
def encoder(fill):
    return fill(lambda: build_clip_text(TINY))


def ids(text):
    return torch.tensor(
        [[token for token, _ in chunk] for chunk in tokenize(clip_tokenizer(), text)]
    )


def test_equals_transformers(encoder):
    expected = encoder(ids("a photo of a cat"), output_hidden_states=True)
    states, extras = encode_prompt(encoder, "a photo of a cat")
    assert (states - expected.last_hidden_state).abs().max() < 1e-5
    assert (extras["pooled_output"] - expected.pooler_output).abs().max() < 1e-5
    skipped, extras = encode_prompt(encoder, "a photo of a cat", layer=-2)
    before_last = expected.hidden_states[-2]
    assert (skipped - encoder.final_layer_norm(before_last)).abs().max() < 1e-5
    assert (extras["pooled_output"] - expected.pooler_output).abs().max() < 1e-5
    plain = TextStyle(layer=-2, normalised=False)
    assert (
        encode_prompt(encoder, "a photo of a cat", style=plain)[0] - before_last
    ).abs().max() < 1e-5


def kept_rows(states):
    """The tokens of each chunk of 77 that the reference file holds."""
    rows = torch.tensor([0, 1, 2, 5, 11, 38, 76])
    return torch.cat([chunk[:, rows] for chunk in states.split(77, dim=1)], dim=1)


def test_tiny15_equals_the_reference(reference_folder, tiny15_checkpoint):
    prefix = "cond_stage_model.transformer.text_model."
    state = {
        key.removeprefix(prefix): tensor.float()
        for key, tensor in load_file(tiny15_checkpoint).items()
        if key.startswith(prefix) and not key.endswith("position_ids")
    }
    config = clip_text_config({k: tuple(t.shape) for k, t in state.items()})
    assert config == ClipTextConfig(49408, 77, 768, 3072, 12, 12, "quick_gelu")
    with torch.device("meta"):
        encoder = build_clip_text(config)
    encoder.load_state_dict(state, assign=True)
    cases = json.loads((reference_folder / "tokens.json").read_text(encoding="utf-8"))
    reference = load_file(reference_folder / "clip_tiny15.safetensors")
    worst = 0.0
    for name, case in cases.items():
        states, extras = encode_prompt(encoder, case["text"])
        assert states.shape == (1, 77 * len(case["tokens"]["l"]), 768), name
        worst = max(
            worst,
            (kept_rows(states) - reference[f"{name}.cond"]).abs().max().item(),
            (extras["pooled_output"] - reference[f"{name}.pooled"]).abs().max().item(),
        )
    assert worst < 1e-4, worst  # seen: 3e-6
    states, extras = encode_prompt(encoder, cases["weight"]["text"], layer=-2)
    assert (kept_rows(states) - reference["weight skip 2.cond"]).abs().max() < 1e-4
    assert (extras["pooled_output"] - reference["weight skip 2.pooled"]).abs().max() < 1e-4


def test_a_weight_of_nought_says_nothing(encoder):
    empty, _ = encode_prompt(encoder, "")
    states, _ = encode_prompt(encoder, "(cat:0)")
    assert (states[:, 1] - empty[:, 1]).abs().max() < 1e-6


def test_an_embedding_of_a_words_own_vector_changes_nothing(encoder):
    vector = encoder.embeddings.token_embedding.weight[2368]
    expected, expected_extras = encode_prompt(encoder, "a cat, dog")
    asked = {"style": vector[None].half()}
    states, extras = encode_prompt(encoder, "a embedding:style, dog", embeddings=asked.get)
    assert (states - expected).abs().max() < 2e-3  # the vector went through half precision
    assert (extras["pooled_output"] - expected_extras["pooled_output"]).abs().max() < 2e-3


def test_an_embedding_of_another_width_is_left_out_with_a_warning(encoder, caplog):
    expected, _ = encode_prompt(encoder, "a dog")
    asked = {"style": torch.zeros(2, 10)}
    states, _ = encode_prompt(encoder, "a embedding:style dog", embeddings=asked.get)
    assert torch.equal(states, expected)
    assert "10 numbers, this text encoder takes 64" in caplog.text


def test_another_padding_is_used_for_the_empty_prompt_too(encoder):
    style = TextStyle(chunks=ChunkFormat(pad=0))
    states, _ = encode_prompt(encoder, "(cat:0)", style=style)
    empty, _ = encode_prompt(encoder, "", style=style)
    assert (states[:, 1] - empty[:, 1]).abs().max() < 1e-6


def test_a_stop_takes_effect_at_the_next_layer(encoder):
    calls = []

    def checkpoint():
        calls.append(1)
        if len(calls) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        encode_prompt(encoder, "a cat", checkpoint=checkpoint)


def test_bfloat16_gives_float32(encoder):
    expected, _ = encode_prompt(encoder, "(a cat:1.2)")
    states, extras = encode_prompt(encoder.bfloat16(), "(a cat:1.2)")
    assert states.dtype == extras["pooled_output"].dtype == torch.float32
    assert (states - expected).norm() / expected.norm() < 0.05


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("embeddings.token_embedding.weight", None, "no such tensor"),
        ("encoder.layers.0.mlp.fc1.weight", (4,), "should be a matrix"),
        ("embeddings.token_embedding.weight", (10, 63), "63 channels do not split"),
    ],
)
def test_incomplete_encoders_are_refused(shapes_of, key, shape, message):
    with torch.device("meta"):
        shapes = shapes_of(build_clip_text(TINY))
    assert clip_text_config(shapes, head_channels=32) == TINY
    del shapes[key]
    if shape:
        shapes[key] = shape
    with pytest.raises(WeightsError, match=message):
        clip_text_config(shapes, head_channels=32)
