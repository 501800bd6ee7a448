"""8-bit weights in files: recognised, small on the device, and an error for invalid ones."""

import json

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import WeightsError
from engine.weights.open import open_weights

FP8 = torch.float8_e4m3fn


def quantised(weight: torch.Tensor, dtype: torch.dtype = FP8) -> tuple[torch.Tensor, torch.Tensor]:
    scale = weight.float().abs().max() / torch.finfo(dtype).max
    return (weight.float() / scale).to(dtype), scale


WEIGHT = torch.linspace(-3, 5, 12).reshape(3, 4)
VALUES, SCALE = quantised(WEIGHT)
EXPECTED = VALUES.float() * SCALE


def description(**fields) -> torch.Tensor:
    return torch.tensor(list(json.dumps(fields).encode()), dtype=torch.uint8)


def old(prefix: str = "") -> dict[str, torch.Tensor]:
    return {
        f"{prefix}scaled_fp8": torch.empty(2, dtype=FP8),
        f"{prefix}a.weight": VALUES,
        f"{prefix}a.scale_weight": SCALE,
        f"{prefix}a.scale_input": torch.ones(()),
        f"{prefix}a.bias": torch.ones(3),
    }


def new(**changes) -> dict[str, torch.Tensor]:
    return {
        "a.weight": VALUES,
        "a.weight_scale": SCALE,
        "a.input_scale": torch.ones(()),
        "a.comfy_quant": description(format="float8_e4m3fn", full_precision_matrix_mult=True),
        "a.bias": torch.ones(3),
    } | changes


@pytest.fixture
def opened(tmp_path):
    def save(tensors, metadata=None):
        path = tmp_path / "model.safetensors"
        save_file(tensors, path, metadata=metadata)
        return open_weights(path)

    return save


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_scaled_weights_are_one_tensor_each(opened, prefix):
    weights = opened(old(prefix))
    assert set(weights) == {f"{prefix}a.weight", f"{prefix}a.bias"}
    entry = weights.entries[f"{prefix}a.weight"]
    assert entry.shape == (3, 4)
    assert entry.is_compact
    assert entry.nbytes == 12 + 4
    assert torch.equal(entry.unpack(entry.read_parts(), torch.float32), EXPECTED)
    assert (EXPECTED - WEIGHT).abs().max() < 0.3


@pytest.mark.parametrize("metadata", [False, True])
def test_described_weights_are_read_alike(opened, metadata):
    tensors, said = new(), None
    if metadata:
        del tensors["a.comfy_quant"]
        layers = {"a": {"format": "float8_e4m3fn"}, "gone": {"format": "nvfp4"}}
        said = {"_quantization_metadata": json.dumps({"layers": layers})}
    weights = opened(tensors, said)
    assert set(weights) == {"a.weight", "a.bias"}
    assert torch.equal(weights["a.weight"].float(), EXPECTED.bfloat16().float())


def test_the_other_8_bit_type_and_a_scale_for_each_row(opened):
    values, _ = quantised(WEIGHT, torch.float8_e5m2)
    scales = torch.tensor([1.0, 2.0, 4.0])
    for shape in ((3,), (3, 1)):
        weights = opened({"a.weight": values, "a.scale_weight": scales.reshape(shape)})
        entry = weights.entries["a.weight"]
        found = entry.unpack(entry.read_parts(), torch.float32)
        assert torch.equal(found, values.float() * scales[:, None])
    kernel = torch.ones(2, 3, 3, 3).to(FP8)
    weights = opened({"a.weight": kernel, "a.scale_weight": torch.tensor([2.0, 3.0])})
    entry = weights.entries["a.weight"]
    assert entry.unpack(entry.read_parts(), torch.float32)[:, 0, 0, 0].tolist() == [2.0, 3.0]


def test_a_wide_weight_with_a_scale_is_multiplied_and_not_kept_packed(opened):
    weights = opened({"a.weight": WEIGHT.half(), "a.scale_weight": torch.tensor(0.5)})
    assert not weights.entries["a.weight"].is_compact
    assert torch.equal(weights["a.weight"], (WEIGHT.half().float() / 2).half())


def test_floats_of_8_bits_alone_are_plain(opened):
    weights = opened({"a.weight": VALUES, "scaled_fp8": torch.empty(0, dtype=FP8)})
    assert set(weights) == {"a.weight"}
    assert weights.entries["a.weight"].form is None
    assert weights.entries["a.weight"].is_compact


def test_files_without_packed_weights_are_left_alone(opened):
    tensors = {"a.weight": WEIGHT, "a.alpha": torch.ones(()), "b.scale": torch.ones(3)}
    assert set(opened(tensors)) == set(tensors)


HOSTILE = {
    "a scale of another size": (
        old() | {"a.scale_weight": torch.ones(7)},
        r"its scale 'a.scale_weight' has the shape \[7\].*one for each of the 3 rows",
    ),
    "a scale of no size": (old() | {"a.scale_weight": torch.ones(0)}, "shape \\[0\\]"),
    "a scale for each column": (old() | {"a.scale_weight": torch.ones(1, 4)}, r"shape \[1, 4\]"),
    "a scale of whole numbers": (
        old() | {"a.scale_weight": torch.ones((), dtype=torch.int64)},
        "of floating point",
    ),
    "a scale of nothing": (
        {"b.scale_weight": torch.ones(())} | old(),
        "'b.scale_weight' has no weight 'b.weight' beside it",
    ),
    "a description of nothing": (
        new(**{"b.comfy_quant": description(format="float8_e5m2")}),
        "'description of b' has no weight",
    ),
    "no JSON": (new(**{"a.comfy_quant": torch.tensor([123], dtype=torch.uint8)}), "is no JSON"),
    "numbers": (new(**{"a.comfy_quant": torch.ones(4)}), "should be a short text in bytes"),
    "too long a text": (
        new(**{"a.comfy_quant": torch.zeros(1 << 17, dtype=torch.uint8)}),
        "should be a short text",
    ),
    "a description that is none": (
        new(**{"a.comfy_quant": description()}) | {"a.weight_scale": torch.ones(7)},
        "has the shape",
    ),
    "another format": (
        new(**{"a.comfy_quant": description(format="nvfp4")}),
        "should be a matrix of torch.int8 or torch.uint8",
    ),
    "not what it says": (
        new(**{"a.weight": torch.ones(3, 4, dtype=torch.uint8)}),
        "should be torch.float8_e4m3fn, found torch.uint8",
    ),
    "whole numbers with a scale": (
        {"a.weight": torch.ones(3, 4, dtype=torch.int16), "a.weight_scale": torch.ones(())},
        "packed as torch.int16 with a scale, which Calotype does not read",
    ),
    "bitsandbytes": (
        {"a.weight.quant_state.bitsandbytes__nf4": torch.ones(3, dtype=torch.uint8)},
        "is no JSON",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_unsound_is_a_sentence(opened, case):
    tensors, said = HOSTILE[case]
    with pytest.raises(WeightsError, match=said) as raised:
        opened(tensors)
    assert str(raised.value).startswith("model.safetensors: ")


@pytest.mark.parametrize("layers", ["[]", "3", '{"layers": 3}', '{"layers": {"a": 7}}', "{"])
def test_metadata_that_is_no_description_ends_nothing_else(opened, layers):
    tensors = {"a.weight": VALUES}
    if layers in ("{", '{"layers": {"a": 7}}'):
        with pytest.raises(WeightsError, match=r"no JSON|does not say"):
            opened(tensors, {"_quantization_metadata": layers})
    else:
        assert set(opened(tensors, {"_quantization_metadata": layers})) == {"a.weight"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_scale_that_is_no_number_is_said_when_it_is_read(opened, value):
    weights = opened(old() | {"a.scale_weight": torch.tensor(value)})
    with pytest.raises(WeightsError, match=r"'a.scale_weight' is not a number everywhere"):
        weights.entries["a.weight"].read_parts()
