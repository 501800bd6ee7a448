"""Perturbed attention and self-attention guidance, differential masks, on a tiny UNet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.diffusion.guidance import Predictions
from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.inference.attention_guidance import (
    degraded,
    guided_by_perturbed_attention,
    guided_by_self_attention,
)
from engine.inference.changing_mask import by_change
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, PerpNegGuider, RandomNoise, Sampler
from engine.nets.attention_maps import each_sees_itself
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.residency.handles import LazyWeights
from nodes.guidance import cfg_norm, mahiro, perp_neg_model
from nodes.unet_patches import (
    hyper_tile,
    patch_model_add_downscale,
    perturbed_attention_guidance,
    self_attention_guidance,
    tome_patch_model,
)

CONFIG = StableDiffusion1Config(regular_unet(32, (1, 2), (1, 1), context=48, heads=8, blocks=1))
SIGMAS = torch.tensor([14.0, 3.0, 0.0])
Patch = Callable[[Model], Model]


@pytest.fixture
def model(cpu_residency, fill) -> Model:
    net = fill(lambda: UNet(CONFIG.unet))
    family = StableDiffusion1()
    weights = LazyWeights("net", 1, lambda: net)
    return Model(family, CONFIG, weights, family.latent(CONFIG), discrete())


def text(value: float, **extras: Any) -> list[list[Any]]:
    return [[torch.linspace(-1, value, 240).reshape(1, 5, 48), extras]]


POSITIVE, NEGATIVE = text(1.0), text(0.5)


def run(model: Model, scale: float = 5.0, positive=POSITIVE, negative=NEGATIVE, **latent) -> Tensor:
    guider = CfgGuider(model, positive, negative, scale)
    latent = {"samples": torch.zeros(2, 4, 8, 8)} | latent
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent).samples


def predicted(model: Model, text_: list[list[Any]], x: Tensor, hooks=None) -> Tensor:
    """The clean image of one conditioning by a direct call of the network at sigma 14."""
    levels, sigma = model.parameterization, torch.tensor([14.0])
    context = text_[0][0].expand(len(x), -1, -1)
    time = levels.timestep(sigma).float().expand(len(x))
    with torch.no_grad():
        output = model.net.module(levels.scale_input(x, sigma), time, context, hooks=hooks)
        return levels.denoised(output, x, sigma)


class Seen:
    """Records what guidance gets and gives at each step, as the last hook."""

    def __init__(self) -> None:
        self.predictions: list[Predictions] = []
        self.results: list[Tensor] = []

    def after(self, model: Model) -> Model:
        def hook(told: Predictions, denoised: Tensor) -> Tensor:
            self.predictions.append(told)
            self.results.append(denoised)
            return denoised

        guidance = model.guidance
        return replace(model, guidance=replace(guidance, after=(*guidance.after, hook)))


def per_run_last(model: Model, seen: Seen) -> Model:
    """The recording hook behind those that patches add at the start of a run."""
    return replace(model, per_run=(*model.per_run, lambda each, _: seen.after(each)))


@pytest.mark.parametrize("scale", [5.0, 1.0])
def test_perturbed_attention_against_direct_calls(model: Model, scale: float) -> None:
    seen = Seen()
    run(per_run_last(guided_by_perturbed_attention(model, CONFIG.unet, 3.0), seen), scale)
    x = seen.predictions[0].x
    hooks = model.hooks.with_replacement("attn1", ("middle", 0), each_sees_itself)
    positive, negative = predicted(model, POSITIVE, x), predicted(model, NEGATIVE, x)
    worse = predicted(model, POSITIVE, x, hooks)
    assert (positive - worse).abs().max() > 0.1
    expected = negative + scale * (positive - negative) + 3.0 * (positive - worse)
    assert torch.allclose(seen.results[0], expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("scale", [5.0, 1.0])
def test_self_attention_against_direct_calls(model: Model, scale: float) -> None:
    seen = Seen()
    run(per_run_last(guided_by_self_attention(model, CONFIG.unet, 0.7, 1.0), seen), scale)
    x = seen.predictions[0].x
    received: list[Tensor] = []

    def attention(query: Tensor, key: Tensor, value: Tensor, options: object) -> Tensor:
        split = [each.unflatten(-1, (8, -1)).transpose(1, 2) for each in (query, key, value)]
        weights = (split[0] @ split[1].mT / split[0].shape[-1] ** 0.5).softmax(-1)
        received[:] = [weights.mean(1).sum(1)]
        return (weights @ split[2]).transpose(1, 2).flatten(2)

    hooks = model.hooks.with_replacement("attn1", ("middle", 0), attention)
    positive = predicted(model, POSITIVE, x)
    negative = predicted(model, NEGATIVE, x, hooks)
    worse_image = degraded(negative, received[0].unflatten(1, (4, 4)), 1.0)
    worse = predicted(model, NEGATIVE, worse_image + x - negative)
    expected = negative + scale * (positive - negative) + 0.7 * (worse_image - worse)
    assert torch.allclose(seen.results[0], expected, rtol=1e-4, atol=1e-2)


def test_the_degraded_image_equals_diffusers() -> None:
    from diffusers import StableDiffusionSAGPipeline

    clean = torch.randn(2, 4, 16, 20, generator=torch.Generator().manual_seed(1))
    maps = torch.rand(2 * 8, 20, 20, generator=torch.Generator().manual_seed(2)).softmax(-1)
    pipeline = SimpleNamespace(
        unet=SimpleNamespace(config=SimpleNamespace(attention_head_dim=8)),
        scheduler=SimpleNamespace(add_noise=lambda image, **_: image),
    )
    masking: Any = StableDiffusionSAGPipeline.sag_masking
    expected = masking(pipeline, clean, maps, (4, 5), torch.tensor(1), None)
    received = maps.unflatten(0, (2, 8)).mean(1).sum(1).unflatten(1, (4, 5))
    found = degraded(clean, received, 1.0)
    assert 0 < float((found != clean).float().mean()) < 1
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_blur_of_nothing_and_a_map_smaller_than_the_kernel() -> None:
    small = torch.randn(1, 4, 2, 1)
    received = torch.full((1, 1, 1), 2.0)
    assert torch.allclose(degraded(small, received, 0.0), small)
    assert torch.allclose(degraded(torch.ones(1, 4, 2, 1), received, 3.0), torch.ones(1, 4, 2, 1))


def test_perp_neg_guider_and_patch_agree(model: Model) -> None:
    empty = text(0.1)
    patched = run(perp_neg_model(model, empty, 0.8), 6.0)
    guider = PerpNegGuider(model, POSITIVE, NEGATIVE, empty, 6.0, 0.8)
    latent = {"samples": torch.zeros(2, 4, 8, 8)}
    euler = Sampler(SAMPLERS["euler"])
    found = sample(guider, RandomNoise(1), euler, SIGMAS, latent).samples
    assert torch.allclose(found, patched, rtol=1e-4, atol=1e-2)
    assert not torch.allclose(found, run(model, 6.0), rtol=1e-2, atol=1.0)
    assert run(perp_neg_model(model, empty, 0.8), 1.0).isfinite().all()


BARE = replace(CONFIG, unet=replace(CONFIG.unet, middle_block=CONFIG.unet.middle_block[:1]))


def test_without_attention_in_the_middle(model: Model) -> None:
    bare = replace(model, config=BARE)
    assert perturbed_attention_guidance(bare, 3.0) is bare
    with pytest.raises(NodeError, match=r"middle block.*net has none.*bypass this node"):
        self_attention_guidance(bare)


@pytest.mark.parametrize(
    "node",
    [perturbed_attention_guidance, self_attention_guidance, hyper_tile, tome_patch_model],
)
def test_a_model_that_is_no_unet_is_refused(model: Model, node: Callable[[Model], Model]) -> None:
    with pytest.raises(NodeError, match="changes a UNet, and net has none"):
        node(replace(model, config=None))


PATCHES: dict[str, Patch] = {
    "pag": lambda model: perturbed_attention_guidance(model, 1.0),
    "sag": lambda model: self_attention_guidance(model, 0.5, 1.0),
    "tome": lambda model: tome_patch_model(model, 0.5),
    "hypertile": lambda model: hyper_tile(model, 32, 2, 1),
    "downscale": lambda model: patch_model_add_downscale(
        model=model, block_number=1, downscale_method="bicubic", upscale_method="bilinear"
    ),
    "perp_neg": lambda model: perp_neg_model(model, text(0.1), 0.8),
    "cfg_norm": lambda model: cfg_norm(model, 0.9),
    "mahiro": mahiro,
    "mask": lambda model: replace(model, per_run=(*model.per_run, by_change(1.0))),
}


def stacked(model: Model, names: list[str]) -> Model:
    for name in names:
        model = PATCHES[name](model)
    return model


@pytest.mark.parametrize("scale", [1.0, 5.0])
@pytest.mark.parametrize("order", [1, -1])
def test_all_patches_in_either_order(model: Model, scale: float, order: int) -> None:
    changed = stacked(model, list(PATCHES)[::order])
    mask = torch.linspace(0, 1, 64).reshape(1, 8, 8)
    clean = torch.ones(2, 4, 8, 8)
    found = run(changed, scale, samples=clean, noise_mask=mask)
    assert found.isfinite().all()
    assert torch.equal(found, run(changed, scale, samples=clean, noise_mask=mask))


@pytest.mark.parametrize("name", PATCHES)
def test_with_areas_and_masks_of_entries(model: Model, name: str) -> None:
    parts = [
        *text(1.0, area=(4, 8, 0, 0)),
        *text(0.7, mask=torch.linspace(0, 1, 64).reshape(1, 8, 8)),
        *POSITIVE,
    ]
    found = run(PATCHES[name](model), positive=parts)
    assert found.isfinite().all()
    if name != "mask":
        assert not torch.equal(found, run(model, positive=parts))


@pytest.mark.parametrize("samples", [torch.ones(2, 4, 16, 16), torch.ones(1, 4, 16, 16)])
def test_self_attention_guidance_with_tiles_in_the_middle(model: Model, samples: Tensor) -> None:
    deep = hyper_tile(self_attention_guidance(model), tile_size=32, max_depth=1)
    with pytest.raises(NodeError, match=r"HyperTile.*max_depth"):
        run(deep, samples=samples)
    shallow = hyper_tile(self_attention_guidance(model), tile_size=32, max_depth=0)
    assert run(shallow, samples=samples).isfinite().all()


def test_a_row_of_a_batch_is_that_row_alone(model: Model) -> None:
    changed = stacked(model, ["pag", "sag", "downscale", "perp_neg", "cfg_norm"])
    both = run(changed)
    guider = CfgGuider(changed, POSITIVE, NEGATIVE, 5.0)
    start = RandomNoise(1).generate_noise({"samples": both})

    class Second:
        seed = 1

        def generate_noise(self, latent: object) -> Tensor:
            return start[1:]

    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    alone = sample(guider, Second(), Sampler(SAMPLERS["euler"]), SIGMAS, latent).samples
    assert torch.allclose(both[1:], alone, rtol=1e-3, atol=1e-2)


def test_differential_masks_open_step_by_step(model: Model) -> None:
    seen: list[Tensor] = []
    changed = replace(model, per_run=(by_change(1.0),))
    clean = torch.full((1, 4, 8, 8), 0.5)
    mask = torch.linspace(0, 1, 64).reshape(1, 8, 8)
    sigmas = torch.tensor([14.0, 6.0, 2.0, 0.5, 0.0])
    levels = model.parameterization
    guider = CfgGuider(changed, POSITIVE, NEGATIVE, 1.0)

    def watch(step: int, steps: int, x: Tensor, denoised: Tensor, sigma: Tensor) -> None:
        seen.append(denoised)

    latent = {"samples": clean, "noise_mask": mask}
    sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), sigmas, latent, on_step=watch)
    (
        first,
        *_,
    ) = levels.timestep(sigmas[:1]).tolist()
    last = float(levels.timestep(torch.tensor([levels.sigma_min])))
    scaled = model.latent.into(clean)
    for denoised, sigma in zip(seen, sigmas, strict=False):
        share = (float(levels.timestep(sigma[None])) - last) / (first - last)
        stays = (denoised == scaled).all(dim=1)
        assert torch.equal(stays, mask < share)
    mixed = replace(model, per_run=(by_change(0.0),))
    assert torch.equal(
        run(mixed, samples=clean, noise_mask=mask), run(model, samples=clean, noise_mask=mask)
    )


def test_random_patches_repeat_by_seed(model: Model) -> None:
    for name in ("tome", "hypertile"):
        changed = PATCHES[name](model)
        assert torch.equal(run(changed), run(changed))
        assert not torch.equal(run(changed), run(model))


def test_patches_do_not_change_the_model_they_are_made_from(model: Model) -> None:
    before = run(model)
    run(stacked(model, list(PATCHES)))
    assert torch.equal(run(model), before)
