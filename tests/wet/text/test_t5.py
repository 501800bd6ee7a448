"""T5's encoders against transformers, on random weights; tokens against published ids."""

from dataclasses import replace

import pytest
import torch

from engine.errors import WeightsError
from engine.text.encoder import PLAIN, TextStyle
from engine.text.sentence_pieces import read_pieces
from engine.text.t5 import END, PAD, T5XXL
from engine.text.table import recognise
from engine.text.tokenizer_files import t5
from engine.weights.state_dict import StateDict


def oracle(kind="T5", **changes):
    import transformers

    torch.manual_seed(3)
    sizes = {
        "vocab_size": 32128,
        "d_model": 16,
        "d_kv": 4,
        "d_ff": 24,
        "num_layers": 3,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
    }
    config = getattr(transformers, f"{kind}Config")(**{**sizes, **changes})
    model = getattr(transformers, f"{kind}EncoderModel")(config).eval()
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(torch.randn_like(tensor) * 0.3)
    return model


def ours(model, **renamed):
    weights = StateDict.of(dict(model.state_dict()))
    found = recognise(weights)
    assert found is not None
    encoder, config = found
    module = encoder.build(config)
    tensors = {name: weights[name] for name in encoder.tensors(weights)}
    module.load_state_dict(tensors, strict=True)
    return encoder, config, module


def states(encoder, module, tokens, style=PLAIN, layer=None):
    with torch.no_grad():
        return encoder.encode(module, tokens, style=style, layer=layer, checkpoint=lambda: None)


def numbers(tokens):
    return torch.tensor([[token for token, _ in chunk] for chunk in tokens])


def difference(a, b):
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize(
    ("kind", "name", "changes"),
    [
        ("T5", "t5xxl", {}),
        ("T5", "t5xxl", {"feed_forward_proj": "relu"}),
        ("UMT5", "pile_t5xl", {}),
    ],
)
def test_it_equals_transformers(kind, name, changes):
    model = oracle(kind, **changes)
    encoder, config, module = ours(model)
    assert encoder.name == name
    tokens = T5XXL.tokenize(replace(config, tokenizer=_Shipped()), "a photo of " * 90, None)
    given = numbers(tokens)
    assert given.shape[1] > 200  # distances of all kinds
    expected = model(input_ids=given).last_hidden_state
    assert difference(states(encoder, module, tokens).states, expected) < 2e-6


class _Shipped:
    def get(self):
        return t5()


def test_padding_can_be_masked():
    model = oracle()
    encoder, config, module = ours(model)
    style = TextStyle(shortest=16, masked=True)
    tokens = encoder.tokenize(config, "a photo", None, style=style)
    found = states(encoder, module, tokens, style)
    assert found.mask is not None
    assert found.mask.shape == (1, 16)
    assert found.mask.sum() == 4
    given = numbers(tokens)
    expected = model(input_ids=given, attention_mask=found.mask).last_hidden_state
    assert difference(found.states, expected) < 2e-6
    plain = states(encoder, module, tokens, replace(style, masked=False))
    assert plain.mask is None
    assert difference(plain.states, model(input_ids=given).last_hidden_state) < 2e-6


def test_pile_t5_ends_prompts_as_llamas_tokenizer_does():
    model = oracle("UMT5")
    encoder, config, module = ours(model)
    style = TextStyle(shortest=16, masked=True)
    config = replace(config, tokenizer=_Shipped())
    tokens = encoder.tokenize(config, "a photo", None, style=style)
    assert numbers(tokens)[0, 3:].tolist() == [2, *[1] * 12]
    assert encoder.empty(config, style)[:2] == [(2, 1.0), (1, 1.0)]
    found = states(encoder, module, tokens, style)
    assert found.mask is not None
    assert found.mask.sum() == 4
    expected = model(input_ids=numbers(tokens), attention_mask=found.mask).last_hidden_state
    assert difference(found.states, expected) < 2e-6


def test_a_weight_moves_a_token_away_from_the_empty_prompt():
    encoder, config, module = ours(oracle())
    weighted = encoder.tokenize(config, "a (cat:1.5)", None)
    plain = [[(token, 1.0) for token, _ in chunk] for chunk in weighted]
    empty = [[(END, 1.0), *[(PAD, 1.0)] * (len(plain[0]) - 1)]]
    expected, nothing = (states(encoder, module, each).states for each in (plain, empty))
    factors = torch.tensor([weight for _, weight in weighted[0]])[:, None]
    found = states(encoder, module, weighted).states
    assert difference(found, nothing + (expected - nothing) * factors) < 1e-6
    assert not torch.equal(found, expected)
    padding = states(encoder, module, [[(PAD, 1.0)] * len(plain[0])]).states
    found = states(encoder, module, weighted, TextStyle(from_padding=True)).states
    assert difference(found, padding + (expected - padding) * factors) < 1e-6


def test_an_earlier_layer_without_the_last_norm():
    model = oracle()
    encoder, config, module = ours(model)
    tokens = encoder.tokenize(config, "a photo of a cat", None)
    expected = model(input_ids=numbers(tokens), output_hidden_states=True).hidden_states[2]
    found = states(encoder, module, tokens, TextStyle(normalised=False), layer=-2)
    assert difference(found.states, expected) < 2e-6


def test_half_precision_does_not_overflow():
    encoder, config, module = ours(oracle())
    with torch.no_grad():
        for block in module.encoder.block:
            block.layer[1].DenseReluDense.wi_1.weight.mul_(8)
            block.layer[1].DenseReluDense.wo.weight.mul_(30_000)
    tokens = encoder.tokenize(config, "a photo of a cat", None)
    wide = states(encoder, module, tokens).states
    largest = max(
        module.states(module.vectors(numbers(tokens)), i, lambda: None, normalised=False)
        .abs()
        .max()
        for i in range(config.layers)
    )
    assert largest > torch.finfo(torch.float16).max
    half = states(encoder, module.half(), tokens).states
    assert half.isfinite().all()
    assert difference(half, wide) < 0.02


def test_the_published_ids():
    assert t5().numbers("a photo of a cat") == [3, 9, 1202, 13, 3, 9, 1712]
    assert t5().numbers("") == []
    # spaces are one, newlines are spaces, an end token in the text is one
    assert t5().numbers("a  photo\nof") == t5().numbers("a photo of ")
    assert t5().numbers("cat</s>")[-1] == END


def test_tokens_are_ended_and_padded():
    encoder, config, _ = ours(oracle())
    (chunk,) = encoder.tokenize(config, "", None, style=TextStyle(shortest=4))
    assert chunk == [(END, 1.0), *[(PAD, 1.0)] * 3]
    assert list(encoder.empty(config, TextStyle(shortest=4))) == chunk
    (whole,) = encoder.tokenize(config, "(a:1.2)", None, style=TextStyle(weighted=False))
    assert {weight for _, weight in whole} == {1.0}
    assert len(whole) > 4


def test_names_of_gguf_files_and_an_embedding_that_is_stored_twice():
    model = oracle()
    weights = dict(model.state_dict())
    back = {
        "layer.0.SelfAttention.q": "attn_q",
        "layer.0.SelfAttention.k": "attn_k",
        "layer.0.SelfAttention.v": "attn_v",
        "layer.0.SelfAttention.o": "attn_o",
        "layer.0.SelfAttention.relative_attention_bias": "attn_rel_b",
        "layer.0.layer_norm": "attn_norm",
        "layer.1.DenseReluDense.wi_0": "ffn_gate",
        "layer.1.DenseReluDense.wi_1": "ffn_up",
        "layer.1.DenseReluDense.wo": "ffn_down",
        "layer.1.layer_norm": "ffn_norm",
    }
    theirs = {
        "token_embd.weight": weights["shared.weight"],
        "enc.output_norm.weight": weights["encoder.final_layer_norm.weight"],
    }
    for name, tensor in weights.items():
        if name.startswith("encoder.block."):
            number, module = name.removeprefix("encoder.block.").split(".", 1)
            theirs[f"enc.blk.{number}.{back[module.removesuffix('.weight')]}.weight"] = tensor
    found = T5XXL.tensors(StateDict.of(theirs))
    names = set(weights) - {"encoder.embed_tokens.weight"}
    assert set(found) == names
    assert all(torch.equal(found[name], weights[name]) for name in names)


def test_an_incomplete_file_says_what_is_missing():
    weights = dict(oracle().state_dict())
    del weights["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    with pytest.raises(WeightsError, match="relative_attention_bias"):
        recognise(StateDict.of(weights))


@pytest.mark.parametrize("data", [b"", b"\x0a\xff\xff\xff\xff", b"\x0f", b"{}" * 20])
def test_a_damaged_sentencepiece_model_is_refused(data):
    with pytest.raises(WeightsError, match="no SentencePiece model"):
        read_pieces(data)
