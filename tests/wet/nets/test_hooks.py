"""Hooks and residuals in the UNet, and that nothing changes without them."""

from __future__ import annotations

import pytest
import torch

from engine.nets.hooks import NetHooks, Residuals, through_block
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.nets.unet_names import unet_names

CONFIG = regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1)


@pytest.fixture
def net(fill):
    return fill(lambda: UNet(CONFIG))


@pytest.fixture
def call(net):
    torch.manual_seed(0)
    x, context = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 48)
    return lambda **more: net(x, torch.tensor([3.0, 500.0]), context, **more)


def same(*values):
    return values[:-1] if len(values) > 2 else values[0]


def test_hooks_that_change_nothing_change_nothing(call):
    hooks = NetHooks()
    for kind in (
        "attn1_patch",
        "attn2_patch",
        "attn1_output_patch",
        "attn2_output_patch",
        "input_block_patch",
        "input_block_patch_after_skip",
        "middle_block_patch",
        "output_block_patch",
    ):
        hooks = hooks.with_patch(kind, same)
    assert (call(hooks=hooks) - call()).abs().max() < 1e-5


def test_every_block_is_addressed_as_the_ecosystem_does(call):
    seen = []

    def note(q, k, v, options):
        seen.append((*options["block"], options["block_index"], options["n_heads"]))
        return q, k, v

    call(hooks=NetHooks(options={"sigmas": 1}).with_patch("attn2_patch", note))
    assert seen == [
        ("input", 1, 0, 8),
        ("input", 3, 0, 8),
        ("middle", 0, 0, 8),
        ("output", 0, 0, 8),
        ("output", 1, 0, 8),
        ("output", 2, 0, 8),
        ("output", 3, 0, 8),
    ]


@pytest.mark.parametrize("place", [("input", 3), ("input", 3, 0)])
def test_an_attention_is_replaced_at_its_place_alone(call, place):
    calls = []

    def nothing(q, k, v, options):
        calls.append((q.shape, k.shape, options["block"]))
        return torch.zeros_like(q)

    found = call(hooks=NetHooks().with_replacement("attn2", place, nothing))
    assert calls == [((2, 16, 64), (2, 5, 64), ("input", 3))]
    assert (found - call()).abs().max() > 1e-3


def test_residuals_are_added_where_they_belong(net, call):
    plain = call()
    nothing = Residuals(
        input=[None, None], middle=[torch.zeros(2, 64, 4, 4)], output=[torch.zeros(2, 64, 4, 4)]
    )
    assert torch.equal(call(control=nothing), plain)
    for control in (
        Residuals(input=[torch.ones(2, 32, 8, 8)]),
        Residuals(middle=[torch.ones(2, 64, 4, 4)]),
        Residuals(output=[torch.ones(2, 64, 4, 4)]),
    ):
        assert (call(control=control) - plain).abs().max() > 1e-3


def test_diffusers_names_are_those_of_diffusers(net, diffusers_unet):
    oracle = diffusers_unet(
        net,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64),
        cross_attention_dim=48,
        attention_head_dim=8,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
    )
    names = unet_names(CONFIG)
    theirs = oracle.state_dict()
    modules = {name.rpartition(".")[0] for name in theirs}
    assert set(names) == modules
    ours = net.state_dict()
    for name, original in names.items():
        expected = ours[f"{original}.weight"]
        assert torch.equal(theirs[f"{name}.weight"], expected), name


def test_a_block_is_called_through_its_replacement():
    def block(inputs):
        return {"img": inputs["img"] + 1}

    def doubled(inputs, extra):
        assert inputs["transformer_options"]["block"] == ("double_block", 1)
        return {"img": 2 * extra["original_block"](inputs)["img"]}

    hooks = NetHooks().with_replacement("dit", ("double_block", 1), doubled)
    given = {"img": torch.ones(1), "txt": torch.zeros(1)}
    assert through_block(None, ("double_block", 1), given, block)["img"] == 2
    assert through_block(hooks, ("double_block", 0), given, block)["img"] == 2
    assert through_block(hooks, ("double_block", 1), given, block)["img"] == 4
