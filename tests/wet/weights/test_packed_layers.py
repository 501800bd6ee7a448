"""Packed layers of 2026 against what comfy-kitchen unpacks, and against float arithmetic.

`make_packed_layers.py` recorded its results.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.forms import unswizzled
from engine.weights.integer_forms import hadamard
from engine.weights.joined import joined
from engine.weights.open import open_weights
from engine.weights.state_dict import Entry, StateDict

RECORDED = Path(__file__).with_name("packed_layers.safetensors")
ERRORS = {
    "fp8_e4m3fn": 0.027,
    "fp8_e5m2": 0.054,
    "mxfp8": 0.03,
    "nvfp4": 0.12,
    "int8": 0.04,
    "int8_rows": 0.03,
    "int8_convrot": 0.008,
    "int8_convrot_64": 0.008,
    "convrot_w4a4": 0.15,
    "asym_w4a8": 0.09,
    "asym_w4a8_uniform": 0.11,
    "asym_w4a8_shifted": 0.09,
    "asym_w6a8": 0.025,
    "awq": 0.15,
}
"""Relative L2 from the float weights, an upper bound; columns with outliers are among them."""


def recorded() -> tuple[dict[str, Tensor], dict[str, dict]]:
    with safe_open(RECORDED, "pt") as file:
        said = json.loads(file.metadata()["said"])
        return {name: file.get_tensor(name) for name in file.keys()}, said  # noqa: SIM118


TENSORS, SAID = recorded()


def description(said: dict) -> Tensor:
    return torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)


def layer(name: str) -> dict[str, Tensor]:
    return {key: each for key, each in TENSORS.items() if key.startswith(f"{name}.")}


@pytest.fixture
def opened(tmp_path):
    def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> StateDict:
        path = tmp_path / "model.safetensors"
        save_file(tensors, path, metadata=metadata)
        return open_weights(path)

    return save


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def values(entry: Entry) -> Tensor:
    return entry.unpack(entry.read_parts(), torch.float32)


@pytest.mark.parametrize("how", ["a description", "the header"])
@pytest.mark.parametrize("name", SAID)
def test_a_layer_has_the_values_of_comfy_kitchen(opened, name, how):
    tensors, metadata = layer(name), None
    if how == "a description":
        tensors[f"{name}.comfy_quant"] = description(SAID[name])
    else:
        said = {"format_version": "1.0", "layers": {name: SAID[name]}}
        metadata = {"_quantization_metadata": json.dumps(said)}
    weights = opened(tensors, metadata)
    assert set(weights) == {f"{name}.weight"}
    entry, expected = weights.entries[f"{name}.weight"], TENSORS[f"expected.{name}"]
    assert entry.shape == tuple(expected.shape)
    assert entry.is_compact
    assert entry.nbytes == sum(
        each.nbytes for key, each in tensors.items() if not key.endswith(".comfy_quant")
    )
    assert distance(values(entry), expected) < 1e-6
    assert distance(weights[f"{name}.weight"].float(), expected) < 4e-3  # rounded to bf16


@pytest.mark.parametrize("name", ERRORS)
def test_it_is_as_near_to_the_float_weights_as_its_bits_allow(opened, name):
    weights = opened(layer(name) | {f"{name}.comfy_quant": description(SAID[name])})
    exact = TENSORS.get(f"float.{name}", TENSORS["float"])
    error = distance(values(weights.entries[f"{name}.weight"]), exact)
    assert ERRORS[name] / 2 < error < ERRORS[name]


@pytest.mark.parametrize(
    "name", [name for name in SAID if "convrot" not in name and name != "fp8_e5m2"]
)
@pytest.mark.parametrize("empty", [True, False])
def test_a_layer_that_names_no_format_is_what_its_tensors_are(opened, caplog, name, empty):
    tensors = layer(name)
    if empty:
        tensors[f"{name}.comfy_quant"] = description({})
    weights = opened(tensors)
    expected = TENSORS[f"expected.{name}"]
    assert distance(values(weights.entries[f"{name}.weight"]), expected) < 1e-6
    assert ("does not name its format" in caplog.text) == empty


@pytest.mark.parametrize("name", ["nvfp4_padded", "mxfp8_padded"])
@pytest.mark.parametrize("by", ["bias", "orig_shape"])
def test_padding_is_cut_off(opened, name, by):
    said = dict(SAID[name])
    tensors = layer(name)
    if by == "bias":
        tensors[f"{name}.bias"] = torch.zeros(20)
    else:
        said["params"] = {"orig_shape": [20, 72]}
    weights = opened(tensors | {f"{name}.comfy_quant": description(said)})
    entry, whole = weights.entries[f"{name}.weight"], TENSORS[f"expected.{name}"]
    columns = whole.shape[1] if by == "bias" else 72
    assert entry.shape == (20, columns)
    assert torch.equal(values(entry), whole[:20, :columns])
    narrow = entry.fitted((20, 72))
    assert torch.equal(values(narrow), whole[:20, :72])
    assert entry.fitted((19, 40)) is entry  # not what its padding explains


def test_factors_of_a_layer_s_input_are_its_columns(opened):
    tensors = layer("nvfp4") | {"nvfp4.pre_quant_scale": torch.linspace(0.5, 2, 80)}
    entry = opened(tensors).entries["nvfp4.weight"]
    expected = TENSORS["expected.nvfp4"] * torch.linspace(0.5, 2, 80)
    assert distance(values(entry), expected) < 1e-6


def test_factors_of_tiles(opened):
    weight = torch.randn(150, 300).to(torch.float8_e4m3fn)
    scales = torch.rand(2, 3)
    entry = opened({"a.weight": weight, "a.weight_scale_inv": scales}).entries["a.weight"]
    wide = scales.repeat_interleave(128, 0)[:150].repeat_interleave(128, 1)[:, :300]
    assert torch.equal(values(entry), weight.float() * wide)


def test_integers_of_bitsandbytes(opened):
    weight, scales = torch.randint(-127, 128, (5, 8), dtype=torch.int8), torch.rand(5)
    tensors = {"a.weight": weight, "a.SCB": scales, "a.weight_format": torch.tensor(0)}
    weights = opened(tensors)
    assert set(weights) == {"a.weight"}
    expected = weight.float() * scales[:, None] / 127
    assert distance(values(weights.entries["a.weight"]), expected) < 1e-6


def test_convolutions_and_embeddings_of_integers(opened):
    kernel = torch.randint(-127, 128, (4, 3, 3, 3), dtype=torch.int8)
    table = torch.randint(-127, 128, (10, 6), dtype=torch.int8)
    scales = torch.rand(10, 1)
    weights = opened(
        {
            "conv.weight": kernel,
            "conv.weight_scale": torch.tensor([1.0, 2.0, 3.0, 4.0]),
            "embedding.weight": table,
            "embedding.weight_scale": scales,
            "embedding.comfy_quant": description({"format": "int8_tensorwise"}),
        }
    )
    rows = torch.arange(1.0, 5.0).view(4, 1, 1, 1)
    assert torch.equal(values(weights.entries["conv.weight"]), kernel.float() * rows)
    assert torch.equal(values(weights.entries["embedding.weight"]), table.float() * scales)


def test_the_rotation_is_its_own_inverse():
    for size in (4, 64, 256):
        rotation = hadamard(size, torch.device("cpu"))
        assert torch.allclose(rotation @ rotation, torch.eye(size), atol=1e-6)
        assert torch.equal(rotation, rotation.T)


def test_factors_of_blocks_are_put_in_order():
    rows, columns = 150, 6
    plain = np.arange(256 * 8).reshape(256, 8)
    stored = np.zeros_like(plain).reshape(-1)
    for row in range(256):
        for column in range(8):
            tile = (row // 128) * 2 + column // 4
            inner = (row % 32) * 16 + (row % 128 // 32) * 4 + column % 4
            stored[tile * 512 + inner] = plain[row, column]
    found = unswizzled(torch.from_numpy(stored), rows, columns)
    assert np.array_equal(found.numpy(), plain[:rows, :columns])


def nf4(shape: tuple[int, ...], *, nested: bool, block: int = 64) -> tuple[dict, np.ndarray]:
    """A file's tensors, and the values that numpy makes of them."""
    random = np.random.default_rng(0)
    count = int(np.prod(shape))
    codes = random.integers(0, 16, count + count % 2, dtype=np.uint8)
    levels = np.linspace(-1, 1, 16, dtype=np.float32)
    blocks = -(-count // block)
    state = {"quant_type": "nf4", "blocksize": block, "dtype": "bfloat16", "shape": list(shape)}
    name = "a.weight"
    tensors = {
        name: torch.from_numpy(codes[0::2] << 4 | codes[1::2])[:, None],
        f"{name}.quant_map": torch.from_numpy(levels),
    }
    if nested:
        outer = random.random(-(-blocks // 256), dtype=np.float32)
        inner = random.integers(0, 256, blocks, dtype=np.uint8)
        table = np.linspace(-1, 1, 256, dtype=np.float32)
        magnitudes = table[inner] * np.repeat(outer, 256)[:blocks] + np.float32(0.25)
        tensors |= {
            f"{name}.absmax": torch.from_numpy(inner),
            f"{name}.nested_absmax": torch.from_numpy(outer),
            f"{name}.nested_quant_map": torch.from_numpy(table),
        }
        state |= {"nested_blocksize": 256, "nested_offset": 0.25}
    else:
        magnitudes = random.random(blocks, dtype=np.float32)
        tensors[f"{name}.absmax"] = torch.from_numpy(magnitudes)
    tensors[f"{name}.quant_state.bitsandbytes__nf4"] = description(state)
    expected = levels[codes[:count]] * np.repeat(magnitudes, block)[:count]
    return tensors, expected.reshape(shape)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("shape", [(24, 64), (300, 512), (7, 9)])
def test_nf4_against_numpy(opened, shape, nested):
    tensors, expected = nf4(shape, nested=nested)
    weights = opened(tensors | {"a.bias": torch.zeros(shape[0])})
    assert set(weights) == {"a.weight", "a.bias"}
    entry = weights.entries["a.weight"]
    assert entry.shape == shape
    assert np.abs(values(entry).numpy() - expected).max() < 1e-6


FAULTS = {
    "a scale is missing": (
        {"a.weight": TENSORS["nvfp4.weight"], "a.comfy_quant": description({"format": "nvfp4"})},
        "its packed weight needs 'a.weight_scale', which is missing; the file is damaged",
    ),
    "the second scale is missing": (
        {
            "a.weight": TENSORS["nvfp4.weight"],
            "a.weight_scale": TENSORS["nvfp4.weight_scale"],
            "a.comfy_quant": description({"format": "nvfp4"}),
        },
        "needs 'a.weight_scale_2', which is missing",
    ),
    "a scale of integers is missing": (
        {
            "a.weight": TENSORS["int8.weight"],
            "a.comfy_quant": description({"format": "int8_tensorwise"}),
        },
        "its packed weight 'a.weight' needs 'a.weight_scale', which is missing",
    ),
    "too few factors": (
        {
            "a.weight": TENSORS["mxfp8.weight"],
            "a.weight_scale": torch.zeros(4, 4, dtype=torch.uint8),
        },
        r"its 'a.weight_scale' has the shape \[4, 4\].*expected 1,024 numbers",
    ),
    "groups that do not divide": (
        {
            "a.weight": torch.zeros(4, 100, dtype=torch.int8),
            "a.weight_scale": torch.ones(4),
            "a.comfy_quant": description({"format": "int8_tensorwise", "convrot": True}),
        },
        "has 100 columns, which are no groups of 256",
    ),
    "a rotation that is none": (
        {
            "a.weight": torch.zeros(4, 96, dtype=torch.int8),
            "a.weight_scale": torch.ones(4),
            "a.comfy_quant": description(
                {"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": 96}
            ),
        },
        "says convrot_groupsize 96",
    ),
    "a hostile size": (
        {
            "a.weight": torch.zeros(4, 96, dtype=torch.int8),
            "a.weight_scale": torch.ones(4),
            "a.comfy_quant": description({"format": "awq_w4a16", "group_size": -1}),
        },
        "says group_size -1",
    ),
    "codes of another width": (
        layer("asym_w4a8") | {"asym_w4a8.weight": torch.zeros(12, 300, dtype=torch.int8)},
        "has 300 bytes in a row, which are neither 4 nor 6 bits",
    ),
    "whole numbers alone": (
        {"a.weight": torch.zeros(4, 4, dtype=torch.int8)},
        "'a.weight' is packed as torch.int8, and nothing beside it says how",
    ),
    "an unknown format": (
        {"a.weight": TENSORS["int8.weight"], "a.comfy_quant": description({"format": "int3"})},
        "packed as 'int3', which Calotype does not read; get the model in fp16, bf16, fp8 or GGUF",
    ),
    "SVDQuant by comfy-kitchen": (
        {"a.weight": torch.zeros(4, 4, dtype=torch.int8), "a.weight_proj_down": torch.ones(4, 4)},
        r"4-bit weights of SVDQuant \(nunchaku\), which need its own kernels",
    ),
    "nunchaku": (
        {"a.qweight": torch.ones(3), "a.wscales": torch.ones(3)},
        r"SVDQuant \(nunchaku\).*get the model in fp16, bf16, fp8 or GGUF",
    ),
    "quanto": ({"a.weight._data": torch.ones(3)}, "packed by quanto"),
    "GPTQ": ({"a.qweight": torch.ones(3), "a.qzeros": torch.ones(3)}, "GPTQ or AWQ"),
    "nf4 without its magnitudes": (
        {k: v for k, v in nf4((8, 64), nested=False)[0].items() if not k.endswith("absmax")},
        "needs 'a.weight.absmax', which is missing",
    ),
    "nf4 of too few bytes": (
        nf4((8, 64), nested=False)[0] | {"a.weight": torch.zeros(3, 1, dtype=torch.uint8)},
        "'a.weight' should hold 256 bytes",
    ),
    "nf4 of absurd blocks": (
        nf4((8, 64), nested=False)[0]
        | {
            "a.weight.quant_state.bitsandbytes__nf4": description(
                {"blocksize": 7, "shape": [8, 64]}
            )
        },
        "has no blocksize and shape to use",
    ),
    "nf4 of no shape": (
        nf4((8, 64), nested=False)[0]
        | {"a.weight.quant_state.bitsandbytes__nf4": description({"blocksize": 64, "shape": [-8]})},
        "has no shape to use",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_damaged_or_foreign_is_a_sentence(opened, case):
    tensors, said = FAULTS[case]
    with pytest.raises(WeightsError, match=said) as raised:
        opened(tensors)
    assert str(raised.value).startswith("model.safetensors: ")


@pytest.mark.parametrize(
    ("name", "part", "bad"),
    [
        ("nvfp4", "weight_scale_2", torch.tensor(float("nan"))),
        ("nvfp4", "weight_scale", torch.full((256, 8), 127, dtype=torch.uint8)),
        ("mxfp8", "weight_scale", torch.full((128, 8), 255, dtype=torch.uint8)),
        ("awq", "weight_zeros", torch.full((8, 12), float("inf"))),
        ("asym_w4a8", "weight_s_channel", torch.full((12,), float("nan"))),
        ("int8_rows", "weight_scale", torch.full((12, 1), float("nan"))),
    ],
)
def test_scales_that_are_no_numbers_are_said_when_they_are_read(opened, name, part, bad):
    weights = opened(layer(name) | {f"{name}.{part}": bad})
    with pytest.raises(WeightsError, match=f"'{name}.{part}' is not a number everywhere"):
        weights.entries[f"{name}.weight"].read_parts()


def test_packed_tensors_are_joined_and_stay_packed(opened):
    weights = opened(layer("int8_rows") | layer("awq") | {"plain.weight": TENSORS["float"]})
    three = [weights.entries[f"{name}.weight"] for name in ("int8_rows", "awq", "plain")]
    whole = joined(three)
    assert whole.shape == (36, 512)
    assert whole.nbytes == sum(each.nbytes for each in three)
    assert torch.equal(values(whole), torch.cat([values(each) for each in three]))
    with pytest.raises(WeightsError, match="do not fit below each other"):
        joined([weights.entries["awq.weight"], Entry((3, 2), torch.float32, torch.zeros)])
