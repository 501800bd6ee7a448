"""AuraFlow's denoiser against diffusers on tiny random nets, and its files."""

from __future__ import annotations

import os

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.auraflow import keys
from engine.families.auraflow.family import AuraFlowFamily, combine
from engine.families.auraflow.network import AuraFlow, AuraFlowConfig
from engine.families.detect import detect, text_plan
from engine.families.family import Entry, Run
from engine.nets.hooks import NetHooks
from engine.text.encoder import Encoded
from engine.text.t5 import PILE_T5XL
from engine.weights.state_dict import StateDict
from tests.wet.alive import Alive

TINY = AuraFlowConfig(16, 24, 512, 1536, 1, 2, 8, 64)
FULL = AuraFlowConfig(16, 2048, 3072, 8192, 4, 32, 8, 1024)


def filled(config=TINY):
    with torch.device("meta"):
        net = AuraFlow(config)
    generator = torch.Generator().manual_seed(5)
    state = {
        name: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5
        for name, tensor in net.state_dict().items()
    }
    for name in (keys.PLACES, keys.REGISTERS):
        state[name] = torch.randn(state[name].shape, generator=generator) * 0.2
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def net():
    return filled()


@pytest.fixture(scope="module")
def oracle(net):
    """Diffusers' network of the same weights, which it converts itself."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import AuraFlowTransformer2DModel
    from diffusers.loaders import single_file_utils

    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    oracle = AuraFlowTransformer2DModel(
        num_mmdit_layers=1, num_single_dit_layers=2, attention_head_dim=256, num_attention_heads=2,
        joint_attention_dim=24, caption_projection_dim=512, pos_embed_max_size=64,
    )  # fmt: skip
    oracle.load_state_dict(
        single_file_utils.convert_auraflow_transformer_checkpoint_to_diffusers(state)
    )
    return oracle.eval()


def off(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


def asked(net, x, time, context, hooks=None):
    family, run = AuraFlowFamily(), Run(x.shape)
    inputs = family.inputs(net.config, Entry(context, {}), run=run, role=Role.POSITIVE)
    given = {name: one.value.expand(len(x), *one.value.shape[1:]) for name, one in inputs.items()}
    return family.predict(net, x, time, given, control=None, hooks=hooks, checkpoint=lambda: None)


@pytest.mark.parametrize("size", [(8, 8), (16, 6), (10, 14)])
def test_equals_diffusers(net, oracle, size):
    x, time, context = torch.randn(2, 4, *size), torch.tensor([0.8, 0.3]), torch.randn(1, 7, 24)
    with torch.no_grad():
        expected = oracle(x, context.expand(2, -1, -1), time).sample
    assert off(asked(net, x, time, context), expected) < 1e-5  # seen: under 2e-6


def test_pictures_larger_than_the_table_of_positions(net):
    # Twice as many rows of positions as the table has: theirs are between the table's.
    places = net._places(16, 16).unflatten(1, (16, 16))[0]
    table = net.positional_encoding.detach().unflatten(1, (8, 8))[0]
    assert torch.allclose(places[0, 0], table[0, 0], atol=1e-6)
    assert torch.allclose(places[1, 0], 0.75 * table[0, 0] + 0.25 * table[1, 0], atol=1e-6)
    found = asked(net, torch.randn(1, 4, 20, 40), torch.tensor([0.5]), torch.randn(1, 3, 24))
    assert found.shape == (1, 4, 20, 40)
    assert found.isfinite().all()


def test_both_layouts_are_the_same_network(net, oracle):
    family = AuraFlowFamily()
    own = {f"model.{name}": t for name, t in net.state_dict().items()}
    for weights in (StateDict.of(own), StateDict.of(oracle.state_dict())):
        assert detect(weights)[0].name == "AuraFlow"
        assert family.detect(weights) == TINY
        found = family.denoiser(TINY, weights)
        assert found.shapes == {name: tuple(t.shape) for name, t in net.state_dict().items()}
        assert all(torch.equal(found[name], t) for name, t in net.state_dict().items())
    own["model.positional_encoding"] = torch.zeros(1, 63, 512)
    with pytest.raises(WeightsError, match=r"positional_encoding has 63 rows, expected a square"):
        family.detect(StateDict.of(own))
    del own["model.positional_encoding"]
    with pytest.raises(WeightsError, match=r"positional_encoding is missing"):
        family.detect(StateDict.of(own))


def test_adapters_find_diffusers_names(net, oracle):
    ours = {name.removesuffix(".weight") for name in net.state_dict()}
    theirs = {name.removesuffix(".weight") for name in oracle.state_dict()}
    modules = set[str]()
    for name, module in keys.lora_names(TINY).items():
        assert name in theirs
        modules.add(module if isinstance(module, str) else module.module)
    linear = {name for name, layer in net.named_modules() if hasattr(layer, "in_features")}
    assert modules == linear <= ours


def test_blocks_are_replaced_and_half_precision_stays_close(net):
    x, time, context = torch.randn(1, 4, 4, 4), torch.tensor([0.5]), torch.randn(1, 3, 24)
    plain = asked(net, x, time, context)

    def skip(given, extra):
        del extra
        return {key: given[key] for key in ("img", "txt") if key in given}

    for place in (("double_block", 0), ("single_block", 1)):
        hooks = NetHooks().with_replacement("dit", place, skip)
        assert off(asked(net, x, time, context, hooks), plain) > 1e-4
    half = torch.bfloat16
    found = asked(filled().to(half), x.to(half), time, context.to(half))
    assert found.dtype == half
    assert off(found.float(), plain) < 3e-2


def test_full_size_files_have_the_published_sizes():
    from diffusers import AuraFlowTransformer2DModel

    with torch.device("meta"):
        oracle = AuraFlowTransformer2DModel(num_mmdit_layers=1, num_single_dit_layers=1)
    state = oracle.state_dict()
    for kind, blocks in (("joint", 4), ("single", 32)):
        first = f"{kind}_transformer_blocks.0."
        block = {name: t for name, t in state.items() if name.startswith(first)}
        for i in range(1, blocks):
            state |= {name.replace(".0.", f".{i}.", 1): t for name, t in block.items()}
    assert AuraFlowFamily().detect(StateDict.of(state)) == FULL
    net = AuraFlowFamily().build(FULL)
    expected = sum(each.numel() for each in state.values())
    assert sum(each.numel() for each in net.parameters()) == expected


def test_padding_of_the_text_is_zero_and_other_texts_are_refused():
    states, mask = torch.ones(1, 4, 3), torch.tensor([[1, 1, 0, 0]])
    found, extras = combine({"pile_t5xl": Encoded(states, mask=mask)})
    assert found[0, :, 0].tolist() == [1, 1, 0, 0]
    assert not extras
    with pytest.raises(WeightsError, match="needs the text encoder pile-T5 XL"):
        combine({})
    with pytest.raises(NodeError, match=r"have 4096 numbers, the model takes 24.*pile-T5"):
        AuraFlowFamily().inputs(
            TINY, Entry(torch.zeros(1, 2, 4096), {}), run=Run((1, 4, 4, 4)), role=Role.POSITIVE
        )
    plan = text_plan("stable_diffusion", [("pile.safetensors", PILE_T5XL)])
    assert plan is AuraFlowFamily.text


def test_the_estimate_of_memory_holds_what_is_alive(net):
    x, context = torch.randn(2, 4, 32, 32), torch.randn(2, 256, 24)
    with torch.inference_mode(), Alive(net) as alive:
        net(x, torch.tensor([0.5, 0.1]), context)
    expected = AuraFlowFamily().activation_bytes(TINY, x.shape, 4)
    assert 1.2 * alive.most < expected < 6 * alive.most, expected / alive.most
