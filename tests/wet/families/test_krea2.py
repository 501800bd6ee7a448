"""Krea 2's denoiser against diffusers on tiny random nets, and its files."""

from __future__ import annotations

import os

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.family import Entry, Run
from engine.families.krea2 import keys
from engine.families.krea2.family import Krea2Family
from engine.families.krea2.network import AttentionSizes, Krea2, Krea2Config
from engine.nets.hooks import NetHooks
from engine.weights.state_dict import StateDict
from tests.wet.alive import Alive

TINY = Krea2Config(
    in_channels=64,
    time_channels=32,
    blocks=2,
    block=AttentionSizes(128, 64, 32, 160),
    layers=3,
    layerwise=1,
    refiners=2,
    text=AttentionSizes(48, 48, 16, 96),
)
FULL = Krea2Config(
    in_channels=64,
    time_channels=256,
    blocks=28,
    block=AttentionSizes(6144, 1536, 128, 16384),
    layers=12,
    layerwise=2,
    refiners=2,
    text=AttentionSizes(2560, 2560, 128, 6912),
)


def filled(config=TINY):
    with torch.device("meta"):
        net = Krea2(config)
    generator = torch.Generator().manual_seed(5)
    state = {
        name: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5 / 2
        for name, tensor in net.state_dict().items()
    }
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


def diffusers_class():
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import Krea2Transformer2DModel

    return Krea2Transformer2DModel


@pytest.fixture(scope="module")
def oracle():
    """Diffusers' network of the same weights, which it converts itself."""
    from diffusers.loaders import single_file_utils

    state = {name: tensor.clone() for name, tensor in filled().state_dict().items()}
    oracle = diffusers_class()(
        num_layers=2,
        attention_head_dim=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=160,
        timestep_embed_dim=32,
        text_hidden_dim=48,
        num_text_layers=3,
        text_num_attention_heads=3,
        text_num_key_value_heads=3,
        text_intermediate_size=96,
        num_layerwise_text_blocks=1,
        axes_dims_rope=[8, 12, 12],
    )
    oracle.load_state_dict(
        single_file_utils.convert_krea2_transformer_checkpoint_to_diffusers(state)
    )
    return oracle.eval()


def off(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


def packed(x):
    batch, channels, _, rows, columns = x.shape
    x = x.reshape(batch, channels, rows // 2, 2, columns // 2, 2)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * 4)


def asked(net, x, time, entry, hooks=None):
    family, run = Krea2Family(), Run(x.shape)
    inputs = family.inputs(net.config, entry, run=run, role=Role.POSITIVE)
    given = {name: one.value.expand(len(x), *one.value.shape[1:]) for name, one in inputs.items()}
    return family.predict(net, x, time, given, control=None, hooks=hooks, checkpoint=lambda: None)


@pytest.mark.parametrize(("rows", "is_masked"), [(1, False), (2, False), (1, True)])
def test_equals_diffusers(oracle, rows, is_masked):
    net = filled()
    x, context = torch.randn(rows, 16, 1, 6, 10), torch.randn(1, 7, 3 * 48)
    time, mask = torch.tensor([0.8, 0.3])[:rows], torch.tensor([[1, 1, 1, 1, 1, 0, 0]])
    places = torch.cartesian_prod(torch.zeros(1), torch.arange(3.0), torch.arange(5.0))
    with torch.no_grad():
        found = asked(net, x, time, Entry(context, {"attention_mask": mask} if is_masked else {}))
        expected = oracle(
            hidden_states=packed(x),
            encoder_hidden_states=context.reshape(1, 7, 3, 48).expand(rows, -1, -1, -1),
            timestep=time,
            position_ids=torch.cat((torch.zeros(7, 3), places)),
            encoder_attention_mask=mask.bool() if is_masked else None,
        ).sample
    assert off(packed(found), expected) < 1e-5  # seen: under 1e-6


def test_both_layouts_are_the_same_network(oracle):
    family, net = Krea2Family(), filled()
    own = {f"model.diffusion_model.{name}": t for name, t in net.state_dict().items()}
    for weights in (StateDict.of(own), StateDict.of(oracle.state_dict())):
        assert family.detect(weights) == TINY
        found = family.denoiser(TINY, weights)
        assert found.shapes == {name: tuple(t.shape) for name, t in net.state_dict().items()}
        assert all(torch.equal(found[name], t) for name, t in net.state_dict().items())
    del own["model.diffusion_model.first.weight"]
    with pytest.raises(WeightsError, match=r"first\.weight is missing"):
        family.detect(StateDict.of(own))


def test_adapters_find_diffusers_names(oracle):
    ours = {name.removesuffix(".weight") for name in filled().state_dict()}
    theirs = {name.removesuffix(".weight") for name in oracle.state_dict()}
    for name, module in keys.lora_names(TINY).items():
        assert module in ours
        assert name in theirs
    linear = {name for name, layer in filled().named_modules() if hasattr(layer, "in_features")}
    assert set(keys.lora_names(TINY).values()) == linear


def test_blocks_are_replaced_and_half_precision_stays_close():
    net = filled()
    x, time = torch.randn(1, 16, 1, 4, 4), torch.tensor([0.5])
    entry = Entry(torch.randn(1, 3, 3 * 48), {})
    with torch.no_grad():
        plain = asked(net, x, time, entry)

        def skip(given, extra):
            del extra
            return {"img": given["img"]}

        hooks = NetHooks().with_replacement("dit", ("single_block", 1), skip)
        assert off(asked(net, x, time, entry, hooks), plain) > 1e-4
        half = torch.bfloat16
        found = asked(net.to(half), x.to(half), time, Entry(entry.embedding.to(half), {}))
    assert found.dtype == half
    assert off(found.float(), plain) < 3e-2  # seen: 8e-3


def test_full_size_files_have_the_published_sizes():
    with torch.device("meta"):
        oracle = diffusers_class()(num_layers=1)
    state = oracle.state_dict()
    blocks = {name: t for name, t in state.items() if name.startswith("transformer_blocks.0.")}
    for i in range(1, 28):
        state |= {name.replace(".0.", f".{i}.", 1): t for name, t in blocks.items()}
    assert Krea2Family().detect(StateDict.of(state)) == FULL
    net = Krea2Family().build(FULL)
    found = Krea2Family().denoiser(FULL, StateDict.of(state))
    assert found.shapes == {name: tuple(t.shape) for name, t in net.state_dict().items()}
    assert FULL.axes == (32, 48, 48)
    # 12.8 billion, as published.
    assert sum(each.numel() for each in net.parameters()) == 12_820_073_036


def test_conditionings_of_other_models_are_refused():
    entry = Entry(torch.zeros(1, 3, 2560), {})
    with pytest.raises(NodeError, match=r"have 2560 numbers, the model takes 144.*type krea2"):
        Krea2Family().inputs(TINY, entry, run=Run((1, 16, 1, 4, 4)), role=Role.POSITIVE)


def test_the_estimate_of_memory_holds_what_is_alive():
    net, family = filled(), Krea2Family()
    x, context = torch.randn(2, 16, 1, 48, 48), torch.randn(2, 128, 3 * 48)
    with torch.inference_mode(), Alive(net) as alive:
        net(x, torch.tensor([0.5, 0.1]), context)
    expected = family.activation_bytes(TINY, x.shape, 4)
    assert 1.2 * alive.most < expected < 6 * alive.most, expected / alive.most
