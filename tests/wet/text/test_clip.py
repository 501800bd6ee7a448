"""CLIP against transformers' own forward and the reference's conditioning for 23 prompts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import Stopped, WeightsError
from engine.text.clip import CLIP_L
from engine.text.clip_network import ClipText, ClipTextConfig, clip_text_config
from engine.text.encoder import TextStyle
from engine.text.tokens import ChunkFormat, clip_tokenizer, tokenize


def encode_prompt(module, text, *, style=None, layer=None, embeddings=None, encoder=CLIP_L, **more):
    """Both steps; states and pooled."""
    tokens = encoder.tokenize(module.config, text, embeddings)
    checkpoint = more.get("checkpoint", lambda: None)
    with torch.no_grad():
        found = encoder.encode(
            module, tokens, style=style or TextStyle(), layer=layer, checkpoint=checkpoint
        )
    return found.states, {"pooled_output": found.pooled}


TINY = ClipTextConfig(49408, 77, 64, 128, 3, 2, "quick_gelu")


@pytest.fixture
def encoder(fill):
    return fill(lambda: ClipText(TINY))


def ids(text):
    return torch.tensor(
        [[token for token, _ in chunk] for chunk in tokenize(clip_tokenizer(), text)]
    )


def theirs(module):
    from transformers import CLIPTextConfig, CLIPTextModel

    config = module.config
    oracle = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.channels,
            intermediate_size=config.feed_forward,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=config.positions,
            hidden_act=config.activation,
            bos_token_id=49406,
            eos_token_id=49407,
        )
    ).eval()
    missing, unexpected = oracle.load_state_dict(module.state_dict(), strict=False)
    assert [name for name in missing if "position_ids" not in name] == unexpected == []
    return oracle


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_equals_transformers(fill, activation):
    encoder = fill(lambda: ClipText(replace(TINY, activation=activation)))
    with torch.no_grad():
        expected = theirs(encoder)(ids("a photo of a cat"), output_hidden_states=True)
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
    """The states of the tokens of each chunk that the reference file contains."""
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
        encoder = ClipText(config)
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
    other = replace(CLIP_L, chunks=ChunkFormat(pad=0))
    states, _ = encode_prompt(encoder, "(cat:0)", encoder=other)
    empty, _ = encode_prompt(encoder, "", encoder=other)
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
        shapes = shapes_of(ClipText(TINY))
    assert clip_text_config(shapes, head_channels=32) == TINY
    del shapes[key]
    if shape:
        shapes[key] = shape
    with pytest.raises(WeightsError, match=message):
        clip_text_config(shapes, head_channels=32)
