"""The sampling nodes, called as functions on a network that is a formula."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from engine.diffusion.conditioning import Input, Join
from engine.diffusion.parameterization import Prediction, discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.families.family import Entry
from engine.families.latent_format import LatentFormat
from engine.inference import preview_run
from engine.inference.values import Model
from engine.nodekit.context import RunningContext
from engine.residency.handles import LazyWeights
from nodes import (
    custom_sampling,
    guidance,
    guiders,
    model_patches,
    noise,
    samplers,
    sampling,
    schedulers,
    sigmas,
)


class Formula:
    """Predicts the mean of its text as the clean picture."""

    name = "formula"

    def inputs(self, config: Any, entry: Entry, **_: Any) -> dict[str, Input]:
        return {"context": Input(entry.embedding, Join.REPEAT)}

    def activation_bytes(self, *_: Any) -> int:
        return 0

    def predict(
        self, net: nn.Module, x: torch.Tensor, timestep: torch.Tensor, inputs: Any, **_: Any
    ) -> torch.Tensor:
        value = inputs["context"].mean(dim=(1, 2)).reshape(-1, 1, 1, 1)
        return value.expand(x.shape)


@pytest.fixture
def model(cpu_residency) -> Model:
    factors = ((1.0, 0.0, 0.0),) * 4
    form = LatentFormat(channels=4, downscale=(8, 8), scale=1.0, rgb_factors=factors)
    net = LazyWeights("formula", 1, lambda: nn.Linear(1, 1))
    return Model(Formula(), None, net, form, discrete("x0"))


@pytest.fixture
def told() -> list[tuple[int, int, bool]]:
    return []


@pytest.fixture
def ctx(files, told) -> RunningContext:
    return RunningContext(
        "1", files, on_progress=lambda _, step, steps, jpeg: told.append((step, steps, bool(jpeg)))
    )


def text(value: float) -> list[Any]:
    return [[torch.full((1, 3, 2), value), {}]]


def latent(**more: Any) -> dict[str, Any]:
    return {"samples": torch.zeros(1, 4, 8, 8), **more}


def choices(model: Model, ctx: RunningContext, **changed: Any) -> dict[str, Any]:
    chosen = {"model": model, "positive": text(3.0), "negative": text(1.0), "cfg": 2.0, "ctx": ctx}
    return {**chosen, "latent_image": latent(), **changed}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_ends_where_the_network_points(name, model, ctx):
    given = choices(model, ctx, sampler_name=name, scheduler="karras", steps=8, seed=5)
    found = sampling.ksampler(**given)["samples"]
    assert torch.allclose(found, torch.tensor(5.0), atol=0.15), found.std()


@pytest.mark.parametrize("method", ["none", "latent2rgb"])
def test_progress_counts_from_one_with_previews_where_they_are_wanted(
    model, ctx, told, method, monkeypatch
):
    times = itertools.count(step=60.0)
    monkeypatch.setattr(preview_run.time, "monotonic", lambda: next(times))
    ctx.preview_method = method
    sampling.ksampler(**choices(model, ctx, sampler_name="euler", scheduler="normal", steps=3))
    assert [step[:2] for step in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[0][2] == (method != "none")


def test_no_denoising_keeps_the_latent_and_its_other_keys(model, ctx):
    given = latent(batch_index=[3], anything=1)
    given["samples"] = torch.randn(1, 4, 8, 8)
    found = sampling.ksampler(
        **choices(model, ctx, sampler_name="euler", scheduler="normal", denoise=0.0)
        | {"latent_image": given}
    )
    assert torch.equal(found["samples"], given["samples"])
    assert (found["batch_index"], found["anything"]) == ([3], 1)


def advanced(model, ctx, start, end, leftover, *, add_noise="enable", given=None):
    given = given or latent()
    return sampling.ksampler_advanced(
        **choices(model, ctx, sampler_name="dpmpp_2m", scheduler="karras", latent_image=given),
        steps=6,
        add_noise=add_noise,
        noise_seed=9,
        start_at_step=start,
        end_at_step=end,
        return_with_leftover_noise=leftover,
    )


def test_stages_meet_where_they_were_cut(model, ctx):
    half = advanced(model, ctx, 0, 3, "enable")
    assert float(half["samples"].std()) > 0.5
    rest = advanced(model, ctx, 3, 10_000, "disable", add_noise="disable", given=half)
    assert torch.allclose(rest["samples"], torch.tensor(5.0), atol=1e-4)


def test_without_leftover_noise_a_stage_ends_clean(model, ctx):
    found = advanced(model, ctx, 0, 3, "disable")["samples"]
    assert torch.allclose(found, torch.tensor(5.0), atol=1e-4)


def test_a_stage_after_the_end_changes_nothing(model, ctx):
    given = {"samples": torch.randn(1, 4, 8, 8)}
    found = advanced(model, ctx, 6, 10_000, "disable", given=given)
    assert torch.equal(found["samples"], given["samples"])


def test_a_run_of_parts_is_the_run_of_one_node(model, ctx):
    steps = schedulers.basic_scheduler(model=model, scheduler="karras", steps=5)
    chosen = samplers.ksampler_select("euler_ancestral")
    whole = sampling.ksampler(
        **choices(model, ctx, sampler_name="euler_ancestral", scheduler="karras", steps=5, seed=4)
    )
    parts = custom_sampling.sampler_custom_advanced(
        noise.random_noise(4), guiders.cfg_guider(model, text(3.0), text(1.0), 2.0), chosen,
        steps, latent(), ctx,
    )  # fmt: skip
    assert torch.equal(parts.output["samples"], whole["samples"])
    custom = custom_sampling.sampler_custom(
        **choices(model, ctx), add_noise=True, noise_seed=4, sampler=chosen, sigmas=steps
    )
    assert torch.equal(custom.output["samples"], whole["samples"])
    assert torch.allclose(custom.denoised_output["samples"], torch.tensor(5.0))


def test_guiders(model, ctx):
    steps = schedulers.karras_scheduler(3)
    euler = samplers.ksampler_select("euler")

    def ends(guider) -> float:
        both = custom_sampling.sampler_custom_advanced(
            noise.disable_noise(), guider, euler, steps, latent(), ctx
        )
        return float(both.output["samples"].mean())

    assert ends(guiders.basic_guider(model, text(3.0))) == pytest.approx(3.0)
    dual = {"model": model, "cond1": text(5.0), "cond2": text(3.0), "negative": text(1.0)}
    scales = {"cfg_conds": 7.0, "cfg_cond2_negative": 1.5}
    regular = guiders.dual_cfg_guider(**dual, **scales, style="regular")
    assert ends(regular) == pytest.approx(1 + 1.5 * 2 + 7 * 2)
    nested = guiders.dual_cfg_guider(**dual, **scales, style="nested")
    assert ends(nested) == pytest.approx(1 + 1.5 * (3 + 7 * 2 - 1))


def test_another_scale_in_a_part_of_sampling(model, ctx):
    """The network points at 3 and at 1, so a step at scale s points at 1 + 2 s."""
    seen: list[float] = []

    class Watched(Formula):
        def predict(self, net, x, timestep, inputs, **more):
            seen.append(float(inputs["context"].mean()))
            return super().predict(net, x, timestep, inputs, **more)

    changed = replace(model, family=Watched())
    given = {"sampler_name": "euler", "scheduler": "normal", "steps": 10, "seed": 1, "cfg": 2.0}
    last = guidance.cfg_override(changed, 4.0, 0.5, 1.0)
    found = sampling.ksampler(**choices(last, ctx, **given))["samples"]
    assert torch.allclose(found, torch.tensor(9.0), atol=1e-3)
    # at 1 the negative is not evaluated: fewer predictions, and they point at the positive
    seen.clear()
    single = guidance.cfg_override(changed, 1.0, 0.5, 1.0)
    found = sampling.ksampler(**choices(single, ctx, **given))["samples"]
    assert torch.allclose(found, torch.tensor(3.0), atol=1e-3)
    assert 10 <= len(seen) < 20
    # the override nearest to the sampler counts
    both = guidance.cfg_override(last, 6.0, 0.9, 1.0)
    found = sampling.ksampler(**choices(both, ctx, **given))["samples"]
    assert torch.allclose(found, torch.tensor(13.0), atol=1e-3)
    early = guidance.cfg_override(changed, 4.0, 0.0, 0.2)
    found = sampling.ksampler(**choices(early, ctx, **given))["samples"]
    assert torch.allclose(found, torch.tensor(5.0), atol=1e-3)


def test_patched_models(model):
    assert model_patches.model_attention_backend(model, "comfy kitchen attention") is model
    patched = model_patches.model_sampling_discrete(model=model, sampling="lcm", zsnr=False)
    assert patched.parameterization.prediction is Prediction.LCM
    assert len(patched.parameterization.sigmas) == 50
    patched = model_patches.model_sampling_discrete(model=model, sampling="v_prediction", zsnr=True)
    assert patched.parameterization.sigma_max == pytest.approx(4518.76, rel=1e-4)
    both = model_patches.apg(model_patches.rescale_cfg(model))
    assert both.guidance.combine is not None
    assert len(both.guidance.before) == 1
    assert model.guidance.combine is None


def test_noise_is_added_as_a_run_would(model):
    drawn = noise.random_noise(8)
    steps = torch.tensor([3.0, 1.0])
    found = noise.add_noise(model, drawn, steps, latent())["samples"]
    assert torch.allclose(found, 2.0 * drawn.generate_noise(latent()))
    assert noise.add_noise(model, drawn, steps[:0], latent())["samples"].sum() == 0


SIGMAS = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])


def test_sigmas_are_taken_apart(model):
    high, low = sigmas.split_sigmas_denoise(SIGMAS, 0.5)
    assert (high.tolist(), low.tolist()) == ([8, 4, 2], [2, 1, 0])
    before, after = sigmas.split_sigmas_denoise(SIGMAS, 0.0)
    assert (before.tolist(), after.tolist()) == ([], [0.0])
    assert sigmas.set_first_sigma(SIGMAS, 9.0).tolist() == [9, 4, 2, 1, 0]
    assert SIGMAS[0] == 8
    assert sigmas.manual_sigmas("14.6, 5e-1; .25 0").tolist() == pytest.approx([14.6, 0.5, 0.25, 0])
    percent = sigmas.sampling_percent_to_sigma
    assert percent(model=model, sampling_percent=0.0) > 1e8
    actual = percent(model=model, sampling_percent=0.0, return_actual_sigma=True)
    assert actual == pytest.approx(14.614641)
    assert percent(model=model, sampling_percent=1.0, return_actual_sigma=True) < 0.03


def test_the_basic_scheduler_never_gives_more_steps_than_asked(model):
    found = schedulers.basic_scheduler(model=model, scheduler="ddim_uniform", steps=30)
    assert len(found) == 31
    half = schedulers.basic_scheduler(model=model, scheduler="normal", steps=10, denoise=0.5)
    whole = schedulers.basic_scheduler(model=model, scheduler="normal", steps=20)
    assert torch.equal(half, whole[-11:])


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: schedulers.karras_scheduler(rho=0.0), "rho"),
        (lambda: schedulers.exponential_scheduler(sigma_min=0.0), "sigma_min"),
        (lambda: schedulers.polyexponential_scheduler(sigma_max=0.0), "sigma_max"),
    ],
)
def test_numbers_without_a_logarithm_or_root_are_refused(make, name: str):
    with pytest.raises(NodeError, match=f"{name} is 0"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda model: schedulers.karras_scheduler(),
        lambda model: schedulers.exponential_scheduler(),
        lambda model: schedulers.polyexponential_scheduler(rho=2.0),
        lambda model: schedulers.vp_scheduler(),
        schedulers.beta_sampling_scheduler,
        lambda model: schedulers.sd_turbo_scheduler(model, 4),
        lambda model: schedulers.align_your_steps_scheduler(model_type="SDXL"),
        lambda model: schedulers.gits_scheduler(),
        lambda model: schedulers.optimal_steps_scheduler(model_type="FLUX"),
    ],
)
def test_schedules_fall_to_nothing(make, model):
    found = make(model)
    assert (found.diff() < 0).all()
    assert found[-1] == 0


SETTINGS = [
    samplers.sampler_euler_ancestral(eta=0.5),
    samplers.sampler_euler_ancestral_cfg_pp(eta=0.5),
    samplers.sampler_euler_cfg_pp("regular"),
    samplers.sampler_euler_cfg_pp("alternative"),
    samplers.sampler_lms(order=2),
    samplers.sampler_dpm_adaptive(order=2, rtol=0.1),
    samplers.sampler_dpmpp_2s_ancestral(eta=0.3),
    samplers.sampler_dpmpp_sde(r=0.4, noise_device="cpu"),
    samplers.sampler_dpmpp_2m_sde(solver_type="heun", noise_device="gpu"),
    samplers.sampler_dpmpp_3m_sde(noise_device="cpu", s_noise=0.5),
    samplers.sampler_er_sde(solver_type="ODE"),
    samplers.sampler_er_sde(solver_type="Reverse-time SDE", max_stage=2),
    samplers.sampler_seeds_2(solver_type="phi_2", r=0.3),
]


@pytest.mark.parametrize("chosen", SETTINGS, ids=lambda chosen: chosen.spec.function.__name__)
def test_samplers_with_knobs_of_their_own(chosen, model, ctx):
    guider = guiders.cfg_guider(model, text(3.0), text(1.0), 2.0)
    steps = schedulers.karras_scheduler(8)
    both = custom_sampling.sampler_custom_advanced(
        noise.random_noise(2), guider, chosen, steps, latent(), ctx
    )
    found = both.output["samples"]
    assert torch.isfinite(found).all()
    if chosen.spec.function.__name__ != "euler_cfg_pp_alternative":
        assert torch.allclose(found, torch.tensor(5.0), atol=0.15)


def test_sa_solver_takes_its_interval_from_the_run(model, ctx):
    chosen = samplers.sampler_sa_solver(
        model=model, use_pece=True, simple_order_2=True, predictor_order=2, corrector_order=2
    )
    guider = guiders.basic_guider(model, text(3.0))
    steps = schedulers.karras_scheduler(8)
    both = custom_sampling.sampler_custom_advanced(
        noise.random_noise(2), guider, chosen, steps, latent(), ctx
    )
    assert torch.allclose(both.output["samples"], torch.tensor(3.0), atol=0.15)
    assert math.isfinite(float(both.output["samples"].sum()))


def test_lcm_grows_on_the_way(model, ctx):
    chosen = samplers.sampler_lcm_upscale(scale_ratio=1.5, scale_steps=2, upscale_method="bislerp")
    both = custom_sampling.sampler_custom_advanced(
        noise.random_noise(2),
        guiders.cfg_guider(model, text(3.0), text(1.0), 2.0),
        chosen,
        schedulers.karras_scheduler(4),
        latent(),
        ctx,
    )
    assert both.output["samples"].shape == (1, 4, 12, 12)
    assert torch.allclose(both.output["samples"], torch.tensor(5.0), atol=1e-4)


def test_continuous_levels_are_those_that_are_asked_for(model):
    found = model_patches.model_sampling_continuous_edm(
        model=model, sampling="eps", sigma_max=20.0, sigma_min=0.01
    ).parameterization
    assert (found.sigma_min, found.sigma_max) == pytest.approx((0.01, 20.0))
    assert found.prediction == Prediction.EPS
    angle = model_patches.model_sampling_continuous_v(
        model=model, sampling="v_prediction"
    ).parameterization
    assert float(angle.timestep(torch.tensor(1.0))) == pytest.approx(0.5)


def test_playground_standardises_latents(model):
    found = model_patches.model_sampling_continuous_edm(model=model, sampling="edm_playground_v2.5")
    z = torch.randn(2, 4, 3, 3)
    expected = (z[:, 1] - 1.886) * 0.5 / 5.9022
    assert torch.allclose(found.latent.into(z)[:, 1], expected, atol=1e-6)
    assert torch.allclose(found.latent.out(found.latent.into(z)), z, atol=1e-5)


@pytest.mark.parametrize(("smallest", "largest"), [(0.0, 10.0), (5.0, 5.0), (5.0, 1.0)])
def test_levels_that_do_not_rise_are_refused(model, smallest, largest):
    with pytest.raises(NodeError, match="make sigma_min larger than 0 and smaller than sigma_max"):
        model_patches.model_sampling_continuous_edm(
            model=model, sampling="edm", sigma_max=largest, sigma_min=smallest
        )
