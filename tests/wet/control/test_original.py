"""ControlNets of the original layout: recognised, refused with a sentence, added in place."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.control.original import OriginalControlNet
from engine.errors import NodeError, WeightsError
from engine.families.family import Run
from engine.inference.control import (
    Control,
    chain_of,
    controlled,
    load_control,
    on_top_of,
)
from engine.inference.control_run import ControlRun
from engine.inference.entries import prepared
from engine.inference.pictures import for_network
from engine.inference.shared_entries import shared_with_others
from engine.nets.controlnet import ControlNet, ControlNetConfig, controlnet_config
from engine.nets.layouts import regular_unet
from engine.residency.manager import DeviceResidency
from engine.weights.state_dict import StateDict
from tests.wet.control.conftest import HINTS, close, config, filled, picture, run, text


@pytest.mark.parametrize("prefix", ["", "control_model."])
@pytest.mark.parametrize("linear", [False, True])
def test_sizes_are_read_off_the_file(prefix, linear):
    made = filled(ControlNet(config(64, linear=linear, vector=16)))
    weights = StateDict.of({prefix + name: tensor for name, tensor in made.items()})
    found = OriginalControlNet().detect(weights)
    heads = {"head_channels": 64} if linear else {"heads": 8}
    assert found is not None
    assert found.net == controlnet_config({n: tuple(t.shape) for n, t in made.items()}, **heads)
    assert found.net.vector_channels == 16
    assert not found.averaged
    assert not found.difference


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("zero_convs.1.0.weight"), r"missing \(1\): zero_convs.1.0.weight"),
        (lambda t: t.pop("input_hint_block.8.weight"), "looks like a ControlNet, but not a comp"),
        (
            lambda t: t.update({"input_hint_block.14.weight": torch.zeros(7, 8, 3, 3)}),
            "its picture becomes 7 channels, the latent 32",
        ),
        (
            lambda t: t.update({"input_blocks.1.0.in_layers.2.weight": torch.zeros(32, 9, 3, 3)}),
            "takes 9 channels, 32 come in",
        ),
        (lambda t: t.pop("time_embed.0.weight"), "time_embed.0.weight should have"),
        (
            lambda t: t.update({"input_hint_block.0.weight": torch.zeros(8, 6, 3, 3)}),
            "its picture has 6 channels; Calotype gives pictures of 3",
        ),
        (
            lambda t: (t.clear(), t.update({"controlnet_blocks.0.weight": X})),
            "this is a ControlNet of another kind for a transformer model, .* docs/models.md lists",
        ),
        (
            lambda t: (t.clear(), t.update({"controlnet_blocks.0.y_rms.weight": X})),
            "a blockwise control network of Qwen-Image, .* load it with ModelPatchLoader",
        ),
        (
            lambda t: (t.clear(), t.update({"style_embedding": X})),
            "this is a style adapter, .* load it with Load Style Model",
        ),
        (
            lambda t: (t.clear(), t.update({"a.lora_up.weight": X})),
            "this is a LoRA, not a control network; load it with Load LoRA",
        ),
        (
            lambda t: (t.clear(), t.update({"x": X})),
            "of no known model family; 1 tensors, first keys: x",
        ),
    ],
)
def test_what_is_no_whole_controlnet_is_a_sentence(tensors, tmp_path, change, said):
    changed = dict(tensors)
    change(changed)
    save_file(changed, tmp_path / "cn.safetensors")
    with pytest.raises(WeightsError, match=said) as raised:
        load_control(tmp_path / "cn.safetensors")
    assert str(raised.value).startswith("cn.safetensors")


X = torch.zeros(4)


def test_it_is_added_where_the_way_up_takes_the_skips(model, net):
    """Against the definition: zero convolutions after every block of a copy of the encoder half."""
    x, time, context = torch.randn(2, 4, 8, 8), torch.tensor([3.0, 500.0]), torch.randn(2, 5, 64)
    shown = for_network(picture(), 64, 64)
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
    with torch.no_grad(), residency.use(net.weights, model.net):
        module, unet = net.weights.module, model.net.module
        found = module(x, time, module.input_hint_block(shown), context)
        assert [len(found.input), len(found.middle), len(found.output)] == [0, 1, 4]
        plain = unet(x, time, context)
        seen = []
        for block in unet.output_blocks:
            block.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
        steered = unet(x, time, context, control=found)
    assert not torch.allclose(plain, steered)
    assert [tuple(each.shape[1:]) for each in found.output] == [
        (64, 4, 4), (32, 4, 4), (32, 8, 8), (32, 8, 8),
    ]  # fmt: skip


def test_strength_time_and_chain(model, net):
    positive, negative = text(), text(0.5)

    def with_control(*controls):
        found = positive, negative
        for control in controls:
            found = controlled(found, control, also_negative=False)
        return run(model, *found)[0]

    shown = picture()
    plain = run(model, positive, negative)[0]
    full = with_control(Control(net, shown))
    assert not torch.allclose(plain, full)
    # Before its start it changes nothing; two of half the strength equal one.
    assert torch.equal(with_control(Control(net, shown, start=0.999, end=1.0)), plain)
    halves = with_control(Control(net, shown, 0.5), Control(net, shown, 0.5))
    assert torch.allclose(halves, full, atol=1e-4)
    part = with_control(Control(net, shown, end=0.5))
    assert not torch.allclose(part, full)
    assert not torch.allclose(part, plain)


def test_one_picture_for_all_rows_or_one_for_each(model, net):
    shown = picture(2)

    def both(pictures):
        found = controlled((text(), text(0.5)), Control(net, pictures), also_negative=False)
        return run(model, *found, rows=2)[0]

    alike = both(shown[:1])
    assert close(both(shown[:1].repeat(2, 1, 1, 1)), alike)
    each = both(shown)
    assert close(each[0], alike[0])
    assert not torch.allclose(each[1], alike[1])


def test_the_old_node_steers_the_negative_too(model, net):
    control = Control(net, picture())
    advanced = controlled((text(), text(0.5)), control, also_negative=False)
    (positive,) = controlled((text(),), control, also_negative=True)
    assert torch.equal(run(model, positive, text(0.5))[0], run(model, *advanced)[0])
    given = shared_with_others({"positive": positive, "negative": text(0.5)})
    assert given["negative"][0][1]["control"] is positive[0][1]["control"]
    own = controlled((text(0.5),), Control(net, picture()), also_negative=False)[0]
    kept = shared_with_others({"positive": positive, "negative": own})
    assert kept["negative"] == own
    twice = shared_with_others({"positive": [*positive, *positive], "negative": text(0.5)})
    assert len(twice["negative"]) == 2
    areas = controlled((text(area=(4, 4, 0, 0)),), control, also_negative=True)[0]
    negative = text()
    assert shared_with_others({"positive": areas, "negative": negative})["negative"] == negative


def test_entries_with_the_same_chain_share_calls_and_others_do_not(model, net):
    control = Control(net, picture())
    positive, negative = controlled((text(), text(0.5)), control, also_negative=False)
    calls = []

    class Counting(type(model.family)):
        def predict(self, net, x, *args, **more):
            calls.append((len(x), more["control"] is not None))
            return super().predict(net, x, *args, **more)

    counted = replace(model, family=Counting())
    run(counted, positive, negative)
    assert calls == [(2, True)] * 3
    calls.clear()
    run(counted, positive, text(0.5))
    assert calls == [(1, True), (1, False)] * 3
    calls.clear()
    run(counted, [*positive, *text(0.1)], negative)
    assert calls == [(2, True), (1, False)] * 3


def test_pictures_are_looked_at_once_and_weights_are_held_for_the_run(model, net):
    looked = []
    net.weights.module.input_hint_block.register_forward_hook(lambda *_: looked.append(1))
    control = Control(net, picture())
    found = controlled((text(), text(0.5)), control, also_negative=False)
    expected, residency = run(model, *found)
    assert looked == [1]
    both = model.net.size + net.weights.size
    assert residency._rooms == []
    # With too little memory for both, blocks are streamed; the result is the same.
    activations = ControlRun({"all": found[0]}, model.net, float, residency, lambda: None).room_for(
        (2, 4, 8, 8), model.family.activation_bytes(model.config, (2, 4, 8, 8), 4)
    )
    streamed, residency = run(model, *found, budget=both // 2 + activations, block_limit=1)
    assert residency.held <= both // 2
    assert torch.equal(streamed, expected)


def test_a_controlnet_of_another_model_is_a_sentence(model, tmp_path):
    def with_net(made):
        save_file(filled(ControlNet(made)), tmp_path / "other.safetensors")
        control = Control(load_control(tmp_path / "other.safetensors"), picture())
        found = controlled((text(), text()), control, also_negative=False)
        return run(model, *found)

    with pytest.raises(NodeError, match=r"adds \[128.*made for another model"):
        with_net(config(64))
    with pytest.raises(NodeError, match="a vector of sizes 16 wide, the model gives none"):
        with_net(config(vector=16))
    wide = regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1)
    other = ControlNetConfig(4, 32, 128, None, wide.input_blocks, wide.middle_block, (*HINTS, 32))
    with pytest.raises(NodeError, match="text tokens 48 wide, the model gives those of 64"):
        with_net(other)


def test_pictures_of_any_size_and_channels_are_cut_to_the_latent_s_proportions():
    wide = torch.arange(4.0).reshape(1, 1, 4, 1).expand(1, 2, 4, 1)
    found = for_network(wide, 4, 4)
    assert found.shape == (1, 3, 4, 4)
    assert found[0, 0, 0].tolist() == [1, 1, 2, 2]
    assert for_network(torch.zeros(1, 8, 8, 4), 8, 8).shape == (1, 3, 8, 8)


def test_differences_are_added_to_the_model_s_weights(model, net):
    found = on_top_of(net, model)
    shared = set(found.weights.patches)
    assert "input_blocks.0.0.weight" in shared
    assert not any("zero_convs" in name for name in shared)
    name = "input_blocks.0.0.weight"
    (patch,) = found.weights.patches[name]
    mine, theirs = net.weights.sources[name], model.net.sources[name]
    expected = mine.read_parts()[0] + theirs.read_parts()[0]
    assert torch.equal(patch.apply(mine.read_parts()[0]), expected)


def test_room_is_planned_for_what_it_computes_and_keeps(net, model, cpu_residency):
    control = Control(net, picture(2))
    entries = controlled((text(),), control, also_negative=False)[0]
    planned = ControlRun(
        {"positive": entries}, model.net, lambda share: share, cpu_residency, lambda: None
    )
    shape = (2, 4, 8, 8)
    kept = 2 * (32 * 64 * 2 + 32 * 16 + 64 * 16 + 64 * 16) * 4
    assert planned.room_for(shape, 10**9) == 10**9 + 2 * kept
    assert planned.features_bytes(shape) == 2 * 64 * 32 * 4
    assert planned.weights == (net.weights,)
    empty = ControlRun(
        {"positive": text()}, model.net, lambda share: share, cpu_residency, lambda: None
    )
    assert (empty.room_for(shape, 7), empty.features_bytes(shape), empty.weights) == (7, 0, ())


def test_regions_bring_their_chain(model, net):
    first = Control(net, picture())
    entries = controlled((text(),), first, also_negative=False)[0]
    entries = controlled((entries,), Control(net, picture(), 0.5), also_negative=False)[0]
    chain = chain_of(entries[0][1])
    assert [link.strength for link in chain] == [1.0, 0.5]
    assert prepared(entries, model, Run((1, 4, 8, 8)))[0].networks == chain
