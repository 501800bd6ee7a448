"""Hooks with weights of their own, in whole runs."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from torch import nn

from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference import entry_hooks
from engine.inference.hook_run import WeightedHook
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.nets.hooks import NetHooks
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import StateDict

CONFIG = StableDiffusion1Config(regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1))
SIGMAS = torch.tensor([14.0, 3.0, 0.0])
ROOM = 1000


@dataclass(frozen=True, eq=False)
class Text(WeightedHook):
    """Passes the text of `attn2` through a layer of its own; refuses a model named `other`."""

    layer: LazyWeights
    counts: Counter

    @property
    def weights(self):
        return self.layer

    def check(self, model):
        if model.options.get("other"):
            raise NodeError("made for another model")

    def room_for(self, model, shape, dtype_bytes):
        self.counts["rooms", tuple(shape), dtype_bytes] += 1
        return ROOM

    def started(self, start):
        self.counts["started"] += 1

        def patch(query, key, value, options):
            self.counts["rows", tuple(options["cond_or_uncond"])] += 1
            changed = start.module(key)
            assert changed.dtype == start.dtype
            return query, changed, changed

        return patch


@pytest.fixture
def layer():
    with torch.device("meta"):
        module = nn.Sequential(nn.Linear(48, 48, bias=False))
    generator = torch.Generator().manual_seed(3)
    values = {"0.weight": torch.randn(48, 48, generator=generator).half()}
    sources = StateDict.of(values).entries
    return LazyWeights("layer", 48 * 48 * 2, lambda: module, sources=sources), values["0.weight"]


@pytest.fixture
def model(fill):
    net = fill(lambda: UNet(CONFIG.unet))
    family = StableDiffusion1()
    values = StateDict.of(dict(net.state_dict()))
    with torch.device("meta"):
        empty = UNet(CONFIG.unet)
    weights = LazyWeights("net", values.nbytes, lambda: empty, sources=values.entries)
    return Model(family, CONFIG, weights, family.latent(CONFIG), discrete())


def text(value: float, **extras):
    return [[torch.linspace(-1, value, 240).reshape(1, 5, 48), extras]]


def run(model: Model, positive=None, negative=None):
    guider = CfgGuider(model, positive or text(1.0), negative or text(0.5), 5.0)
    latent = {"samples": torch.zeros(2, 4, 8, 8)}
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent).samples


def strays(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative L2."""
    return float((found - expected).norm() / expected.norm())


def hooked(model: Model, *hooks: WeightedHook) -> Model:
    for hook in hooks:
        model = replace(model, hooks=model.hooks.with_patch("attn2_patch", hook))
    return model


def by_hand(model: Model, matrix: torch.Tensor) -> Model:
    """The same change without weights of a hook."""

    def patch(query, key, value, options):
        changed = key @ matrix.float().T
        return query, changed, changed

    return replace(model, hooks=model.hooks.with_patch("attn2_patch", patch))


def test_a_hook_computes_with_weights_of_its_own(cpu_residency, model, layer):
    weights, matrix = layer
    counts = Counter()
    found = run(hooked(model, Text(weights, counts)))
    assert strays(found, run(by_hand(model, matrix))) < 1e-5
    assert strays(found, run(model)) > 1e-2
    assert counts["started"] == 1  # once per run, whatever the number of its calls
    assert counts["rows", (0, 1)] == 7 * 2
    assert counts["rooms", (4, 4, 8, 8), 4] == 1


def test_the_weights_count_in_the_budget_and_are_freed_with_their_last_reference(model, layer):
    weights, _ = layer
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)) as residency:
        run(model)
        before = residency.held
        run(hooked(model, Text(weights, Counter())))
        assert residency.held == before + 48 * 48 * 4
        assert residency.release(2**40) >= before + 48 * 48 * 4


def test_a_tight_budget_streams_both(model, layer):
    weights, matrix = layer
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        plain = run(by_hand(model, matrix))
    # So little of the weights may stay that those of the network and the hook are streamed.
    tight = DeviceResidency(torch.device("cpu"), torch.float32, resident=1, block_limit=2**14)
    with installed(tight):
        found = run(hooked(model, Text(weights, Counter())))
        assert tight.held < model.net.size
    assert strays(found, plain) < 1e-5


@pytest.mark.parametrize("limit", [2**14, 2**16, 2**20])
def test_any_size_of_streamed_blocks_computes_the_same(model, limit):
    """Attentions are called as modules with hooks too, so they may be blocks of their own."""
    hooks = NetHooks().with_patch("attn1_patch", lambda q, k, v, _: (q, k, v * 2))
    hooked = replace(model, hooks=hooks)
    with installed(DeviceResidency(torch.device("cpu"), torch.bfloat16)) as residency:
        expected = run(hooked)
        residency.release(2**40)
    tight = DeviceResidency(torch.device("cpu"), torch.bfloat16, resident=1, block_limit=limit)
    with installed(tight):
        assert strays(run(hooked), expected) < 1e-5


def test_two_hooks_of_one_file_share_its_weights(model, layer):
    weights, matrix = layer
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)) as residency:
        run(model)
        before = residency.held
        counts = Counter()
        found = run(hooked(model, Text(weights, counts), Text(weights, counts)))
        assert residency.held == before + 48 * 48 * 4
        assert counts["started"] == 2
        expected = run(by_hand(by_hand(model, matrix), matrix))
        assert strays(found, expected) < 1e-5


def test_a_hook_for_another_model_is_refused_before_anything_is_loaded(model, layer):
    other = replace(model, options={"other": True})
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)) as residency:
        with pytest.raises(NodeError, match="another model"):
            run(hooked(other, Text(layer[0], Counter())))
        assert not residency.held


def test_a_hook_of_an_entry_is_called_for_that_entry_alone(
    cpu_residency, model, layer, monkeypatch
):
    weights, matrix = layer
    counts = Counter()
    make = partial(NetHooks().with_patch, "attn2_patch")
    monkeypatch.setattr(entry_hooks, "MAKERS", {"mine": make})
    found = run(model, positive=text(1.0, mine=Text(weights, counts)))
    assert counts["rows", (0,)] == 7 * 2
    assert counts["started"] == 1
    plain = run(model, positive=text(1.0, mine=lambda q, k, v, _: (q, *[k @ matrix.float().T] * 2)))
    assert strays(found, plain) < 1e-5


def test_without_a_run_a_hook_says_that_it_needs_one(layer):
    with pytest.raises(NodeError, match="only while sampling"):
        Text(layer[0], Counter())(1, 2)


def test_an_addition_is_added_before_the_output_projection(cpu_residency, model):
    def double(query, key, value, options):
        heads = options["n_heads"]
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (query, key, value))
        out = torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1) @ v
        return out.transpose(1, 2).flatten(2) + query * 0.5

    hooks = NetHooks()
    for place in [("input", 1), ("input", 3), ("middle", 0), *(("output", i) for i in range(4))]:
        hooks = hooks.with_replacement("attn2", place, double)
    expected = run(replace(model, hooks=hooks))
    added = NetHooks().with_patch("attn2_addition", lambda query, options: query * 0.5)
    assert strays(run(replace(model, hooks=added)), expected) < 1e-5
