"""Anima's denoiser and its adapter against diffusers on tiny random nets, and its files."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.anima import keys
from engine.families.anima.adapter import AdapterConfig
from engine.families.anima.family import AnimaFamily
from engine.families.anima.network import Anima, AnimaConfig
from engine.families.family import Entry, Run
from engine.nets.hooks import NetHooks
from engine.weights.state_dict import StateDict
from tests.wet.alive import Alive

TINY = AnimaConfig(
    in_channels=68,
    out_channels=64,
    context_channels=24,
    channels=64,
    head_channels=32,
    inner=256,
    modulation=12,
    blocks=2,
    adapter=AdapterConfig(
        tokens=50, channels_out=24, channels=32, source=40, head_channels=16, inner=128, blocks=2
    ),
)
FULL = AnimaConfig(
    in_channels=68,
    out_channels=64,
    context_channels=1024,
    channels=2048,
    head_channels=128,
    inner=8192,
    modulation=256,
    blocks=28,
    adapter=AdapterConfig(
        tokens=32128,
        channels_out=1024,
        channels=1024,
        source=1024,
        head_channels=64,
        inner=4096,
        blocks=6,
    ),
)


def filled():
    with torch.device("meta"):
        net = Anima(TINY)
    generator = torch.Generator().manual_seed(5)
    state = {
        name: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5
        for name, tensor in net.state_dict().items()
    }
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


def diffusers_classes():
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import AnimaTextConditioner, CosmosTransformer3DModel

    return CosmosTransformer3DModel, AnimaTextConditioner


def bodies(blocks, heads, head_channels, **values):
    return diffusers_classes()[0](
        num_attention_heads=heads,
        attention_head_dim=head_channels,
        num_layers=blocks,
        rope_scale=(1.0, 4.0, 4.0),
        extra_pos_embed_type=None,
        **values,
    )


def converted(state):
    """Diffusers' own conversion of the original layout."""
    from diffusers.loaders import single_file_utils

    state = {f"net.{n}": t for n, t in state.items() if not n.startswith("llm_adapter.")}
    return single_file_utils.convert_cosmos_transformer_checkpoint_to_diffusers(state)


@pytest.fixture(scope="module")
def oracles():
    """Diffusers' denoiser and its text conditioner of the same weights."""
    state = filled().state_dict()
    body = bodies(2, 2, 32, text_embed_dim=24, adaln_lora_dim=12)
    body.load_state_dict(converted(state))
    conditioner = diffusers_classes()[1](40, 24, 32, 2, 2, target_vocab_size=50)
    prefix = "llm_adapter."
    conditioner.load_state_dict(
        {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    )
    return body.eval(), conditioner.eval()


def off(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


def resized(mask, size, interpolation):
    """What the oracle asks of torchvision, which need not be there, for a mask of zeros."""
    del interpolation
    assert not mask.any()
    return mask.new_zeros(*mask.shape[:-2], *size)


def asked(net, x, time, entry, hooks=None):
    family, run = AnimaFamily(), Run(x.shape)
    inputs = family.inputs(net.config, entry, run=run, role=Role.POSITIVE)
    given = {name: one.value.expand(len(x), *one.value.shape[1:]) for name, one in inputs.items()}
    return family.predict(net, x, time, given, control=None, hooks=hooks, checkpoint=lambda: None)


@pytest.mark.parametrize(("rows", "frames"), [(1, 1), (2, 1), (1, 2)])
def test_equals_diffusers(oracles, monkeypatch, rows, frames):
    from diffusers.models.transformers import transformer_cosmos

    functional = SimpleNamespace(resize=resized)
    modes = SimpleNamespace(NEAREST="nearest")
    transforms = SimpleNamespace(functional=functional, InterpolationMode=modes)
    monkeypatch.setattr(transformer_cosmos, "transforms", transforms, raising=False)
    net, (body, conditioner) = filled(), oracles
    x, context = torch.randn(rows, 16, frames, 6, 10), torch.randn(1, 7, 40)
    numbers, time = torch.randint(0, 50, (1, 5)), torch.tensor([0.8, 0.3])[:rows]
    with torch.no_grad():
        found = asked(net, x, time, Entry(context, {"t5xxl_ids": numbers}))
        text = conditioner(context, numbers)
        assert text.shape == (1, 512, 24)
        expected = body(
            hidden_states=x,
            timestep=time,
            encoder_hidden_states=text.expand(rows, -1, -1),
            padding_mask=torch.zeros(1, 1, 48, 80),
        ).sample
    assert off(found, expected) < 1e-5  # seen: under 1e-6


def test_the_adapter_equals_diffusers(oracles):
    net, context = filled(), torch.randn(2, 9, 40)
    numbers = torch.randint(0, 50, (2, 600))
    with torch.no_grad():
        found = net.llm_adapter(context, numbers, None, lambda: None)
        assert off(found, oracles[1](context, numbers)) < 1e-5
        weights = torch.rand(2, 600, 1)
        weighted = net.llm_adapter(context, numbers, weights, lambda: None)
        assert torch.allclose(weighted, found * weights)


def test_words_have_weights():
    net, x, time = filled(), torch.randn(1, 16, 1, 4, 4), torch.tensor([0.5])
    context, numbers = torch.randn(1, 3, 40), torch.tensor([[4, 7, 1]])
    entries = [
        Entry(context, {"t5xxl_ids": numbers, "t5xxl_weights": torch.tensor([weights])})
        for weights in ([1.0, 1.0, 1.0], [1.0, 1.5, 1.0])
    ]
    with torch.no_grad():
        plain = asked(net, x, time, Entry(context, {"t5xxl_ids": numbers}))
        assert torch.equal(asked(net, x, time, entries[0]), plain)
        assert off(asked(net, x, time, entries[1]), plain) > 1e-5


def test_files_are_recognised():
    family, net = AnimaFamily(), filled()
    for prefix in ("", "net.", "model.diffusion_model."):
        state = {f"{prefix}{name}": tensor for name, tensor in net.state_dict().items()}
        state[f"{prefix}llm_adapter.rotary_emb.inv_freq"] = torch.zeros(8)
        state[f"{prefix}pos_embedder.seq"] = torch.zeros(8)
        weights = StateDict.of(state)
        assert family.detect(weights) == TINY
        assert set(family.denoiser(TINY, weights)) == set(net.state_dict())
    # Without the adapter it is Cosmos Predict2, which takes another text.
    body = {n: t for n, t in net.state_dict().items() if not n.startswith("llm_adapter.")}
    assert family.detect(StateDict.of(body)) is None
    state = dict(net.state_dict())
    del state["x_embedder.proj.1.weight"]
    with pytest.raises(WeightsError, match=r"x_embedder\.proj\.1\.weight is missing"):
        family.detect(StateDict.of(state))


def test_adapters_find_diffusers_names(oracles):
    theirs = {name for name, layer in oracles[0].named_modules() if hasattr(layer, "in_features")}
    ours = {name for name, layer in filled().named_modules() if hasattr(layer, "in_features")}
    names = keys.lora_names(TINY)
    assert set(names) == theirs
    assert set(names.values()) == {name for name in ours if not name.startswith("llm_adapter.")}


def test_blocks_are_replaced_and_half_precision_stays_close():
    net = filled()
    x, time = torch.randn(1, 16, 1, 4, 4), torch.tensor([0.5])
    extras = {"t5xxl_ids": torch.tensor([[4, 7, 1]])}
    entry = Entry(torch.randn(1, 3, 40), extras)
    with torch.no_grad():
        plain = asked(net, x, time, entry)
        hooks = NetHooks().with_replacement(
            "dit", ("single_block", 1), lambda given, extra: {"img": given["img"]}
        )
        assert off(asked(net, x, time, entry, hooks), plain) > 1e-4
        half = torch.bfloat16
        found = asked(net.to(half), x.to(half), time, Entry(entry.embedding.to(half), extras))
    assert found.dtype == half
    assert off(found.float(), plain) < 3e-2  # seen: 8e-3


def test_full_size_files_have_the_published_sizes():
    with torch.device("meta"):
        body = bodies(28, 16, 128).state_dict()
        conditioner = diffusers_classes()[1]().state_dict()
        net = AnimaFamily().build(FULL)
    ours = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    weights = {name: torch.empty(shape, device="meta") for name, shape in ours.items()}
    assert AnimaFamily().detect(StateDict.of(weights)) == FULL
    theirs = {name: tuple(tensor.shape) for name, tensor in converted(weights).items()}
    assert theirs == {name: tuple(tensor.shape) for name, tensor in body.items()}
    adapter = {n.removeprefix("llm_adapter."): s for n, s in ours.items() if "llm_adapter." in n}
    assert adapter == {name: tuple(tensor.shape) for name, tensor in conditioner.items()}
    assert sum(each.numel() for each in net.parameters()) == 2_091_068_928


def test_conditionings_of_other_models_are_refused():
    family, run = AnimaFamily(), Run((1, 16, 1, 4, 4))
    with pytest.raises(NodeError, match="have 2560 numbers, the model takes 40"):
        family.inputs(TINY, Entry(torch.zeros(1, 3, 2560), {}), run=run, role=Role.POSITIVE)
    with pytest.raises(NodeError, match=r"tokens of T5.*Qwen3 0\.6B"):
        family.inputs(TINY, Entry(torch.zeros(1, 3, 40), {}), run=run, role=Role.POSITIVE)


def test_the_estimate_of_memory_holds_what_is_alive():
    net, family = filled(), AnimaFamily()
    x, context = torch.randn(2, 16, 1, 64, 64), torch.randn(2, 64, 40)
    numbers = torch.randint(0, 50, (2, 64))
    with torch.inference_mode(), Alive(net) as alive:
        net(x, torch.tensor([0.5, 0.1]), context, numbers)
    expected = family.activation_bytes(TINY, x.shape, 4)
    assert 1.2 * alive.most < expected < 6 * alive.most, expected / alive.most
