"""Functions of the host that plugins replace, and that our networks then call."""

from functools import partial

import pytest
import torch

from engine.compat.boundary import plugin_boundary
from engine.compat.install import host_module
from engine.compat.sampling import path as plugin_path
from engine.inference import sampling_path
from engine.nets import attention, unet
from engine.nets.hooks import NetHooks, Residuals

UNET = "comfy.ldm.modules.diffusionmodules.openaimodel"


@pytest.fixture(autouse=True)
def installed(facade):
    plugin_path.install()
    yield
    sampling_path.take(None)
    attention.attend_by(None)
    attention.blocks_by(None)
    unet.forward_by(None)


@pytest.mark.parametrize("name", ["apply_control", "forward_timestep_embed"])
def test_a_function_around_the_original_changes_nothing_but_is_called(
    model, run, monkeypatch, name
):
    plain = run(model)
    host, calls = host_module(UNET), []
    original = getattr(host, name)

    def around(*args, **kwargs):
        calls.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(host, name, around)
    assert torch.allclose(run(model), plain, rtol=1e-4, atol=1e-4)
    blocks = 4 + 1 + 4 if name == "apply_control" else 9
    assert len(calls) == 2 * blocks


def test_patches_and_control_act_in_the_hosts_form(model, monkeypatch):
    net = model.net.module
    torch.manual_seed(3)
    x, time, text = torch.randn(2, 4, 9, 7), torch.tensor([5.0, 5.0]), torch.randn(2, 5, 48)
    shapes = []
    net(
        x,
        time,
        text,
        hooks=NetHooks().with_patch("input_block_patch", lambda h, o: _seen(shapes, h)),
    )
    control = Residuals([torch.randn(each) for each in shapes])
    hooks = (
        NetHooks()
        .with_patch("attn1_output_patch", lambda out, options: out * options["block"][1] * 0.5)
        .with_patch("output_block_patch", lambda h, skip, options: (h * 1.1, skip))
        .with_replacement("attn2", ("middle", 0, 0), lambda q, k, v, options: q)
    )
    plain = net(x, time, text, hooks=hooks, control=control)
    host = host_module(UNET)
    original = host.apply_control
    monkeypatch.setattr(host, "apply_control", partial(original))
    assert torch.allclose(net(x, time, text, hooks=hooks, control=control), plain, atol=1e-5)
    monkeypatch.setattr(host, "apply_control", lambda h, c, name: h)
    assert not torch.allclose(net(x, time, text, hooks=hooks, control=control), plain, atol=1e-5)


def _seen(shapes, h):
    shapes.append(tuple(h.shape))
    return h


def test_a_replaced_method_of_transformer_blocks_is_called(model, run, monkeypatch):
    plain = run(model)
    block = host_module("comfy.ldm.modules.attention").BasicTransformerBlock
    original, seen = block.forward, []

    def forward(self, x, context=None, transformer_options={}):  # noqa: B006 - as plugins write it
        seen.append((isinstance(self, block), dict(transformer_options)))
        return original(self, x, context, transformer_options) * 1.0

    monkeypatch.setattr(block, "forward", forward)
    assert torch.equal(run(model), plain)
    assert all(is_block for is_block, _ in seen)
    patcher = plugin_boundary().to_object(model)
    patcher.set_model_attn1_output_patch(lambda out, options: out * 0)
    changed = run(patcher.to_value())
    assert not torch.equal(changed, plain)
    assert seen[-1][1]["block"][0] == "output"
    monkeypatch.setattr(block, "forward", original)
    assert torch.equal(run(patcher.to_value()), changed)


def test_attention_of_the_options_attends_in_our_networks(model, run):
    plain, calls = run(model), []
    patcher = plugin_boundary().to_object(model)

    def override(attend, q, k, v, heads, *args, **kwargs):
        calls.append((heads, "cond_or_uncond" in kwargs["transformer_options"]))
        return attend(q, k, v, heads, *args, **kwargs)

    options = patcher.model_options["transformer_options"]
    options["optimized_attention_override"] = override
    value = patcher.to_value()
    assert torch.allclose(run(value), plain, rtol=1e-4, atol=1e-4)
    assert calls[0] == (8, True)
    options["optimized_attention_override"] = lambda attend, q, k, v, heads, **kwargs: (
        v[:, :1] * 0 + q
    )
    assert not torch.allclose(run(patcher.to_value()), plain, rtol=1e-2, atol=1e-2)
    count = len(calls)
    run(model)
    assert len(calls) == count
