"""The arguments of a plugin's patches of attention and blocks in a whole run."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.nets.hooks import NetHooks
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.handles import LazyWeights

CONFIG = StableDiffusion1Config(regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1))
SIGMAS = torch.tensor([14.0, 3.0, 0.0])
PLACES = [("input", 1), ("input", 3), ("middle", 0), *(("output", i) for i in range(4))]
PATCHES = (
    "attn1_patch", "attn1_output_patch", "middle_patch", "attn2_patch", "attn2_output_patch",
    "input_block_patch", "input_block_patch_after_skip", "middle_block_patch",
    "output_block_patch",
)  # fmt: skip


class Plugin:
    """Records its arguments, and returns them unchanged."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple]] = {kind: [] for kind in PATCHES}

    def hooks(self) -> NetHooks:
        hooks = NetHooks()
        for kind in PATCHES:
            hooks = hooks.with_patch(kind, self.keep(kind))
        return hooks

    def keep(self, kind: str):
        def patch(*values):
            *tensors, options = values
            self.calls[kind].append((options, [tuple(each.shape) for each in tensors]))
            return tuple(tensors) if len(tensors) > 1 else tensors[0]

        return patch


@pytest.fixture
def model(cpu_residency, fill):
    net = fill(lambda: UNet(CONFIG.unet))
    family = StableDiffusion1()
    weights = LazyWeights("net", 1, lambda: net)
    return Model(family, CONFIG, weights, family.latent(CONFIG), discrete())


def run(model: Model, scale: float = 5.0, rows: int = 2):
    def text(value: float):
        return [[torch.linspace(-1, value, 240).reshape(1, 5, 48), {}]]

    guider = CfgGuider(model, text(1.0), text(0.5), scale)
    latent = {"samples": torch.zeros(rows, 4, 8, 8)}
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent).samples


def test_a_plugin_sees_where_and_when_it_is_called(model):
    plugin = Plugin()
    found = run(replace(model, hooks=plugin.hooks()))
    assert torch.allclose(found, run(model), rtol=1e-4, atol=1e-3)
    for kind in ("attn1_patch", "attn2_patch", "middle_patch"):
        options = [each for each, _ in plugin.calls[kind]]
        assert [each["block"] for each in options] == PLACES * 2
        assert [each["transformer_index"] for each in options] == list(range(7)) * 2
        assert {each["block_index"] for each in options} == {0}
        assert {(each["n_heads"], each["dim_head"]) for each in options} == {(8, 4), (8, 8)}
        assert [float(each["sigmas"][0]) for each in options] == [14.0] * 7 + [3.0] * 7
        assert {len(each["sigmas"]) for each in options} == {4}
        assert [each["step"].index for each in options] == [0] * 7 + [1] * 7
        for each in options:
            assert each["cond_or_uncond"] == [0, 1]
            assert each["original_shape"] == [4, 4, 8, 8]
            assert torch.equal(each["sample_sigmas"], SIGMAS)


def test_a_plugin_is_handed_what_the_ecosystem_hands_out(model):
    plugin = Plugin()
    run(replace(model, hooks=plugin.hooks()))
    shapes = {kind: calls[0][1] for kind, calls in plugin.calls.items()}
    tokens, text = (4, 64, 32), (4, 5, 48)
    assert shapes["attn1_patch"] == [tokens] * 3
    assert shapes["attn2_patch"] == [tokens, text, text]
    for kind in ("attn1_output_patch", "attn2_output_patch", "middle_patch"):
        assert shapes[kind] == [tokens]
    blocks = {
        kind: [each["block"] for each, _ in plugin.calls[kind]]
        for kind in ("input_block_patch", "middle_block_patch", "output_block_patch")
    }
    assert blocks["input_block_patch"] == [("input", i) for i in range(4)] * 2
    assert blocks["middle_block_patch"] == [("middle", 0)] * 2
    assert blocks["output_block_patch"] == [("output", i) for i in range(4)] * 2
    assert shapes["output_block_patch"] == [(4, 64, 4, 4)] * 2


def test_one_conditioning_at_a_time_says_so(model):
    plugin = Plugin()
    run(replace(model, hooks=plugin.hooks()), scale=1.0)
    options = [each for each, _ in plugin.calls["attn1_patch"]]
    assert {tuple(each["cond_or_uncond"]) for each in options} == {(0,)}
    assert {tuple(each["original_shape"]) for each in options} == {(2, 4, 8, 8)}


def test_what_a_patch_returns_counts(model):
    plain = run(model)
    for kind, patch in {
        "attn1_patch": lambda q, k, v, _: (q, k, v * 2),
        "attn2_patch": lambda q, k, v, _: (q, k[:, :1], v[:, :1]),
        "attn2_output_patch": lambda out, _: out * 0,
        "middle_patch": lambda x, _: x * 2,
        "input_block_patch": lambda h, _: h * 1.1,
        "input_block_patch_after_skip": lambda h, _: h * 1.1,
        "middle_block_patch": lambda h, _: h * 0,
        "output_block_patch": lambda h, skip, _: (h, skip * 0),
    }.items():
        found = run(replace(model, hooks=NetHooks().with_patch(kind, patch)))
        assert (found - plain).norm() > 1e-3 * plain.norm(), kind


class Operations(TorchDispatchMode):
    """Counts what torch computes."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


def test_a_network_that_nothing_is_hooked_to_computes_what_it_did_before(model):
    """The same number of operations as the layers need, also with options without hooks."""
    counts = []
    run(model, rows=1)  # loads the weights
    for each in (model, replace(model, hooks=NetHooks(options={"mine": 1}))):
        with Operations() as operations:
            run(each, rows=1)
        counts.append(operations.counts)
    assert counts[0] == counts[1]
    with Operations() as hooked:
        run(replace(model, hooks=Plugin().hooks()), rows=1)
    layers = Counter(type(part) for part in model.net.module.modules())
    norms = layers[nn.GroupNorm] * 2  # two calls
    assert counts[0]["aten.native_group_norm.default"] == norms
    assert counts[0]["aten.native_layer_norm.default"] == layers[nn.LayerNorm] * 2
    # Results are added in place only if no hook can access them.
    assert hooked.counts["aten.add_.Tensor"] < counts[0]["aten.add_.Tensor"]
