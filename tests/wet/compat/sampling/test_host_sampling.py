"""`comfy.sample` and `comfy.samplers` against the engine's own nodes, bit for bit."""

import pytest
import torch

from engine.compat.sampling.values import to_object
from engine.diffusion.schedules import SCHEDULES
from engine.inference.values import CfgGuider
from nodes.custom_sampling import sampler_custom, sampler_custom_advanced
from nodes.guiders import basic_guider, dual_cfg_guider, perp_neg_guider
from nodes.noise import random_noise
from nodes.samplers import ksampler_select, sampler_dpmpp_2m_sde
from nodes.sampling import ksampler, ksampler_advanced
from nodes.schedulers import basic_scheduler

SAME = {"steps": 3, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal"}


def sampled(host, patcher, positive, negative, latent, seed=7, **given):
    options = {**SAME, **given}
    noise = host.sample.prepare_noise(latent["samples"], seed)
    return host.sample.sample(
        patcher,
        noise,
        options.pop("steps"),
        options.pop("cfg"),
        options.pop("sampler_name"),
        options.pop("scheduler"),
        positive,
        negative,
        latent["samples"],
        noise_mask=latent.get("noise_mask"),
        seed=seed,
        **options,
    )


KINDS = [
    "euler",
    "euler_cfg_pp",
    "dpm_2_ancestral",
    "dpm_fast",
    "dpmpp_sde",
    "dpmpp_2m",
    "lcm",
    "deis",
    "res_multistep",
    "sa_solver",
    "ddim",
    "uni_pc_bh2",
]
"""Samplers of every kind; `test_k_samplers.py` compares each of them."""


@pytest.mark.parametrize("name", KINDS)
def test_a_sampler_samples_as_the_node(name, host, model, patcher, positive, negative, latent, ctx):
    wanted = ksampler(
        model=model,
        seed=7,
        positive=positive,
        negative=negative,
        latent_image=latent,
        ctx=ctx,
        **{**SAME, "sampler_name": name},
    )
    found = sampled(host, patcher, positive, negative, latent, sampler_name=name)
    assert torch.equal(found, wanted["samples"])


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_the_node_s(name, model, patcher, host):
    wanted = basic_scheduler(model=model, scheduler=name, steps=5)
    levels = patcher.get_model_object("model_sampling")
    found = host.samplers.calculate_sigmas(levels, name, 5)
    assert torch.equal(found[-6:], wanted)


@pytest.mark.parametrize("denoise", [1.0, 0.6, 0.0])
def test_a_mask_and_a_share_of_the_schedule(
    denoise, host, model, patcher, positive, negative, painted, ctx
):
    wanted = ksampler(
        model=model,
        seed=7,
        positive=positive,
        negative=negative,
        latent_image=painted,
        ctx=ctx,
        denoise=denoise,
        **SAME,
    )
    found = sampled(host, patcher, positive, negative, painted, denoise=denoise)
    assert torch.equal(found, wanted["samples"])


def test_some_steps_with_noise_left(host, model, patcher, positive, negative, latent, ctx):
    wanted = ksampler_advanced(
        model=model,
        add_noise="enable",
        noise_seed=7,
        positive=positive,
        negative=negative,
        latent_image=latent,
        start_at_step=0,
        end_at_step=2,
        return_with_leftover_noise="enable",
        ctx=ctx,
        **SAME,
    )
    found = sampled(host, patcher, positive, negative, latent, start_step=0, last_step=2)
    assert torch.equal(found, wanted["samples"])


def test_areas_masks_and_times_of_entries(host, model, patcher, negative, latent, ctx):
    mask = torch.zeros(1, 8, 8)
    mask[:, :, 4:] = 1.0
    entries = torch.linspace(-1, 1, 720).reshape(3, 1, 5, 48)
    positive = [
        [entries[0], {"area": (4, 8, 0, 0), "strength": 0.7}],
        [entries[1], {"mask": mask, "mask_strength": 0.9}],
        [entries[2], {"start_percent": 0.0, "end_percent": 0.4}],
    ]
    wanted = ksampler(
        model=model,
        seed=7,
        positive=positive,
        negative=negative,
        latent_image=latent,
        ctx=ctx,
        **SAME,
    )
    found = sampled(host, patcher, positive, negative, latent)
    assert torch.equal(found, wanted["samples"])


def test_sample_custom_samples_as_the_node(host, model, patcher, positive, negative, latent, ctx):
    sigmas = basic_scheduler(model=model, scheduler="karras", steps=4)
    sampler = sampler_dpmpp_2m_sde(solver_type="heun", eta=0.7, noise_device="cpu")
    wanted = sampler_custom(
        model=model,
        noise_seed=7,
        cfg=4.0,
        positive=positive,
        negative=negative,
        sampler=sampler,
        sigmas=sigmas,
        latent_image=latent,
        ctx=ctx,
    )
    found = host.sample.sample_custom(
        patcher,
        host.sample.prepare_noise(latent["samples"], 7),
        4.0,
        to_object(sampler),
        sigmas,
        positive,
        negative,
        latent["samples"],
        seed=7,
    )
    assert torch.equal(found, wanted.output["samples"])


def guiders(model, positive, negative):
    return {
        "basic": basic_guider(model, positive),
        "cfg": CfgGuider(model, positive, negative, 4.0),
        "one": CfgGuider(model, positive, negative, 1.0),
        "dual": dual_cfg_guider(
            model=model,
            cond1=positive,
            cond2=negative,
            negative=negative,
            cfg_conds=3.0,
            cfg_cond2_negative=2.0,
            style="regular",
        ),
        "nested": dual_cfg_guider(
            model=model,
            cond1=positive,
            cond2=negative,
            negative=negative,
            cfg_conds=3.0,
            cfg_cond2_negative=2.0,
            style="nested",
        ),
        "perp": perp_neg_guider(model, positive, negative, negative, cfg=4.0, neg_scale=0.8),
    }


@pytest.mark.parametrize("kind", ["basic", "cfg", "one", "dual", "nested", "perp"])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral_cfg_pp"])
def test_our_guiders_sample_the_same_as_objects(
    kind, sampler, host, model, positive, negative, latent, ctx
):
    guider = guiders(model, positive, negative)[kind]
    sigmas = basic_scheduler(model=model, scheduler="normal", steps=3)
    chosen = ksampler_select(sampler)
    wanted = sampler_custom_advanced(random_noise(7), guider, chosen, sigmas, latent, ctx)
    noise = to_object(random_noise(7))
    found = to_object(guider).sample(
        noise.generate_noise(latent), latent["samples"], to_object(chosen), sigmas, seed=noise.seed
    )
    assert torch.equal(found, wanted.output["samples"])


def test_a_callback_gets_step_prediction_and_x(host, patcher, positive, negative, latent):
    seen = []
    sampled(
        host,
        patcher,
        positive,
        negative,
        latent,
        callback=lambda step, x0, x, steps: seen.append((step, x0.shape, x.shape, steps)),
    )
    shape = (1, 4, 8, 8)
    assert seen == [(step, shape, shape, 3) for step in range(3)]


def test_the_engine_s_values_come_back(host, model, positive, negative):
    sampler = ksampler_select("euler")
    assert to_object(sampler).to_value() == sampler
    assert to_object(random_noise(7)).to_value() == random_noise(7)
