"""Written files are read by the library of the format, in any dtype."""

import io

import pytest
import torch
from safetensors.torch import load

from engine.errors import WeightsError
from engine.weights.safetensors import read
from engine.weights.write import ToWrite, write

TENSORS = {
    "empty": torch.zeros(0),
    "scalar": torch.tensor(3.5),
    "bits": torch.tensor([True, False, True]),
    "half": torch.randn(3, 2).half(),
    "eight": torch.randn(5).to(torch.float8_e4m3fn),
    "brain": torch.randn(2, 2).bfloat16(),
    "whole": torch.arange(4),
    "turned": torch.randn(3, 4).T,
}


def test_every_dtype_comes_back(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as stream:
        write(stream, {n: ToWrite.of(t) for n, t in TENSORS.items()}, {"said": "é"})
    found, ours = load(path.read_bytes()), read(path)
    assert ours.metadata == {"said": "é"}
    for name, tensor in TENSORS.items():
        for again in (found[name], ours[name]):
            assert again.dtype == tensor.dtype
            assert torch.equal(again.float(), tensor.float())


def test_a_tensor_that_is_not_as_announced_is_refused():
    announced = ToWrite((2, 2), torch.float32, lambda: torch.zeros(2, 3))
    with pytest.raises(WeightsError, match=r"x is \[2, 3\]"):
        write(io.BytesIO(), {"x": announced}, {})
    with pytest.raises(WeightsError, match="the format has no"):
        write(io.BytesIO(), {"x": ToWrite.of(torch.zeros(2, dtype=torch.complex128))}, {})
