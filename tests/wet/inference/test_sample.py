"""Sampling with a network that is a formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from engine.diffusion.conditioning import Input, Join
from engine.diffusion.parameterization import discrete, flow
from engine.diffusion.samplers.table import SAMPLERS
from engine.diffusion.schedules import karras, section
from engine.errors import NodeError, Stopped
from engine.families.family import Entry, Run
from engine.families.latent_format import LatentFormat
from engine.inference.entries import prepared
from engine.inference.sample import sample, sampler_sigmas
from engine.inference.values import (
    BasicGuider,
    CfgGuider,
    DisableNoise,
    DualCfgGuider,
    Model,
    RandomNoise,
    Sampler,
)
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency, installed


class Formula:
    """A family whose network predicts one number everywhere: the mean of its text."""

    name = "formula"

    def __init__(self) -> None:
        self.calls: list[tuple[torch.Size, torch.dtype]] = []
        self.raised: Exception | None = None
        self.runs: list[Run] = []

    def inputs(self, config: Any, entry: Entry, *, run: Run, **_: Any) -> dict[str, Input]:
        self.runs.append(run)
        return {"context": Input(entry.embedding, Join.REPEAT)}

    def activation_bytes(self, *_: Any) -> int:
        return 0

    def predict(
        self,
        net: nn.Module,
        x: torch.Tensor,
        timestep: torch.Tensor,
        inputs: Mapping[str, torch.Tensor],
        *,
        checkpoint: Any,
        **_: Any,
    ) -> torch.Tensor:
        checkpoint()
        assert timestep.dtype == torch.float32
        self.calls.append((x.shape, x.dtype))
        value = inputs["context"].mean(dim=(1, 2)).reshape(-1, *(1 for _ in x.shape[1:]))
        return value.expand(x.shape).to(x.dtype)


def text(value: float, **extras: Any) -> list[Any]:
    return [[torch.full((1, 3, 2), value), extras]]


@pytest.fixture
def model(cpu_residency: DeviceResidency) -> Model:
    latent = LatentFormat(channels=4, downscale=(8, 8), scale=0.5, shift=0.0)
    net = LazyWeights("formula", 1, lambda: nn.Linear(1, 1))
    return Model(Formula(), None, net, latent, discrete("x0"))  # type: ignore[arg-type]


EULER = Sampler(SAMPLERS["euler"])
SIGMAS = karras(4, 0.03, 14.614641)


def empty(rows: int = 1) -> dict[str, Any]:
    return {"samples": torch.zeros(rows, 4, 8, 8)}


def test_a_run_ends_where_the_network_points(model: Model) -> None:
    found = sample(BasicGuider(model, text(3.0)), RandomNoise(1), EULER, SIGMAS, empty())
    assert torch.allclose(found.samples, torch.tensor(6.0))
    assert torch.allclose(found.denoised, torch.tensor(6.0))
    assert len(model.family.calls) == 4


def test_guidance_is_one_call_a_step(model: Model) -> None:
    guider = CfgGuider(model, text(3.0), text(1.0), 2.0)
    found = sample(guider, RandomNoise(1), EULER, SIGMAS, empty(2))
    assert torch.allclose(found.samples, torch.tensor(10.0))
    assert [shape[0] for shape, _ in model.family.calls] == [4] * 4
    model.family.calls.clear()
    sample(replace(guider, scale=1.0), RandomNoise(1), EULER, SIGMAS, empty(2))
    assert [shape[0] for shape, _ in model.family.calls] == [2] * 4


def test_cfg_plus_plus_asks_for_both_even_at_scale_one(model: Model) -> None:
    guider = CfgGuider(model, text(3.0), text(1.0), 1.0)
    sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler_cfg_pp"]), SIGMAS, empty())
    assert [shape[0] for shape, _ in model.family.calls] == [2] * 4


def test_two_texts_and_a_negative(model: Model) -> None:
    guider = DualCfgGuider(model, text(5.0), text(3.0), text(1.0), 7.0, 1.5)
    found = sample(guider, RandomNoise(1), EULER, SIGMAS, empty())
    assert torch.allclose(found.samples, torch.tensor(2 * (1 + 1.5 * 2 + 7.0 * 2)))


def test_no_step_leaves_the_latent_alone(model: Model) -> None:
    latent = {"samples": torch.randn(1, 4, 8, 8)}
    found = sample(BasicGuider(model, text(1.0)), RandomNoise(1), EULER, SIGMAS[:0], latent)
    assert found.samples is latent["samples"]


def test_one_sigma_only_adds_noise(model: Model) -> None:
    latent = {"samples": torch.full((1, 4, 8, 8), 2.0)}
    guider, noise = BasicGuider(model, text(1.0)), RandomNoise(1)
    found = sample(guider, noise, EULER, torch.tensor([3.0]), latent)
    expected = (2.0 * 0.5 + 3.0 * noise.generate_noise(latent)) / 0.5
    assert torch.allclose(found.samples, expected)
    assert not model.family.calls


def test_two_stages_are_the_whole(model: Model) -> None:
    guider = CfgGuider(model, text(3.0), text(1.0), 5.0)
    whole = sample(guider, RandomNoise(7), EULER, SIGMAS, empty()).samples
    first = section(SIGMAS, 0, 2, to_the_end=False)
    half = sample(guider, RandomNoise(7), EULER, first, empty()).samples
    rest = section(SIGMAS, 2, 10_000, to_the_end=True)
    found = sample(guider, DisableNoise(7), EULER, rest, {"samples": half}).samples
    assert torch.allclose(found, whole, atol=1e-4)


def test_masked_out_cells_keep_the_latent(model: Model) -> None:
    mask = torch.zeros(16, 16)
    mask[:, 8:] = 1
    latent = {"samples": torch.randn(2, 4, 8, 8), "noise_mask": mask[None, None]}
    found = sample(BasicGuider(model, text(3.0)), RandomNoise(1), EULER, SIGMAS, latent)
    assert torch.allclose(found.samples[..., :4], latent["samples"][..., :4], atol=1e-4)
    assert torch.allclose(found.samples[..., 4:], torch.tensor(6.0))


def test_rows_by_batch_index(model: Model) -> None:
    guider = BasicGuider(model, text(1.0))
    one = torch.tensor([5.0])
    whole = sample(guider, RandomNoise(3), EULER, one, empty(4)).samples
    part = {"samples": torch.zeros(2, 4, 8, 8), "batch_index": [2, 0]}
    found = sample(guider, RandomNoise(3), EULER, one, part).samples
    assert torch.equal(found, whole[[2, 0]])


def test_an_empty_latent_takes_the_model_s_channels(model: Model) -> None:
    latent = {"samples": torch.zeros(1, 16, 8, 8)}
    found = sample(BasicGuider(model, text(1.0)), RandomNoise(1), EULER, SIGMAS, latent)
    assert found.samples.shape == (1, 4, 8, 8)


def test_a_latent_of_another_family_is_refused(model: Model) -> None:
    latent = {"samples": torch.ones(1, 16, 8, 8)}
    with pytest.raises(NodeError, match="16 channels, the model works on 4"):
        sample(BasicGuider(model, text(1.0)), RandomNoise(1), EULER, SIGMAS, latent)


def test_a_flow_starts_from_noise_alone_and_its_empty_latent_is_not_shifted(model: Model) -> None:
    shifted = replace(model, latent=replace(model.latent, shift=1.0), parameterization=flow(3.0))
    seen: list[torch.Tensor] = []
    sample(
        BasicGuider(shifted, text(0.0)),
        RandomNoise(1),
        EULER,
        torch.tensor([0.5, 0.0]),
        empty(),
        on_step=lambda step, steps, x, denoised, sigma: seen.append(x),
    )
    assert torch.allclose(seen[0], 0.5 * RandomNoise(1).generate_noise(empty()))


def test_steps_are_told_and_a_stop_passes_through(model: Model) -> None:
    told: list[tuple[int, int]] = []

    def on_step(
        step: int, steps: int, x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor
    ) -> None:
        told.append((step, steps))
        assert torch.allclose(denoised, torch.tensor(3.0))

    guider = BasicGuider(model, text(3.0))
    sample(guider, RandomNoise(1), EULER, SIGMAS, empty(), on_step=on_step)
    assert told == [(step, 4) for step in range(4)]

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        sample(guider, RandomNoise(1), EULER, SIGMAS, empty(), checkpoint=stop)


def test_the_network_alone_sees_the_compute_dtype(model: Model) -> None:
    with installed(DeviceResidency(torch.device("cpu"), torch.bfloat16)):
        found = sample(BasicGuider(model, text(3.0)), RandomNoise(1), EULER, SIGMAS, empty())
    assert {dtype for _, dtype in model.family.calls} == {torch.bfloat16}
    assert found.samples.dtype == torch.float32


def test_entries_become_regions(model: Model) -> None:
    mask = torch.zeros(64, 64)
    mask[16:48, 32:48] = 1
    entries = [
        *text(1.0, area=("percentage", 0.5, 1.0, 0.5, 0.0), strength=0.7, start_percent=0.2),
        *text(2.0, mask=mask, mask_strength=0.5, set_area_to_bounds=True, end_percent=0.5),
    ]
    first, second = prepared(entries, model, Run((1, 4, 32, 32)))
    assert (first.area, first.strength) == ((16, 32, 16, 0), 0.7)
    assert first.start == model.parameterization.percent_to_sigma(0.2)
    assert first.end == 0.0
    assert second.area == (16, 8, 8, 16)
    assert second.mask is not None
    assert float(second.mask.max()) == 0.5
    assert second.end == model.parameterization.percent_to_sigma(0.5)


def test_a_family_knows_the_run(model: Model) -> None:
    mask = torch.zeros(1, 64, 64)
    mask[:, :, 32:] = 1
    latent = {"samples": torch.full((2, 4, 8, 8), 3.0), "noise_mask": mask}
    guider = CfgGuider(model, text(1.0), text(2.0), 2.0)
    sample(guider, RandomNoise(7), EULER, SIGMAS, latent)
    sample(BasicGuider(model, text(1.0)), DisableNoise(9), EULER, SIGMAS, empty())
    *both, last = model.family.runs
    assert len(both) == 2
    for run in both:
        assert (tuple(run.shape), run.seed) == ((2, 4, 8, 8), 7)
        assert torch.equal(run.clean, torch.full((2, 4, 8, 8), 1.5))  # the format's scale is 0.5
        assert run.mask.shape == (1, 1, 8, 8)
        assert torch.equal(run.mask[0, 0, 0], torch.tensor([0.0] * 4 + [1.0] * 4))
    assert (last.seed, last.mask) == (9, None)
    assert not last.clean.any()


def test_some_samplers_leave_a_level_out(model: Model) -> None:
    plain = sampler_sigmas(model, "euler", "normal", 5, 1.0)
    skipped = sampler_sigmas(model, "dpm_2", "normal", 5, 1.0)
    longer = sampler_sigmas(model, "euler", "normal", 6, 1.0)
    assert len(plain) == len(skipped) == 6
    assert torch.equal(skipped, torch.cat([longer[:-2], longer[-1:]]))
