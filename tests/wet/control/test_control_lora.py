"""Control-LoRA: a network made of a model's weights, its patches and a file's changes."""

import weakref
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.control.control_lora import LowRank
from engine.errors import NodeError, WeightsError
from engine.inference.control import Control, controlled, load_control
from engine.inference.control_run import ControlRun
from engine.nets.controlnet import ControlNet
from engine.residency.handles import PatchedWeights
from engine.residency.manager import DeviceResidency
from tests.wet.control.conftest import close, config, filled, picture, run, text

OWN = ("input_hint_block", "zero_convs", "middle_block_out")
RANK = 2


def low_rank(tensors):
    """A Control-LoRA with changes of all matrices; norms from the file, other biases not."""
    found = {"lora_controlnet": torch.zeros(0)}
    generator = torch.Generator().manual_seed(5)
    for name, tensor in tensors.items():
        if name.startswith(OWN) or "norm" in name:
            found[name] = tensor
        elif tensor.ndim > 1:
            module, (out, *inner) = name.removesuffix(".weight"), tensor.shape
            ones = [1] * (tensor.ndim - 2)
            up = torch.randn(out, RANK, *ones, generator=generator) * 0.3
            found[f"{module}.up"] = up
            found[f"{module}.down"] = torch.randn(RANK, *inner, generator=generator) * 0.1
    return found


@pytest.fixture(scope="module")
def changes(tensors):
    return low_rank(tensors)


@pytest.fixture
def lora(changes, tmp_path):
    save_file(changes, tmp_path / "lora.safetensors")
    return load_control(tmp_path / "lora.safetensors")


def written_out(changes, model, tmp_path):
    """The same network as an ordinary file: the sums computed here, in fp64."""
    found = {}
    patched = model.net.patches
    for name in filled(ControlNet(config())):
        module = name.removesuffix(".weight")
        if name in changes:
            found[name] = changes[name]
            continue
        (tensor,) = model.net.sources[name].read_parts()
        for patch in patched.get(name, ()):
            tensor = patch.apply(tensor.float())
        if f"{module}.up" in changes:
            up, down = (changes[f"{module}.{part}"].double().flatten(1) for part in ("up", "down"))
            tensor = (tensor.double() + (up @ down).reshape(tensor.shape)).float()
        found[name] = tensor
    save_file(found, tmp_path / "whole.safetensors")
    return load_control(tmp_path / "whole.safetensors")


class Doubled:
    def apply(self, weight):
        return 2 * weight


def both(model, net, **more):
    found = controlled((text(), text(0.5)), Control(net, picture()), also_negative=False)
    return run(model, *found, **more)


@pytest.mark.parametrize("patched", [pytest.param(False, marks=pytest.mark.slow), True])
def test_it_equals_the_sum_written_to_a_file(model, lora, changes, patched, tmp_path):
    if patched:
        name = "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
        model = replace(model, net=PatchedWeights(model.net, {name: (Doubled(),)}))
    expected = both(model, written_out(changes, model, tmp_path))[0]
    found = both(model, lora)[0]
    assert close(found, expected)
    plain = run(model, text(), text(0.5))[0]
    assert not close(found, plain)


def test_with_little_memory_it_is_streamed_to_the_same_result(model, lora):
    expected = both(model, lora)[0]
    net = lora.on(model.net).weights
    found = controlled((text(), text(0.5)), Control(lora, picture()), also_negative=False)
    total = model.net.size + net.size
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
    room = ControlRun({"all": found[0]}, model.net, float, residency, lambda: None).room_for(
        (2, 4, 8, 8), model.family.activation_bytes(model.config, (2, 4, 8, 8), 4)
    )
    streamed, residency = both(model, lora, budget=total // 2 + room, block_limit=1)
    assert residency.held <= total // 2
    assert torch.equal(streamed, expected)


def test_one_network_per_model_which_goes_with_the_model(model, lora):
    patched = PatchedWeights(model.net, {"input_blocks.0.0.weight": (Doubled(),)})
    first, again, other = lora.on(model.net), lora.on(model.net), lora.on(patched)
    assert first.weights.base is again.weights.base is other.weights.base
    assert first.weights.patches == again.weights.patches != other.weights.patches
    (doubled, added) = other.weights.patches["input_blocks.0.0.weight"]
    assert isinstance(doubled, Doubled)
    assert isinstance(added, LowRank)
    gone = weakref.ref(first.weights.base)
    base = model.net.base
    del first, again, other
    assert gone() is not None  # as long as the model is there
    assert lora.on(base).weights.base is gone()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("input_hint_block.4.weight"), "looks like a Control-LoRA, but input_hint"),
        (
            lambda t: t.pop("input_blocks.0.0.down"),
            "the factors of input_blocks.0.0 do not fit: up .* down missing",
        ),
        (
            lambda t: t.update({"input_blocks.0.0.down": torch.zeros(3, 4, 3, 3)}),
            "the factors of input_blocks.0.0 do not fit",
        ),
    ],
)
def test_a_damaged_file_is_a_sentence(changes, tmp_path, change, said):
    changed = dict(changes)
    change(changed)
    save_file(changed, tmp_path / "lora.safetensors")
    with pytest.raises(WeightsError, match=said):
        load_control(tmp_path / "lora.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.update({"input_blocks.0.0.up": torch.zeros(64, 2, 1, 1)}),
            r"has \[64, 4, 3, 3\] for input_blocks.0.0.weight, where the model has \[32, 4, 3, 3\]",
        ),
        (
            lambda t: t.update({"input_blocks.9.0.up": torch.zeros(64, 2)} | DOWN),
            "changes 'input_blocks.9.0.(up|down)', which the model does not have",
        ),
        (
            lambda t: t.pop("zero_convs.1.0.bias"),
            "neither this Control-LoRA nor the model has zero_convs.1.0.bias",
        ),
    ],
)
def test_one_of_another_model_is_a_sentence(model, changes, tmp_path, change, said):
    changed = dict(changes)
    change(changed)
    save_file(changed, tmp_path / "lora.safetensors")
    with pytest.raises(NodeError, match=said) as raised:
        both(model, load_control(tmp_path / "lora.safetensors"))
    assert "choose one of the model's family" in str(raised.value)


DOWN = {"input_blocks.9.0.down": torch.zeros(2, 4)}
