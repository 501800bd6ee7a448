"""Noise tables, schedules and timesteps, bit for bit the reference's.

For half of all step counts a `normal` schedule has timesteps halfway between two trained ones;
there the last bit decides which timestep the network gets, and the picture differs by a thousandth.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.diffusion import schedules
from engine.diffusion.continuous import continuous
from engine.diffusion.parameterization import Discrete, Parameterization, discrete, flow
from engine.diffusion.shifts import MuShift
from engine.settings import ROOT

MODELS: Mapping[str, Callable[[], Parameterization]] = {
    "sd15": discrete,
    "sd_v_zsnr": lambda: discrete("v", zero_terminal_snr=True),
    "sd3_shift3": lambda: flow(3.0),
    "auraflow": lambda: flow(1.73, multiplier=1.0),
    "flux_dev_default": lambda: flow(MuShift(1.15), multiplier=1.0, levels=10_000),
    "flux_node_512": lambda: flow(MuShift(0.63), multiplier=1.0, levels=10_000),
    "flux_schnell": lambda: flow(1.0, multiplier=1.0),
    "edm_playground25": continuous,
}
EXTRA_STEP = {"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"}
REFERENCE = Path(__file__).parents[2] / "reference"
TABLES = load_file(REFERENCE / "schedules.safetensors")
FACTS = json.loads((REFERENCE / "schedules.json").read_text(encoding="utf-8"))
ROUNDING = 0.0 if torch.backends.mkl.is_available() else 3e-7
"""tests/conftest.py makes MKL compute like the reference's; other libraries round differently."""


def strays(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest relative difference; infinity where the lengths differ."""
    if found.shape != expected.shape:
        return math.inf
    difference = (found.double() - expected.double()).abs()
    return float((difference / expected.double().abs().clamp(min=1e-9)).max())


@pytest.mark.parametrize("name", MODELS)
def test_facts_of_the_incumbent(name: str) -> None:
    facts, model = FACTS["models"][name], MODELS[name]()
    assert len(model.sigmas) == facts["n_sigmas"]
    assert model.sigma_min == facts["sigma_min"]
    assert model.sigma_max == facts["sigma_max"]
    for index, sigma in facts["sigmas_idx"].items():
        assert float(model.sigmas[int(index)]) == pytest.approx(sigma, rel=ROUNDING, abs=0)
    for sigma, timestep in facts["timestep_of_sigma"].items():
        found = float(model.timestep(torch.tensor([float(sigma)])))
        assert found == pytest.approx(timestep, rel=1e-7)
    for percent, sigma in facts["percent_to_sigma"].items():
        assert model.percent_to_sigma(float(percent)) == pytest.approx(sigma, rel=ROUNDING, abs=0)


@pytest.mark.parametrize("name", ["sd15", "sd_v_zsnr"])
def test_every_level_and_its_logarithm(name: str) -> None:
    model = MODELS[name]()
    assert isinstance(model, Discrete)
    assert torch.equal(model.sigmas, TABLES[f"table|{name}"])
    # The logarithm is that of the level before it was rounded: 399 of SD1's are other floats.
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = (1 - betas).cumprod(0)
    if name == "sd15":
        exact = (((1 - alphas) / alphas) ** 0.5).log().float()
        assert torch.equal(model.log_sigmas, exact)
        assert int((model.sigmas.log() != exact).sum()) > 300


@pytest.mark.parametrize("name", schedules.SCHEDULES)
@pytest.mark.parametrize("model", MODELS)
def test_every_schedule(model: str, name: str) -> None:
    made = MODELS[model]()
    keys = [key for key in TABLES if key.startswith(f"{model}|{name}|")]
    assert len(keys) >= 6
    for key in keys:
        if TABLES[key].isnan().any():
            continue  # kl_optimal divides by zero for one step; ours is tested elsewhere
        found = schedules.SCHEDULES[name](made, int(key.rpartition("|")[2]))
        assert strays(found, TABLES[key]) <= ROUNDING, key


def test_the_timesteps_of_schedules() -> None:
    checked = 0
    for key, expected in TABLES.items():
        kind, model, name, steps = (*key.split("|"), "", "", "")[:4]
        if kind != "timesteps" or (name == "kl_optimal" and steps == "1"):
            continue
        made = MODELS[model]()
        found = made.timestep(schedules.SCHEDULES[name](made, int(steps))[:-1])
        assert torch.equal(found.float(), expected), key
        checked += 1
    assert checked == 71


def test_slices_of_a_ksampler() -> None:
    checked = 0
    for key, expected in TABLES.items():
        if not key.startswith("ksampler|"):
            continue
        sampler, name, steps, denoise = key.partition("|")[2].split("/")
        schedule = schedules.SCHEDULES[name]
        if sampler in EXTRA_STEP:
            schedule = schedules.skipping_penultimate(schedule)
        found = schedules.tail(schedule, discrete(), int(steps), float(denoise))
        assert strays(found, expected) <= ROUNDING, key
        checked += 1
    assert checked == 100


def test_names_and_order() -> None:
    assert list(schedules.SCHEDULES) == FACTS["schedulers"]


OWN_KERNELS = """
import json, sys, torch
from safetensors.torch import load_file
from engine.diffusion import schedules
from engine.diffusion.parameterization import discrete
worst = 0.0
made = discrete()
for key, expected in load_file(sys.argv[1]).items():
    model, name, *rest = key.split("|")
    if model == "sd15" and not expected.isnan().any():
        found = schedules.SCHEDULES[name](made, int(rest[0]))
        worst = max(worst, float(((found - expected).abs() / expected.clamp(min=1e-9)).max()))
print(worst)
"""


def test_this_machine_s_own_kernels_stray_by_the_last_bits_only() -> None:
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("MKL_CBWR", None)
    script = [sys.executable, "-c", OWN_KERNELS, str(REFERENCE / "schedules.safetensors")]
    done = subprocess.run(script, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 5e-7
