"""The table: every name that workflows use, and how a run reports and stops."""

import json

import pytest
import torch

from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError, Stopped


def test_names_and_order_are_those_of_the_menus(reference_folder):
    facts = json.loads((reference_folder / "schedules.json").read_text(encoding="utf-8"))
    assert list(SAMPLERS) == facts["samplers"]


def test_who_drops_the_penultimate_sigma():
    dropping = {name for name, spec in SAMPLERS.items() if spec.drops_penultimate}
    assert dropping == {"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"}


def test_who_steps_along_the_unguided_image():
    assert all(spec.unguided == ("cfg_pp" in name) for name, spec in SAMPLERS.items())


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_step_is_reported_once(name, eps_mixture, path, starts):
    sigmas = path(eps_mixture, 6, ends_clean=True)
    seen = []

    def on_step(step, steps, x, denoised, sigma):
        assert x.shape == denoised.shape == starts.shape
        assert sigma.ndim == 0
        seen.append((step, steps, sigma.item()))

    SAMPLERS[name].run(eps_mixture, starts * sigmas[0], sigmas, seed=0, on_step=on_step)
    steps, totals, levels = zip(*seen, strict=True)
    assert set(totals) == ({3} if name == "dpm_fast" else {7})
    if name == "dpm_adaptive":  # reports attempts, including rejected ones
        assert list(steps) == sorted(steps)
        assert steps[0] == 0
    else:
        assert list(steps) == list(range(totals[0]))
        assert levels[0] == pytest.approx(8.0)
    assert list(levels) == sorted(levels, reverse=True)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_report_may_stop_the_run(name, eps_mixture, path, starts):
    sigmas = path(eps_mixture, 6, ends_clean=True)
    seen = []

    def on_step(step, steps, x, denoised, sigma):
        seen.append(step)
        raise Stopped

    with pytest.raises(Stopped):
        SAMPLERS[name].run(eps_mixture, starts * sigmas[0], sigmas, seed=0, on_step=on_step)
    assert seen == [0]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("count", [0, 1])
def test_a_schedule_without_a_step_changes_nothing(name, count, eps_mixture, starts):
    assert SAMPLERS[name].run(eps_mixture, starts, torch.ones(count), seed=0) is starts


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_start_is_not_written_to_and_fp32_stays(name, eps_mixture, path, starts):
    sigmas = path(eps_mixture, 4, ends_clean=True).float()
    x = starts.float() * 8
    kept = x.clone()

    def narrow(x, sigma):
        return eps_mixture(x.double(), sigma.double()).float()

    class Narrow:
        parameterization = eps_mixture.parameterization
        __call__ = staticmethod(narrow)

    reached = SAMPLERS[name].run(Narrow(), x, sigmas, seed=0)
    assert torch.equal(x, kept)
    assert reached.dtype == torch.float32


def test_adaptive_orders_are_two_and_three(eps_mixture, path, starts):
    with pytest.raises(ValueError, match="order 2 and 3, not 4"):
        SAMPLERS["dpm_adaptive"].run(eps_mixture, starts, path(eps_mixture, 4), seed=0, order=4)


def test_er_sde_names_its_solvers(eps_mixture, path, starts):
    with pytest.raises(ValueError, match="no solver type 'SDE'"):
        SAMPLERS["er_sde"].run(eps_mixture, starts, path(eps_mixture, 4), seed=0, solver_type="SDE")


def test_a_second_stage_at_no_distance_is_refused(eps_mixture, path, starts):
    with pytest.raises(NodeError, match="r is 0"):
        SAMPLERS["dpmpp_sde"].run(eps_mixture, starts, path(eps_mixture, 4), seed=0, r=0)


def test_adaptive_steps_do_not_shrink_forever(eps_mixture, scripted, path, starts):
    sigmas = path(eps_mixture, 4)
    with pytest.raises(NodeError, match="rtol 0 and atol 0"):
        SAMPLERS["dpm_adaptive"].run(eps_mixture, starts * 8, sigmas, seed=0, rtol=0.0, atol=0.0)
    broken = scripted(lambda x, sigma: x * float("nan"))
    with pytest.raises(NodeError, match="error nan"):
        SAMPLERS["dpm_adaptive"].run(broken, starts * 8, sigmas, seed=0)
