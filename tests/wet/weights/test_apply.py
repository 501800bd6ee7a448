"""Weights go into a module whole, or not at all."""

from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import WeightsError
from engine.weights.apply import check, fill, without_padding
from engine.weights.open import open_weights
from engine.weights.state_dict import Entry, StateDict


def net(*, tied: bool = False) -> nn.Module:
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
        if tied:
            module.append(nn.Linear(3, 3))
            module[3].weight = module[2].weight
    return module


def weights(*, tied: bool = False, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    shapes = {name: t.shape for name, t in net(tied=tied).state_dict().items()}
    found = {name: torch.randn(shape).to(dtype) for name, shape in shapes.items()}
    return {**found, "1.num_batches_tracked": torch.tensor(3)}


def test_every_tensor_is_put_in_its_place_without_a_copy():
    tensors = weights()
    module = fill(net(), StateDict.of(tensors))
    assert {n: t.data_ptr() for n, t in module.state_dict().items()} == {
        n: t.data_ptr() for n, t in tensors.items()
    }
    assert not module.training
    assert not any(p.requires_grad for p in module.parameters())
    assert module(torch.ones(1, 2)).shape == (1, 3)


def test_another_dtype_is_converted_but_whole_numbers_are_not():
    module = fill(net(), StateDict.of(weights(dtype=torch.float16)), dtype=torch.float32)
    assert module[0].weight.dtype == torch.float32
    assert module[1].num_batches_tracked.dtype == torch.int64


def test_tied_weights_stay_tied():
    module = fill(net(tied=True), StateDict.of(weights(tied=True)))
    assert module[2].weight is module[3].weight


def test_what_is_wrong_is_listed_with_found_and_expected():
    tensors = weights()
    del tensors["0.bias"]
    tensors["2.weight"] = torch.ones(4, 3)
    tensors["stranger\x1b[31m"] = torch.ones(2)
    module = net()
    with pytest.raises(WeightsError) as caught:
        fill(module, StateDict.of(tensors), origin="model.safetensors, denoiser")
    said = str(caught.value)
    assert said.startswith("model.safetensors, denoiser: ")
    assert "missing (1): 0.bias 3" in said
    assert "2.weight: found 4x3, expected 3x3" in said
    assert "not part of the network (1): 'stranger\\x1b[31m' 2" in said
    assert all(t.is_meta for t in module.parameters())


def test_long_lists_are_cut():
    with pytest.raises(WeightsError, match=r"missing \(9\): .* and 4 more"):
        check(net(), StateDict.of({}))


def test_no_tensor_is_read_before_everything_fits():
    def read() -> torch.Tensor:
        raise AssertionError("read")

    entries = {n: Entry(tuple(t.shape), t.dtype, read) for n, t in weights().items()}
    del entries["2.bias"]
    with pytest.raises(WeightsError, match=r"2\.bias"):
        fill(net(), StateDict(entries))


def test_nothing_runs_on_what_was_not_loaded():
    with torch.device("meta"):
        module = nn.Linear(2, 2)
        module.register_buffer("table", torch.ones(3), persistent=False)
    state = StateDict.of({"weight": torch.ones(2, 2), "bias": torch.ones(2)})
    with pytest.raises(WeightsError, match=r"no values for .*table"):
        fill(module, state)


def test_parts_and_new_names_read_the_same_tensors():
    state = StateDict.of({"net.a": torch.ones(1), "net.b": torch.zeros(2), "c": torch.ones(3)})
    part = state.part("net.")
    assert set(part) == {"a", "b"}
    assert part.shapes == {"a": (1,), "b": (2,)}
    assert part.shape("c") is None
    assert part.nbytes == 12
    renamed = part.rename(lambda name: name.upper() if name == "b" else None)
    assert torch.equal(renamed["B"], torch.zeros(2))
    assert "b" not in renamed
    assert len(renamed) == 1


def test_padding_of_packed_weights_is_cut_off_where_the_network_is_smaller(tmp_path):
    path = tmp_path / "model.safetensors"
    tensors = {
        "weight": torch.zeros(32, 40, dtype=torch.uint8),
        "weight_scale": torch.zeros(128, 8).to(torch.float8_e4m3fn),
        "weight_scale_2": torch.ones(()),
    }
    save_file({f"a.{name}": each for name, each in tensors.items()}, path)
    weights = open_weights(path)
    with torch.device("meta"):
        module = nn.Sequential(OrderedDict(a=nn.Linear(72, 20, bias=False)))
    assert without_padding(module, weights).shapes == {"a.weight": (20, 72)}
    check(module, without_padding(module, weights))
    with pytest.raises(WeightsError, match="found 32x80, expected 20x72"):
        check(module, weights)
