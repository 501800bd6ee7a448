"""Samplers against the schedulers of diffusers, where both follow the same paper.

An artificial network without a timestep, eps(x / sqrt(1 + sigma^2)), makes the two comparable: our
samplers use the schedulers' sigmas. Relative L2 below 2e-4, because the schedulers compute their
coefficients in single precision.
"""

import pytest
import torch

from engine.diffusion.denoiser import no_report
from engine.diffusion.samplers.table import SAMPLERS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHAPE = (2, 4, 4, 4)
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
STEPS = 9


def network(scaled):
    return torch.tanh(scaled.double() * 0.8 + scaled.double().roll(1, -1) * 0.3)


@pytest.fixture
def denoise(scripted):
    def answer(x, sigma):
        return x - sigma * network(x / (1 + sigma**2).sqrt())

    return scripted(answer)


class Noise:
    """The same draws on both sides."""

    def __init__(self, dtype=torch.float64):
        self.generator = torch.Generator().manual_seed(5)
        self.dtype = dtype

    def __call__(self, x, sigma, sigma_next):
        return torch.randn(x.shape, generator=self.generator, dtype=self.dtype).to(x.dtype)


def ours(name, denoise, sigmas, x, *, noise=None, **knobs):
    spec = SAMPLERS[name]
    if spec.noise != "none":
        knobs["noise"] = noise
    sigmas = sigmas.double().cpu()
    return spec.function(denoise, x, sigmas, on_step=no_report, **{**spec.knobs, **knobs})


def start(sigmas):
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return noise * float(sigmas[0])


def close(reached, expected):
    assert ((reached - expected).norm() / expected.norm()).item() < 2e-4


def walked(scheduler, x, noise=None):
    """The scheduler's result, converted to our coordinates."""
    sigmas = scheduler.sigmas.double()
    x = x / (1 + sigmas[0] ** 2).sqrt()
    more = {"generator": noise.generator} if noise else {}
    for timestep in scheduler.timesteps:
        x = scheduler.step(network(x), timestep, x, **more).prev_sample.double()
    return x * (1 + sigmas[-1] ** 2).sqrt()


@pytest.mark.parametrize("karras", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dpmpp_2m", {"algorithm_type": "dpmsolver++"}),
        ("res_multistep", {"algorithm_type": "dpmsolver++", "solver_type": "heun"}),
        ("dpmpp_2m_sde", {"algorithm_type": "sde-dpmsolver++"}),
        ("dpmpp_2m_sde_heun", {"algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}),
    ],
)
def test_dpm_solver_multistep(name, options, karras, denoise):
    from diffusers import DPMSolverMultistepScheduler

    final = {"final_sigmas_type": "zero", "euler_at_final": True}
    scheduler = DPMSolverMultistepScheduler(
        **BETAS, **final, **options, use_karras_sigmas=karras, lower_order_final=False
    )
    scheduler.set_timesteps(STEPS)
    x = start(scheduler.sigmas)
    reached = ours(name, denoise, scheduler.sigmas, x, noise=Noise(torch.float32))
    close(reached, walked(scheduler, x, Noise(torch.float32)))


@pytest.mark.parametrize(("predictor", "corrector"), [(1, 1), (2, 2), (2, 3), (3, 3), (3, 4)])
@pytest.mark.parametrize("tau", [0.0, 0.8])
def test_sa_solver(predictor, corrector, tau, denoise):
    from diffusers import SASolverScheduler

    scheduler = SASolverScheduler(
        **BETAS,
        predictor_order=predictor,
        corrector_order=corrector,
        tau_func=lambda timestep: tau,
        lower_order_final=False,
        use_karras_sigmas=True,
    )
    scheduler.set_timesteps(STEPS)
    sigmas = scheduler.sigmas
    x = start(sigmas)
    reached = ours(
        "sa_solver",
        denoise,
        sigmas,
        x,
        noise=Noise(),
        eta=tau,
        sde_start_percent=0.0,
        sde_end_percent=1.0,
        predictor_order=predictor,
        corrector_order=corrector,
        simple_order_2=True,
    )
    close(reached, walked(scheduler, x, Noise()))


@pytest.mark.parametrize("variant", ["bh1", "bh2"])
def test_uni_pc(variant, denoise):
    from diffusers import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler(
        **BETAS,
        solver_order=3,
        solver_type=variant,
        use_karras_sigmas=True,
        final_sigmas_type="sigma_min",
    )
    scheduler.set_timesteps(STEPS)
    x = start(scheduler.sigmas)
    close(ours("uni_pc", denoise, scheduler.sigmas, x, variant=variant), walked(scheduler, x))


def test_dpm_2_ancestral(denoise):
    from diffusers import KDPM2AncestralDiscreteScheduler

    scheduler = KDPM2AncestralDiscreteScheduler(**BETAS, use_karras_sigmas=True)
    scheduler.set_timesteps(STEPS)
    sigmas = torch.cat([scheduler.sigmas[:1], scheduler.sigmas[1::2]]).unique().flip(0)
    expected = x = start(sigmas)
    noise = Noise()
    for timestep in scheduler.timesteps:
        scaled = scheduler.scale_model_input(expected, timestep)
        expected = scheduler.step(
            network(scaled), timestep, expected, generator=noise.generator
        ).prev_sample
    close(ours("dpm_2_ancestral", denoise, sigmas, x, noise=Noise()), expected)
