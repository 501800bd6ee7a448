"""The nodes of control networks: files are found and watched, conditionings not modified."""

import os

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError, WeightsError
from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.controlnet_union import ControlNetUnion, UnionConfig
from engine.nets.layouts import regular_unet
from engine.nodekit.context import RunningContext
from nodes.control import (
    UNION_TYPES,
    control_net_apply,
    control_net_apply_advanced,
    control_net_apply_inpainting,
    control_net_apply_vae,
    load_control_net,
    load_control_net_difference,
    set_union_type,
)
from nodes.loaders import load_checkpoint_file

IMAGE = torch.rand(1, 16, 16, 3)


@pytest.fixture
def shown():
    return []


@pytest.fixture
def context(files, settings, small_tensors, shown):
    models = settings.models_directories[0]
    for kind in ("checkpoints", "controlnet"):
        (models / kind).mkdir(parents=True)
    save_file(small_tensors, models / "checkpoints" / "small.safetensors")
    unet = regular_unet(32, (1, 2), (1, 1), context=64, heads=8, blocks=1)
    blocks = unet.input_blocks, unet.middle_block
    net = ControlNet(ControlNetConfig(4, 32, 128, None, *blocks, (3, *(8,) * 7, 32)))
    tensors = dict(net.state_dict())
    union = ControlNetUnion(net.config, UnionConfig(6, 6, 32, 64, 1))
    save_file(dict(union.state_dict()), models / "controlnet" / "union.safetensors")
    save_file(tensors, models / "controlnet" / "lines.safetensors")
    save_file({**tensors, "difference": torch.zeros(1)}, models / "controlnet" / "less.safetensors")
    save_file({"lora_controlnet": torch.zeros(1)}, models / "controlnet" / "lora.safetensors")

    class Watched(RunningContext):
        def show(self, **more):
            shown.append(more)

    return Watched("1", files)


def text(value: float = 1.0):
    return [[torch.full((1, 4, 64), value), {"pooled_output": None}]]


def test_files_are_found_followed_and_told_apart(context, files, shown):
    found = load_control_net("lines.safetensors", context)
    assert not found.is_difference
    assert shown == []
    given = {"control_net_name": "lines.safetensors"}
    before = load_control_net.fingerprint_of(given, context)
    os.utime(files.find("controlnet", "lines.safetensors"), ns=(1, 1))
    assert load_control_net.fingerprint_of(given, context) != before
    with pytest.raises(WeightsError, match=r"lora\.safetensors: looks like a Control-LoRA, but"):
        load_control_net("lora.safetensors", context)


def test_differences_are_added_to_a_model_or_said_to_be_some(context, shown):
    model, _, _ = load_checkpoint_file("small.safetensors", context)
    assert load_control_net("less.safetensors", context).is_difference
    assert "Load ControlNet Model (diff) adds the model's weights" in shown[0]["text"][0]
    added = load_control_net_difference(model, "less.safetensors", context)
    assert added.weights.patches
    plain = load_control_net_difference(model, "lines.safetensors", context)
    assert not plain.weights.patches


def test_conditionings_are_left_alone_and_strength_0_changes_nothing(context):
    net = load_control_net("lines.safetensors", context)
    positive, negative = text(), text(0.5)
    found, other = control_net_apply_advanced(
        positive, negative, net, IMAGE, 0.7, 0.1, 0.9, ctx=context
    )
    assert "control" not in positive[0][1]
    assert found[0][0] is positive[0][0]
    control = found[0][1]["control"]
    assert control is other[0][1]["control"]
    assert (control.strength, control.start, control.end) == (0.7, 0.1, 0.9)
    assert not found[0][1]["control_apply_to_uncond"]
    old = control_net_apply(found, net, IMAGE, 0.3)
    assert [link.strength for link in old[0][1]["control"].chain] == [0.7, 0.3]
    assert old[0][1]["control_apply_to_uncond"]
    assert control_net_apply(positive, net, IMAGE, 0.0) is positive
    unchanged = control_net_apply_advanced(positive, negative, net, IMAGE, 0.0, ctx=context)
    assert unchanged == (positive, negative)


@pytest.mark.parametrize(("start", "end"), [(0.8, 0.2), (0.5, 0.5), (0.0, 0.0)])
def test_a_time_range_without_a_step_is_said_to_have_no_effect(context, shown, start, end):
    net = load_control_net("lines.safetensors", context)
    control_net_apply_advanced(text(), text(), net, IMAGE, 1.0, start, end, ctx=context)
    assert f"starts at {start:g} of the run and ends at {end:g}" in shown[0]["text"][0]


def test_a_union_gets_the_type_in_the_order_of_its_rows(context, shown):
    net = load_control_net("union.safetensors", context)
    assert net.config.chosen is None
    for number, name in enumerate(UNION_TYPES[:6]):
        assert set_union_type(net, name, context).config.chosen == number
    assert set_union_type(set_union_type(net, "depth", context), "auto", context) == net
    assert shown == []
    with pytest.raises(NodeError, match="has 6 types of pictures"):
        set_union_type(net, "repaint", context)
    plain = load_control_net("lines.safetensors", context)
    assert set_union_type(plain, "depth", context) == plain
    assert "has no types of pictures" in shown[0]["text"][0]


def test_a_hole_is_minus_one_where_the_mask_is_over_a_half(context):
    net = load_control_net("lines.safetensors", context)
    mask = torch.zeros(16, 16)
    mask[:8] = 1.0
    found, other = control_net_apply_inpainting(
        text(), text(), net, None, IMAGE, mask, 0.7, 0.1, 0.9, ctx=context
    )
    control = found[0][1]["control"]
    assert control is other[0][1]["control"]
    assert (control.strength, control.start, control.end) == (0.7, 0.1, 0.9)
    assert (control.picture[:, :8] == -1).all()
    assert torch.equal(control.picture[:, 8:], IMAGE[:, 8:])
    small = torch.stack((torch.zeros(4, 4), torch.full((4, 4), 0.6)))
    given = control_net_apply_inpainting(
        text(), text(), net, None, IMAGE.repeat(3, 1, 1, 1), small, ctx=context
    )[0][0][1]["control"].picture
    assert [bool((each == -1).all()) for each in given] == [False, True, False]
    one = control_net_apply_inpainting(text(), text(), net, None, IMAGE, small, ctx=context)
    given = one[0][0][1]["control"].picture
    assert [bool((each == -1).all()) for each in given] == [False, True]
    with pytest.raises(NodeError, match="the mask is empty"):
        control_net_apply_inpainting(
            text(), text(), net, None, IMAGE, torch.zeros(0, 4, 4), ctx=context
        )
    union = load_control_net("union.safetensors", context)
    with pytest.raises(NodeError, match="not known how a union ControlNet expects a hole"):
        control_net_apply_inpainting(text(), text(), union, None, IMAGE, mask, ctx=context)


def test_the_node_with_a_vae_does_the_same(context):
    net = load_control_net("lines.safetensors", context)
    found, _ = control_net_apply_vae(text(), text(), net, None, IMAGE, 0.7, 0.1, 0.9, ctx=context)
    control = found[0][1]["control"]
    assert (control.strength, control.start, control.end) == (0.7, 0.1, 0.9)
    assert control.picture is IMAGE
