"""GGUF files: formats of blocks against the package gguf, headers of strangers, and faults.

`make_gguf.py` recorded what the package computed and wrote.
"""

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.errors import WeightsError
from engine.weights.gguf_forms import KINDS, GgmlBlocks
from engine.weights.open import open_weights

from .gguf_writer import described, header, text

HERE = Path(__file__).parent
RECORDED = load_file(HERE / "gguf_blocks.safetensors")
READ = {kind.name: number for number, kind in KINDS.items() if kind.unpack}


@pytest.mark.parametrize("name", sorted({name.split(".")[0] for name in RECORDED}))
def test_a_format_has_the_values_of_the_package(name):
    stored, expected = RECORDED[f"{name}.blocks"], RECORDED[f"{name}.values"]
    form = GgmlBlocks(READ[name], tuple(expected.shape))
    found = form.unpack([stored], torch.float32)
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-8)
    assert torch.equal(form.unpack([stored], torch.bfloat16), found.bfloat16())
    assert form.name == f"GGUF {name}"


def test_q8_k_against_its_definition():
    numbers = np.random.default_rng(0).integers(-128, 128, 256, dtype=np.int8)
    block = struct.pack("<f", 0.25) + numbers.tobytes() + bytes(32)
    stored = torch.frombuffer(bytearray(block), dtype=torch.uint8)[None]
    found = GgmlBlocks(READ["Q8_K"], (1, 256)).unpack([stored], torch.float32)
    assert np.array_equal(found.numpy()[0], numbers * np.float32(0.25))


def test_every_format_that_is_read_is_compared():
    assert {name.split(".")[0] for name in RECORDED} | {"Q8_K"} == set(READ)


def test_a_file_that_the_package_wrote():
    weights = open_weights(HERE / "small.gguf")
    assert weights.shapes == {
        "plain.weight": (4, 64),
        "half.weight": (4, 64),
        "bfloat.weight": (4, 64),
        "eight.weight": (4, 64),
        "four.weight": (4, 64),
        "conv.weight": (4, 2, 4, 4),
    }
    plain = weights["plain.weight"]
    expected = np.random.default_rng(0).normal(0, 1, (4, 64)).astype(np.float32)
    assert np.array_equal(plain.numpy(), expected)
    assert torch.equal(weights["half.weight"], plain.half())
    assert weights.entries["bfloat.weight"].form is None
    assert torch.equal(weights["bfloat.weight"], plain.bfloat16())
    for name, bound in (("eight", 0.01), ("four", 0.12)):
        entry = weights.entries[f"{name}.weight"]
        assert entry.is_compact
        found = entry.unpack(entry.read_parts(), torch.float32)
        assert float((found - plain).norm() / plain.norm()) < bound
    assert weights.entries["eight.weight"].nbytes == 4 * 64 * 34 // 32
    conv = torch.arange(128).view(4, 2, 4, 4) / 64
    assert (weights["conv.weight"].float() - conv).abs().max() < 0.02


def test_the_values_of_its_header():
    metadata = open_weights(HERE / "small.gguf").metadata
    assert metadata["general.architecture"] == "flux"
    assert metadata["general.name"] == "små"
    assert metadata["a.large"] == str(2**63 + 1)
    assert json.loads(metadata["a.float"]) == 0.5
    assert json.loads(metadata["a.flag"]) is True
    assert json.loads(metadata["tokenizer.ggml.tokens"]) == ["<s>", "▁a", "b"]
    assert json.loads(metadata["tokenizer.ggml.scores"]) == [0.0, -1.5, -2.0]
    assert "tokenizer.ggml.merges" not in metadata
    assert metadata.get("tokenizer.ggml.merges") is None
    assert len(metadata) == len(list(metadata))


@pytest.fixture
def opened(tmp_path):
    def save(begin: bytes, data: bytes = b""):
        path = tmp_path / "model.gguf"
        path.write_bytes(begin + bytes(-len(begin) % 32) + data)
        return open_weights(path)

    return save


def test_a_file_of_version_2_with_another_alignment(opened, tmp_path):
    alignment = text("general.alignment") + struct.pack("<II", 4, 8)
    begin = header([alignment], [described("a", [2])], 2)
    path = tmp_path / "aligned.gguf"
    path.write_bytes(begin + bytes(-len(begin) % 8) + struct.pack("<2f", 1, 2))
    assert open_weights(path)["a"].tolist() == [1.0, 2.0]
    assert opened(header([], [described("a", [])]), struct.pack("<f", 3))["a"].item() == 3.0


KEY = text("key")
HOSTILE = {
    "another version": (header([], [], 9), "of version 9, expected version 2 or 3"),
    "big-endian": (header([], [], 3 << 24), "for big-endian machines"),
    "more tensors than bytes": (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "promises 1,152,"),
    "more values than bytes": (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), "promises 9,223,"),
    "an overlong name": (header([struct.pack("<Q", 2**40)], []), "a name of 1,099,511,627,776 byt"),
    "a name beyond the end": (
        header([struct.pack("<Q", 5000)], []),
        "its header needs 5,000 bytes",
    ),
    "a name that is no text": (header([struct.pack("<Q", 1) + b"\xff"], []), "is no text"),
    "an overlong text": (header([KEY + struct.pack("<IQ", 8, 2**50)], []), "header needs 1,125,"),
    "an unknown type": (header([KEY + struct.pack("<I", 77)], []), "'key' has the unknown type 77"),
    "a hostile array": (
        header([KEY + struct.pack("<IIQ", 9, 8, 2**61)], []),
        "'key' promises 2,305,843,009,213,693,952 values",
    ),
    "an array of numbers beyond the end": (
        header([KEY + struct.pack("<IIQ", 9, 4, 2**40)], []),
        "header needs 4,398,046,511,104 bytes",
    ),
    "arrays in arrays": (
        header([KEY + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 20], []),
        "'key' has the unknown type 9",
    ),
    "an alignment of nothing": (
        header([text("general.alignment") + struct.pack("<II", 4, 0)], []),
        "general.alignment is 0",
    ),
    "an alignment that is no number": (
        header([text("general.alignment") + struct.pack("<I", 8) + text("x")], []),
        "general.alignment is x",
    ),
    "many dimensions": (header([], [described("a", [1] * 9)]), "'a' has 9 dimensions"),
    "an empty tensor": (header([], [described("a", [0, 4])]), r"'a' has the shape \[4, 0\]"),
    "an absurd size": (
        header([], [described("a", [2**39, 2**39])]),
        "beyond what a tensor can have",
    ),
    "an unknown packing": (header([], [described("a", [32], 99)]), "'a' is of the unknown type 99"),
    "a packing that is not read": (
        header([], [described("a", [256], 16)]),
        r"packed as IQ2_XXS, which Calotype does not read. Get .* \(Q4_0, .*Q6_K",
    ),
    "parts of blocks": (
        header([], [described("a", [48, 2], 8)]),
        r"rows of 48 .*blocks of 32 \(Q8_0",
    ),
    "two of one name": (header([], [described("a", [1]), described("a", [1])]), "two tensors 'a'"),
    "beyond the end": (
        header([], [described("a", [64, 8], 8, 0)]),
        "it is truncated: its tensor 'a' ends at byte 6",
    ),
    "an offset beyond the end": (header([], [described("a", [1], 0, 2**63)]), "it is truncated"),
    "another original size": (
        header(
            [text("comfy.gguf.orig_shape.a") + struct.pack("<IIQ2I", 9, 4, 2, 3, 3)],
            [described("a", [4])],
        )
        + bytes(64),
        r"'a' of shape \[4\] is said to be \[3, 3\] originally",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_header_is_a_sentence(opened, case):
    begin, said = HOSTILE[case]
    with pytest.raises(WeightsError, match=said) as raised:
        opened(begin)
    assert str(raised.value).startswith("model.gguf: ")


def test_a_truncated_file_is_a_sentence(tmp_path):
    whole = (HERE / "small.gguf").read_bytes()
    path = tmp_path / "model.gguf"
    for length in range(4, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match=r"truncated|promises"):
            open_weights(path)


def test_a_damaged_header_is_loaded_or_refused(tmp_path):
    whole = bytearray((HERE / "small.gguf").read_bytes())
    random.seed(5)
    path = tmp_path / "model.gguf"
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(random.randint(1, 4)):
            damaged[random.randrange(4, 700)] = random.randrange(256)
        path.write_bytes(damaged)
        try:
            weights = open_weights(path)
        except WeightsError:
            continue
        for name in weights:
            assert tuple(weights[name].shape) == weights.entries[name].shape
        dict(weights.metadata)
