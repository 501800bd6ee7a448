"""Our samplers under the names and signatures of `comfy.k_diffusion.sampling`."""

import inspect
from types import SimpleNamespace

import pytest
import torch

from engine.compat.install import host_module
from engine.compat.sampling.k_samplers import FUNCTIONS, WHOLE_RANGE
from engine.diffusion import schedules
from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS

LEVELS = discrete()
SIGMAS = schedules.karras(5, 0.03, 14.6)
X = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(3)) * 14.6


class Model:
    """A guided model: shrinks x; the negative shrinks it more."""

    parameterization = LEVELS
    inner_model = SimpleNamespace(inner_model=SimpleNamespace(model_sampling=LEVELS))

    def __call__(self, x, sigma, model_options=None, seed=None):
        guided, unguided = self.with_unguided(x, sigma)
        for function in (model_options or {}).get("sampler_post_cfg_function", []):
            guided = function({"denoised": guided, "uncond_denoised": unguided})
        return guided

    def with_unguided(self, x, sigma):
        weight = 1 / (1 + sigma.reshape(-1, 1, 1, 1) ** 2)
        return x * weight + 0.1, x * weight * 0.9


Model.inner_model.inner_model.model_sampling = SimpleNamespace(value=LEVELS)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in WHOLE_RANGE])
def test_a_function_samples_as_the_sampler_of_its_name(name):
    ours = SAMPLERS[name].run(Model(), X, SIGMAS, seed=7)
    theirs = FUNCTIONS[f"sample_{name}"](Model(), X, SIGMAS, extra_args={"seed": 7})
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", WHOLE_RANGE)
def test_a_function_of_a_range_samples_as_the_sampler_of_its_name(name):
    host = host_module("comfy.samplers")
    ours = SAMPLERS[name].run(Model(), X, SIGMAS, seed=7)
    function = host.sampler_object(name).sampler_function
    assert torch.equal(ours, function(Model(), X, SIGMAS, extra_args={"seed": 7}))


def test_a_callback_gets_every_step():
    seen = []
    FUNCTIONS["sample_euler"](Model(), X, SIGMAS, callback=seen.append)
    assert [each["i"] for each in seen] == [0, 1, 2, 3, 4]
    assert all(each.keys() == {"x", "i", "sigma", "sigma_hat", "denoised"} for each in seen)
    assert torch.equal(seen[0]["x"], X)


def test_options_are_named_in_signatures():
    names = inspect.signature(FUNCTIONS["sample_dpmpp_2m_sde"]).parameters
    assert {"eta", "s_noise", "noise_sampler", "solver_type"} <= names.keys()
    assert names["eta"].default == 1.0


def test_a_noise_sampler_draws_instead_of_ours():
    calls = []

    def draw(sigma, sigma_next):
        calls.append((float(sigma), float(sigma_next)))
        return torch.zeros_like(X)

    with_zeros = FUNCTIONS["sample_euler_ancestral"](Model(), X, SIGMAS, noise_sampler=draw)
    without = FUNCTIONS["sample_euler_ancestral"](Model(), X, SIGMAS, {"seed": 7}, s_noise=0.0)
    assert torch.allclose(with_zeros, without)
    assert len(calls) == 4


def test_a_replaced_default_noise_counts(monkeypatch):
    functions = host_module("comfy.k_diffusion.sampling")
    still = functions.sample_euler_ancestral(Model(), X, SIGMAS, {"seed": 7}, s_noise=0.0)
    monkeypatch.setattr(
        functions, "default_noise_sampler", lambda x, seed=None: lambda *_: torch.zeros_like(x)
    )
    assert torch.allclose(functions.sample_euler_ancestral(Model(), X, SIGMAS, {"seed": 7}), still)


def test_churn_adds_noise_within_its_range_only():
    torch.manual_seed(1)
    plain = FUNCTIONS["sample_euler"](Model(), X, SIGMAS)
    outside = FUNCTIONS["sample_euler"](Model(), X, SIGMAS, s_churn=1.0, s_tmin=100.0)
    inside = FUNCTIONS["sample_euler"](Model(), X, SIGMAS, s_churn=1.0)
    assert torch.equal(plain, outside)
    assert not torch.equal(plain, inside)


def test_an_ancestral_step_splits_the_next_level():
    down, up = host_module("comfy.k_diffusion.sampling").get_ancestral_step(
        torch.tensor(4.0), torch.tensor(2.0)
    )
    assert float(down**2 + up**2) == pytest.approx(4.0)


def test_a_brownian_path_is_the_one_of_our_samplers():
    functions = host_module("comfy.k_diffusion.sampling")
    last = SIGMAS[SIGMAS > 0].min()
    draw = functions.BrownianTreeNoiseSampler(X, last, SIGMAS.max(), seed=7, cpu=True)
    ours = SAMPLERS["dpmpp_2m_sde"].run(Model(), X, SIGMAS, seed=7)
    theirs = FUNCTIONS["sample_dpmpp_2m_sde"](Model(), X, SIGMAS, noise_sampler=draw)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_a_schedule_by_name_is_ours(name):
    model_sampling = SimpleNamespace(
        value=LEVELS,
        sigma_min=torch.tensor(LEVELS.sigma_min),
        sigma_max=torch.tensor(LEVELS.sigma_max),
    )
    found = host_module("comfy.samplers").calculate_sigmas(model_sampling, name, 9)
    assert torch.equal(found, schedules.SCHEDULES[name](LEVELS, 9))


def test_a_schedule_that_a_plugin_adds_is_computed(monkeypatch):
    host = host_module("comfy.samplers")
    handler = host.SchedulerHandler(
        handler=lambda ms, steps: torch.full((steps + 1,), 2.0), use_ms=True
    )
    monkeypatch.setitem(host.SCHEDULER_HANDLERS, "flat", handler)
    assert host.calculate_sigmas(None, "flat", 3).tolist() == [2.0] * 4


def test_an_unknown_schedule_names_the_known_ones():
    with pytest.raises(ValueError, match="karras"):
        host_module("comfy.samplers").calculate_sigmas(None, "none such", 3)
