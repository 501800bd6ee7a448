"""Caches of steps: what they leave out, and what stands for it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference.sample import sample
from engine.inference.step_cache import CacheRange, ChangeEstimate
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.handles import LazyWeights
from nodes.step_caches import easy_cache, lazy_cache
from nodes.unet_patches import perturbed_attention_guidance, self_attention_guidance

CONFIG = StableDiffusion1Config(regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1))
SIGMAS = torch.tensor([14.0, 9.0, 6.0, 4.0, 2.5, 1.0, 0.0])
NODES = pytest.mark.parametrize("node", [easy_cache, lazy_cache])


@pytest.fixture
def calls() -> list[Tensor]:
    return []


@pytest.fixture
def model(cpu_residency, fill, calls: list[Tensor]) -> Model:
    net = fill(lambda: UNet(CONFIG.unet))
    net.register_forward_pre_hook(lambda _, args: calls.append(args[0]))
    family = StableDiffusion1()
    weights = LazyWeights("net", 1, lambda: net)
    return Model(family, CONFIG, weights, family.latent(CONFIG), discrete())


def run(model: Model, scale: float = 5.0, positive: Any = None, **latent: Any) -> Tensor:
    def text(value: float, **extras: Any) -> list[list[Any]]:
        return [[torch.linspace(-1, value, 240).reshape(1, 5, 48), extras]]

    guider = CfgGuider(model, positive(text) if positive else text(1.0), text(0.5), scale)
    latent = {"samples": torch.zeros(2, 4, 8, 8)} | latent
    euler = Sampler(SAMPLERS["euler"])
    return sample(guider, RandomNoise(1), euler, SIGMAS, latent).samples


@pytest.mark.parametrize("node", [easy_cache, pytest.param(lazy_cache, marks=pytest.mark.slow)])
def test_a_threshold_of_nothing_leaves_nothing_out(model: Model, calls: list, node: Any) -> None:
    plain = run(model)
    count = len(calls)
    assert torch.equal(run(node(model, 0.0)), plain)
    assert len(calls) == 2 * count == 12


@NODES
def test_a_high_threshold_leaves_out_what_lies_in_the_range(
    model: Model, calls: list, node: Any
) -> None:
    run(node(model, 3000.0, 0.0, 1.0))
    # Two evaluations are needed to know the rate.
    assert len(calls) == 2
    calls.clear()
    end = node(model, 3000.0, 0.0, 0.6)
    last = model.parameterization.percent_to_sigma(0.6)
    run(end)
    assert len(calls) == 2 + int((SIGMAS[2:-1] <= last).sum())
    # Each run begins anew.
    run(end)
    assert len(calls) == 2 * (2 + int((SIGMAS[2:-1] <= last).sum()))


def test_what_stands_for_an_evaluation(model: Model) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def watch(step: int, steps: int, x: Tensor, denoised: Tensor, sigma: Tensor) -> None:
        seen.append((x, denoised))

    text = [[torch.linspace(-1, 1, 240).reshape(1, 5, 48), {}]]
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    for node in (lazy_cache, easy_cache):
        seen.clear()
        guider = CfgGuider(node(model, 3000.0, 0.0, 1.0), text, text, 1.0)
        euler = Sampler(SAMPLERS["euler"])
        sample(guider, RandomNoise(1), euler, SIGMAS, latent, on_step=watch)
        (x, denoised), (later, found), sigma = seen[1], seen[3], SIGMAS[3]
        if node is lazy_cache:
            expected = later + (denoised - x)
        else:
            before = x / (SIGMAS[1] ** 2 + 1) ** 0.5
            now = later / (sigma**2 + 1) ** 0.5
            noise = now + (x - denoised) / SIGMAS[1] - before
            expected = later - sigma * noise
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_the_estimate_is_that_of_the_paper(model: Model) -> None:
    estimate = ChangeEstimate(CacheRange(0.5, 0.0, 1.0), model)
    x = [torch.full((1, 1, 1, 1), value) for value in (10.0, 8.0, 7.5, 7.0, 6.0, 5.9)]
    output = [torch.full((1, 1, 1, 1), value) for value in (4.0, 3.0)]
    for at in (0, 1):
        assert not estimate.leaves_out(x[at], 5.0)
        estimate.computed(x[at], output[at])
    # A rate of (4 - 3) / (10 - 8), and an output of 3: 0.5 * 0.5 / 3 each, then 0.5 * 1 / 3.
    assert estimate.leaves_out(x[2], 4.0)
    assert estimate.leaves_out(x[3], 3.0)
    assert estimate.leaves_out(x[4], 2.0)
    assert not estimate.leaves_out(x[4] - 1.1, 2.0)
    # The sum begins anew.
    assert estimate.leaves_out(x[4] - 1.2, 2.0)


def test_an_output_of_zeros_is_always_computed(model: Model) -> None:
    estimate = ChangeEstimate(CacheRange(0.5, 0.0, 1.0), model)
    zero = torch.zeros(1, 1, 1, 1)
    for _ in range(4):
        assert not estimate.leaves_out(zero, 5.0)
        estimate.computed(zero, zero)


@NODES
@pytest.mark.parametrize("scale", [pytest.param(1.0, marks=pytest.mark.slow), 5.0])
def test_with_other_patches_areas_and_masks(model: Model, node: Any, scale: float) -> None:
    changed = node(self_attention_guidance(perturbed_attention_guidance(model, 1.0)), 0.4, 0.0)
    mask = torch.linspace(0, 1, 64).reshape(1, 8, 8)

    def parts(text: Any) -> list[Any]:
        late = text(0.3, start_percent=0.5)
        return [*text(1.0, area=(4, 8, 0, 0)), *late, *text(0.7)]

    found = run(changed, scale, parts, noise_mask=mask, samples=torch.ones(2, 4, 8, 8))
    assert found.isfinite().all()
    other = replace(changed, per_run=changed.per_run[::-1])
    assert run(other, scale, parts).isfinite().all()


@NODES
@pytest.mark.parametrize("range_", [{"end_percent": 0.5}, {"start_percent": 0.5}])
def test_the_first_entry_may_change_its_size_during_a_run(
    model: Model, calls: list, node: Any, range_: dict[str, float]
) -> None:
    def parts(text: Any) -> list[Any]:
        return [*text(1.0, area=(4, 8, 0, 0), **range_), *text(0.7)]

    plain = run(model, positive=parts)
    assert torch.equal(run(node(model, 0.0), positive=parts), plain)
    calls.clear()
    run(model, positive=parts)
    count = len(calls)
    assert run(node(model, 3000.0, 0.0, 1.0), positive=parts).isfinite().all()
    assert len(calls) < 2 * count


@NODES
def test_verbose_logs_each_step_that_is_left_out(
    model: Model, node: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run(node(model, 3000.0, 0.0, 1.0))
        assert not caplog.records
        run(node(model, 3000.0, 0.0, 1.0, verbose=True))
    assert [record.getMessage()[:18] for record in caplog.records] == ["left out at sigma "] * 4
