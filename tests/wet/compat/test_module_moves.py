"""Modules that plugins move to the device by themselves count in the memory budget."""

import gc

import pytest
import torch
from torch import nn

from engine.compat import attribution
from engine.compat.host import module_moves
from engine.compat.host.memory import reserve_for_module
from engine.compat.isolation.stand_ins import Handles
from engine.compat.sampling.values import patcher_of
from engine.errors import NodeError, OutOfMemoryError
from engine.residency import manager

KILOBYTE = 1024


@pytest.fixture
def device(monkeypatch):
    """A residency of a device with a budget of a megabyte."""
    before = {name: getattr(nn.Module, name) for name, _ in module_moves._TARGETS}
    module_moves.install(reserve_for_module)
    made = manager.DeviceResidency(torch.device("meta"), torch.float32, budget=1 << 20)
    with manager.installed(made):
        yield made
    for name, each in before.items():
        setattr(nn.Module, name, each)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Runs an expression as a plugin's code, with these names."""
    monkeypatch.setattr(attribution, "_folders", [])
    attribution.set_plugin_folders([tmp_path])

    def run(expression, **names):
        code = compile(expression, str(tmp_path.resolve() / "pack" / "nodes.py"), "eval")
        return eval(code, {"torch": torch, "__name__": "pack.nodes", **names})

    return run


def linear(kilobytes):
    return nn.Linear(256, kilobytes, bias=False)


def taken(device):
    return device.budget - device.free


def test_a_move_is_counted_until_the_module_leaves(device, plugin):
    module = linear(400)
    assert plugin("m.to('meta')", m=module) is module
    assert taken(device) == 400 * KILOBYTE
    plugin("m.to(device='meta')", m=module)
    assert taken(device) == 400 * KILOBYTE, "it is there already"
    plugin("m.to_empty(device='cpu')", m=module)
    assert taken(device) == 0


def test_parts_count_once_and_the_type_after_the_move_counts(device, plugin):
    whole = nn.Sequential(linear(200), linear(400))
    plugin("m[0].to('meta')", m=whole)
    plugin("m.to('meta', torch.float16)", m=whole)
    assert taken(device) == (200 + 200) * KILOBYTE
    plugin("m.to_empty(device='cpu')", m=whole)
    assert taken(device) == 0


def test_a_module_that_is_gone_takes_nothing(device, plugin):
    module = plugin("m.to('meta')", m=linear(400))
    assert taken(device) == 400 * KILOBYTE
    del module
    gc.collect()
    assert taken(device) == 0


def test_one_that_does_not_fit_stays_where_it_is(device, plugin):
    first, second = linear(700), linear(700)
    plugin("m.to('meta')", m=first)
    with pytest.raises(OutOfMemoryError, match="does not fit"):
        plugin("m.to('meta')", m=second)
    assert second.weight.device.type == "cpu"
    assert taken(device) == 700 * KILOBYTE


def test_what_is_moved_by_others_or_is_not_a_plugin_s_is_not_counted(device, plugin):
    linear(100).to("meta")
    engines = type("Ours", (nn.Linear,), {"__module__": "engine.nets.ours"})(256, 100)
    plugin("m.to('meta')", m=engines)
    plugin("m.to(torch.float16)", m=linear(100))
    with pytest.raises(TypeError):
        plugin("m.to('no device', 1, 2, 3)", m=linear(1))
    assert taken(device) == 0


def test_what_is_no_model_is_said_in_words_of_a_user():
    with pytest.raises(TypeError, match="asked to run with a text, which is no diffusion model"):
        patcher_of("model")
    stand_in = Handles(lambda kind: f"a {kind} is an object of the worker").stand_in(1, "Model")
    with pytest.raises(NodeError, match="a Model is an object of the worker"):
        patcher_of(stand_in)
