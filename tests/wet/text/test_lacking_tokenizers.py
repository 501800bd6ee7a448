"""What a header says of a text encoder, against what reads its tensors."""

import json

import pytest
import torch

from engine.downloads.encoder_headers import encoder_of, lacking_encoder
from engine.text.table import recognise
from engine.tokenizer_sources import SOURCES
from engine.weights.state_dict import Entry, StateDict


def t5(vocabulary, width, biases):
    block = "encoder.block.{}.layer.{}."
    found = {"shared.weight": (vocabulary, width)}
    for i in range(2):
        attention = block.format(i, 0) + "SelfAttention."
        found |= {f"{attention}{part}.weight": (width, width) for part in "qkvo"}
        if i < biases:
            found[f"{attention}relative_attention_bias.weight"] = (32, 32)
        dense = block.format(i, 1) + "DenseReluDense."
        found |= {f"{dense}wi_0.weight": (64, width), f"{dense}wi_1.weight": (64, width)}
        found[f"{dense}wo.weight"] = (width, 64)
        found |= {block.format(i, each) + "layer_norm.weight": (width,) for each in (0, 1)}
    return {**found, "encoder.final_layer_norm.weight": (width,)}


def language(width, *more, outer="model.", vocabulary=1000):
    layer = f"{outer}layers.0."
    found = {f"{outer}embed_tokens.weight": (vocabulary, width), f"{outer}norm.weight": (width,)}
    found |= {f"{layer}self_attn.{each}_proj.weight": (1024, width) for each in "qkv"}
    found[f"{layer}self_attn.o_proj.weight"] = (width, 1024)
    found |= {f"{layer}mlp.{each}_proj.weight": (64, width) for each in ("gate", "up")}
    found[f"{layer}mlp.down_proj.weight"] = (width, 64)
    norms = ("input_layernorm", "post_attention_layernorm", *more)
    return {**found, **{f"{layer}{each}.weight": (width,) for each in norms}}


GEMMA = ("pre_feedforward_layernorm", "post_feedforward_layernorm")
QWEN3 = ("self_attn.q_norm", "self_attn.k_norm")
FILES = {
    "umt5xxl": t5(256_384, 4096, 2),
    "pile_t5xl": t5(32_128, 2048, 2),
    "t5xxl": t5(32_128, 4096, 1),
    "mistral3_24b": language(5120),
    "ministral3_3b": language(3072),
    "gemma2_2b": language(2304, *GEMMA),
    "llama3_8b": language(4096, vocabulary=128_320),
    "llama31_8b": language(4096, vocabulary=128_256),
    "qwen3_06b": language(1024, *QWEN3),
}


def test_every_encoder_whose_tokenizer_is_fetched_is_among_these():
    assert SOURCES.keys() <= FILES.keys()


@pytest.mark.parametrize("name", FILES)
def test_a_header_tells_what_the_tensors_tell(name):
    shapes = FILES[name]

    def entry(shape):
        return Entry(shape, torch.float16, lambda: torch.zeros(shape, device="meta"))

    weights = StateDict({key: entry(shape) for key, shape in shapes.items()}, "a test")
    encoder, _ = recognise(weights)
    assert encoder.name == name
    header = {key: {"shape": list(shape)} for key, shape in shapes.items()}
    assert encoder_of(header) == (name if name in SOURCES else None)
    inside = {f"text_encoders.{name}.transformer.{key}": each for key, each in header.items()}
    assert encoder_of(inside) == (name if name in SOURCES else None)
    for held in ("spiece_model", "tekken_model"):
        assert encoder_of({**header, held: {"shape": [100]}}) is None


def file_of(path, shapes):
    header = {
        key: {"dtype": "F16", "shape": list(shape), "data_offsets": [0, 0]}
        for key, shape in shapes.items()
    }
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def test_a_tokenizer_beside_the_file_or_in_its_folder_is_found(tmp_path):
    path = file_of(tmp_path / "models" / "text_encoders" / "a.safetensors", FILES["umt5xxl"])
    assert lacking_encoder(path) == "umt5xxl"
    for place in (path.with_name("a.spiece.model"), tmp_path / "models/tokenizers/umt5xxl/x"):
        found = place if place.name != "x" else place.with_name("spiece.model")
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_bytes(b"x")
        assert lacking_encoder(path) is None
        found.unlink()
    assert lacking_encoder(path) == "umt5xxl"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 8, (2).to_bytes(8, "little") + b"{}", (4).to_bytes(8, "little") + b"[{}]"],
)
def test_a_file_that_cannot_be_read_lacks_nothing_that_is_known(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert lacking_encoder(path) is None
    assert lacking_encoder(tmp_path / "not_here.safetensors") is None
    assert lacking_encoder(path.rename(tmp_path / "a.gguf")) is None


@pytest.mark.parametrize("shape", [None, "x", [1.5, 2], [], {"a": 1}])
def test_hostile_shapes_are_none(shape):
    header = {key: {"shape": shape} for key in FILES["mistral3_24b"]}
    assert encoder_of(header) is None
    assert encoder_of(dict.fromkeys(FILES["mistral3_24b"])) is None
