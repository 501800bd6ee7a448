"""Samplers, guiders, noise and replacements of a pack in the engine's own nodes."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

import nodes
from engine.compat.sampling import menus
from engine.compat.sampling.values import boundary, to_object, to_value
from engine.errors import Stopped
from engine.inference.values import CfgGuider
from engine.nodekit.context import RunningContext
from nodes.custom_sampling import sampler_custom, sampler_custom_advanced
from nodes.noise import random_noise
from nodes.samplers import ksampler_select
from nodes.sampling import ksampler
from nodes.schedulers import basic_scheduler

PACK = Path(__file__).parents[3] / "plugins" / "pack_of_samplers" / "__init__.py"
SAME = {"steps": 3, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "seed": 7}


@pytest.fixture
def pack(path, host):
    """The pack's module, imported as a worker imports it; what it added is removed after."""
    names = list(host.samplers.KSampler.SAMPLERS), list(host.samplers.SCHEDULER_NAMES)
    spec = importlib.util.spec_from_file_location("pack_of_samplers", PACK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    host.samplers.KSampler.SAMPLERS[:], host.samplers.SCHEDULER_NAMES[:] = names
    host.samplers.SCHEDULER_HANDLERS.pop("flat", None)
    del host.k_sampling.sample_by_hand, sys.modules[spec.name]


def made(pack, name, **inputs):
    """The value that a node of the pack returns, through the boundary."""
    node = pack.NODE_CLASS_MAPPINGS[name]()
    found = getattr(node, node.FUNCTION)(**boundary().given(inputs))
    return boundary().returned(found)[0]


@pytest.fixture
def sampled(model, positive, negative, latent, ctx):
    """KSampler, its arguments changed."""

    def sample(**changed):
        given = {
            "model": model,
            "positive": positive,
            "negative": negative,
            "latent_image": latent,
            "ctx": ctx,
            **SAME,
        }
        return ksampler(**{**given, **changed})["samples"]

    return sample


@pytest.fixture
def advanced(model, positive, negative, latent, ctx):
    """SamplerCustomAdvanced, its arguments changed."""

    def sample(**changed):
        given = {
            "noise": random_noise(7),
            "guider": CfgGuider(model, positive, negative, 4.0),
            "sampler": ksampler_select("euler"),
            "sigmas": basic_scheduler(model=model, scheduler="normal", steps=3),
            "latent_image": latent,
            "ctx": ctx,
        }
        return sampler_custom_advanced(**{**given, **changed})

    return sample


def test_a_sampler_function_of_a_pack_is_euler(pack, advanced):
    found = advanced(sampler=made(pack, "PackSamplerByHand", shrink=1.0))
    wanted = advanced()
    assert torch.equal(found.output["samples"], wanted.output["samples"])
    assert torch.equal(found.denoised_output["samples"], wanted.denoised_output["samples"])
    assert pack.SEEN == [("euler_by_hand", True)]


def test_tensors_in_the_options_of_a_call_are_no_obstacle(pack, advanced, host):
    def with_tensors(model, x, sigmas, extra_args=None, **rest):
        options = extra_args["model_options"]["transformer_options"]
        options["x_tmp"], options["row"] = x.clone(), 3
        return pack.euler_by_hand(model, x, sigmas, extra_args, **rest)

    found = advanced(sampler=to_value(host.samplers.KSAMPLER(with_tensors)))
    assert torch.equal(found.output["samples"], advanced().output["samples"])


def test_a_tensor_in_a_model_s_options_is_no_obstacle(path, model, sampled):
    patcher = to_object(model)
    patcher.model_options["transformer_options"]["mine"] = torch.ones(2)
    assert torch.equal(sampled(model=to_value(patcher)), sampled())


def test_options_of_a_sampler_reach_its_function(pack, advanced):
    half = advanced(sampler=made(pack, "PackSamplerByHand", shrink=0.5))
    assert not torch.equal(half.output["samples"], advanced().output["samples"])


def test_a_mask_stays_outside_a_pack_s_sampler(pack, advanced, painted):
    found = advanced(
        sampler=made(pack, "PackSamplerByHand", shrink=1.0), latent_image=painted
    ).output["samples"]
    wanted = advanced(latent_image=painted).output["samples"]
    assert torch.equal(found, wanted)
    assert torch.allclose(found[..., 5:], painted["samples"][..., 5:], atol=1e-4)


def test_an_added_sampler_and_schedule_run_by_name(pack, sampled):
    assert torch.equal(sampled(sampler_name="by_hand"), sampled())
    flat = sampled(scheduler="flat")
    assert not torch.equal(flat, sampled())
    assert torch.equal(sampled(sampler_name="by_hand", scheduler="flat"), flat)


def test_an_added_sampler_and_schedule_are_chosen_by_the_small_nodes(pack, model, advanced):
    sigmas = basic_scheduler(model=model, scheduler="flat", steps=4)
    assert sigmas.tolist() == pytest.approx([14.6146, 10.9610, 7.3073, 3.6537, 0.0], abs=1e-3)
    found = advanced(sampler=ksampler_select("by_hand"))
    assert torch.equal(found.output["samples"], advanced().output["samples"])


def test_the_menus_of_built_in_nodes_list_what_a_pack_added(pack):
    catalog = {each.class_type: each.describe() for each in nodes.builtin_nodes()}
    longer = menus.extended(catalog)
    choices = longer["KSampler"].input("sampler_name").choices
    assert choices.index("by_hand") == choices.index("euler") + 1
    assert "flat" in longer["BasicScheduler"].input("scheduler").choices
    assert "by_hand" in longer["KSamplerSelect"].input("sampler_name").choices
    assert longer["CLIPTextEncode"] == catalog["CLIPTextEncode"]


def test_a_guider_of_a_pack_predicts(pack, model, positive, negative, advanced):
    guider = made(
        pack, "PackGuiderHalved", model=model, positive=positive, negative=negative, cfg=4.0
    )
    found = advanced(guider=guider).output["samples"]
    assert not torch.equal(found, advanced().output["samples"])
    one = advanced(guider=CfgGuider(model, positive, negative, 1.0)).output["samples"]
    assert not torch.equal(found, one)
    assert torch.equal(found, advanced(guider=guider).output["samples"])


def test_a_noise_of_a_pack_is_drawn(pack, advanced, latent):
    noise = made(pack, "PackNoiseOfHalf", seed=7)
    assert torch.equal(noise.generate_noise(latent) * 2, random_noise(7).generate_noise(latent))
    assert not torch.equal(advanced(noise=noise).output["samples"], advanced().output["samples"])


def test_every_wrapper_and_callback_is_called(pack, model, sampled):
    watched = made(pack, "PackWatched", model=model)
    assert torch.equal(sampled(model=watched), sampled())
    steps = [("PREDICT_NOISE", "CFGGuider"), ("CALC_COND_BATCH", "NoneType")] * 3
    expected = [
        ("OUTER_SAMPLE", "CFGGuider"),
        ("PREPARE_SAMPLING", "NoneType"),
        ("ON_PRE_RUN", ""),
        ("SAMPLER_SAMPLE", "KSAMPLER"),
        *steps,
        ("ON_CLEANUP", ""),
    ]
    assert list(pack.SEEN) == expected


def test_functions_around_guidance_get_conditionings_to_evaluate(pack, model, sampled):
    plain = sampled()
    found = sampled(model=made(pack, "PackSteered", model=model, weight=0.0))
    assert torch.allclose(found, plain, atol=1e-4)
    assert pack.SEEN == [("pre", 2), ("cfg", 4.0), ("post", True)] * 3
    other = sampled(model=made(pack, "PackSteered", model=model, weight=0.5))
    assert not torch.allclose(other, plain, atol=1e-3)


def test_a_pack_s_own_ksampler_is_ours(pack, model, positive, negative, latent, sampled):
    found = made(
        pack,
        "PackSamplesItself",
        model=model,
        seed=7,
        sampler_name="euler",
        scheduler="normal",
        positive=positive,
        negative=negative,
        latent=latent,
    )
    assert torch.equal(found["samples"], sampled())


@pytest.mark.parametrize("name", ["sample", "prepare_noise"])
def test_a_replaced_function_of_comfy_sample_is_called_by_ksampler(
    name, path, host, monkeypatch, sampled
):
    wanted, calls, original = sampled(), [], getattr(host.sample, name)

    def replaced(*args, **kwargs):
        calls.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(host.sample, name, replaced)
    assert torch.equal(sampled(), wanted)
    assert calls == [name]


@pytest.mark.parametrize(
    "name",
    [
        "sample",
        "sampling_function",
        "calc_cond_batch",
        "calculate_sigmas",
        "cfg_function",
        "process_conds",
        "sampler_object",
        "pre_run_control",
    ],
)
def test_a_replaced_function_of_comfy_samplers_is_called_by_ksampler(
    name, path, host, monkeypatch, sampled
):
    wanted, calls, original = sampled(), [], getattr(host.samplers, name)

    def replaced(*args, **kwargs):
        calls.append(name)
        return original(*args, **kwargs)

    monkeypatch.setattr(host.samplers, name, replaced)
    assert torch.equal(sampled(), wanted)
    assert calls


def test_a_replaced_method_is_called(path, host, monkeypatch, sampled):
    wanted, calls, original = sampled(), [], host.samplers.KSampler.sample

    def replaced(self, *args, **kwargs):
        calls.append(self.sampler)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(host.samplers.KSampler, "sample", replaced)
    assert torch.equal(sampled(), wanted)
    assert calls == ["euler"]


def test_a_replaced_sample_custom_is_called_by_its_node(
    path, host, monkeypatch, model, positive, negative, latent, ctx
):
    given = {
        "model": model,
        "noise_seed": 7,
        "cfg": 4.0,
        "positive": positive,
        "negative": negative,
        "sampler": ksampler_select("euler"),
        "latent_image": latent,
        "ctx": ctx,
        "sigmas": basic_scheduler(model=model, scheduler="normal", steps=3),
    }
    wanted, calls, original = sampler_custom(**given), [], host.sample.sample_custom
    monkeypatch.setattr(
        host.sample, "sample_custom", lambda *a, **k: calls.append(1) or original(*a, **k)
    )
    assert torch.equal(sampler_custom(**given).output["samples"], wanted.output["samples"])
    assert calls == [1]


def test_a_replaced_sampler_function_is_called_by_name(path, host, monkeypatch, sampled):
    calls, original = [], host.k_sampling.sample_euler
    monkeypatch.setattr(
        host.k_sampling, "sample_euler", lambda *a, **k: calls.append(1) or original(*a, **k)
    )
    sampled()
    assert calls == [1]


def test_without_a_plugin_the_engine_s_own_path_is_taken(path, host, monkeypatch, sampled):
    def broken(*_, **__):
        raise AssertionError("the plugins' path was taken")

    monkeypatch.setattr(type(path), "ksampler", broken)
    monkeypatch.setattr(type(path), "sample", broken)
    sampled()


def test_a_sampler_of_a_class_without_our_base_is_taken(path, advanced):
    class Bare:
        def max_denoise(self, model_wrap, sigmas):
            return True

        def sample(
            self,
            model_wrap,
            sigmas,
            extra_args,
            callback,
            noise,
            latent_image=None,
            denoise_mask=None,
            disable_pbar=False,
        ):
            return model_wrap(noise * sigmas[0], sigmas[:1], **extra_args)

    found = advanced(sampler=to_value(Bare()))
    assert found.output["samples"].shape == (1, 4, 8, 8)


def test_a_stop_passes_through_a_pack_s_sampler(pack, advanced, files):
    def stop(*_):
        raise Stopped

    ctx = RunningContext("1", files, on_progress=stop)
    with pytest.raises(Stopped):
        advanced(sampler=made(pack, "PackSamplerByHand", shrink=1.0), ctx=ctx)


def test_a_guider_keeps_its_conditionings_and_options_after_a_run(
    pack, model, positive, negative, latent, host
):
    guider = pack.HalvedGuidance(to_object(model))
    guider.set_conds(positive, negative)
    before = guider.model_options
    noise = host.sample.prepare_noise(latent["samples"], 7)
    sampler = host.samplers.sampler_object("euler")
    sigmas = torch.tensor([14.0, 3.0, 0.0])
    guider.sample(noise, latent["samples"], sampler, sigmas, seed=7)
    assert guider.model_options is before
    assert guider.original_conds.keys() == {"positive", "negative"}
    assert not hasattr(guider, "conds")
    assert not hasattr(guider, "inner_model")
