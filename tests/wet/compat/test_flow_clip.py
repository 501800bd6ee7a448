"""The text encoders of FLUX as plugins use them."""

import pytest
import torch

from engine.compat.boundary import plugin_boundary
from engine.compat.install import host_module, install_facade
from engine.families.flux.text import PLAN, SHORTEST
from engine.inference.encode import encode
from engine.inference.values import Clip, TextPart
from engine.residency.handles import LazyWeights
from engine.text.table import recognise
from engine.weights.state_dict import StateDict

install_facade()
TEXT = "a (red:1.3) boat on a lake"


@pytest.fixture
def clip(tiny_clip, fill):
    from transformers import T5Config as TheirConfig
    from transformers import T5EncoderModel

    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 2, "num_heads": 4}
    oracle = T5EncoderModel(TheirConfig(vocab_size=32128, feed_forward_proj="gated-gelu", **sizes))
    weights = StateDict.of(dict(oracle.state_dict()))
    encoder, config = recognise(weights)
    tensors = {name: weights[name] for name in encoder.tensors(weights)}
    net = fill(lambda: encoder.build(config))
    assert set(net.state_dict()) == set(tensors)
    part = TextPart(encoder, config, LazyWeights("t5", 1, lambda: net))
    return Clip(PLAN, {"clip_l": tiny_clip.parts["clip_l"], "t5xxl": part})


def test_states_are_those_of_the_built_in_node(clip):
    shown = plugin_boundary().to_object(clip)
    tokens = shown.tokenize(TEXT)
    assert set(tokens) == {"l", "t5xxl"}
    ((states, extras),) = encode(clip, TEXT, lambda *_: None)
    assert states.shape == (1, SHORTEST, 16)
    found, pooled = shown.encode_from_tokens(tokens, return_pooled=True)
    assert torch.equal(found, states)
    assert torch.equal(pooled, extras["pooled_output"])
    ((again, options),) = shown.encode_from_tokens_scheduled(tokens, add_dict={"guidance": 3.5})
    assert torch.equal(again, states)
    assert options["guidance"] == 3.5


def test_encoders_are_found_under_the_names_that_plugins_use(clip):
    shown = plugin_boundary().to_object(clip)
    model = shown.cond_stage_model
    assert isinstance(model, host_module("comfy.text_encoders.flux").FluxClipModel)
    assert model.t5xxl.num_layers == 2
    chunks = shown.tokenize(TEXT, return_word_ids=True)["t5xxl"]
    states, pooled, *_ = model.t5xxl.encode_token_weights(
        [[(token, weight) for token, weight, _ in chunk] for chunk in chunks]
    )
    assert torch.equal(states, shown.encode_from_tokens(shown.tokenize(TEXT)))
    assert pooled is None
    assert any(name.startswith("t5xxl.") for name in shown.get_sd())


def test_a_plugin_that_encodes_each_encoder_by_itself(clip):
    shown = plugin_boundary().to_object(clip)
    tokens = shown.tokenize("a boat")
    tokens["t5xxl"] = shown.tokenize("a ship")["t5xxl"]
    found, pooled = shown.encode_from_tokens(tokens, return_pooled=True)
    assert torch.equal(found, shown.encode_from_tokens(shown.tokenize("a ship")))
    wanted = shown.encode_from_tokens(shown.tokenize("a boat"), return_pooled=True)[1]
    assert torch.equal(pooled, wanted)
