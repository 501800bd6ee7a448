"""Nodes for flow-matching models: noise levels, empty latents."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from engine.diffusion.parameterization import discrete, flow
from engine.diffusion.schedules import SCHEDULES
from engine.errors import NodeError
from nodes import flow_models


@dataclass(frozen=True)
class Shown:
    """What these nodes change of a model."""

    parameterization: Any = None


def levels(node, shift):
    return node(Shown(), shift).parameterization


@pytest.mark.parametrize(
    ("node", "multiplier"),
    [(flow_models.model_sampling_sd3, 1000.0), (flow_models.model_sampling_aura_flow, 1.0)],
)
def test_the_shift_moves_levels_towards_the_noise(node, multiplier):
    found = levels(node, 6.0)
    four = SCHEDULES["simple"](found, 4)
    # the incumbent's sigmas of Z-Image without a node, whose shift is 6
    assert four.tolist() == pytest.approx([1.0, 0.9474, 0.8571, 0.6667, 0.0], abs=1e-4)
    sigma = torch.tensor([0.25])
    assert found.timestep(sigma).item() == pytest.approx(0.25 * multiplier)
    assert found.percent_to_sigma(0.0) == 1.0
    assert found.percent_to_sigma(0.5) == pytest.approx(6 / 7)


def test_a_shift_of_zero_is_refused():
    with pytest.raises(NodeError, match="use 1 for none"):
        levels(flow_models.model_sampling_sd3, 0.0)


def test_an_empty_latent_has_sixteen_channels_and_sides_rounded_down():
    made = flow_models.empty_sd3_latent_image(1000, 904, 2)["samples"]
    assert made.shape == (2, 16, 113, 125)
    assert not made.any()


def test_a_noise_scale_scales_the_start_and_stays_when_the_shift_changes():
    model = Shown(flow(3.0))
    noise, clean = torch.randn(1, 16, 4, 4), torch.randn(1, 16, 4, 4)
    changed = flow_models.model_noise_scale(model, 8.0)
    for made in (changed, flow_models.model_sampling_sd3(changed, 2.0)):
        found = made.parameterization.add_noise(torch.tensor([0.25]), noise, clean)
        assert torch.allclose(found, 0.25 * 8.0 * noise + 0.75 * clean, atol=1e-6)
    plain = flow_models.model_noise_scale(model, 1.0).parameterization
    sigma = torch.tensor([0.5])
    assert torch.equal(
        plain.add_noise(sigma, noise, clean), model.parameterization.add_noise(sigma, noise, clean)
    )
    table = Shown(discrete("eps"))
    with pytest.raises(NodeError, match="is of flow models such as SD3"):
        flow_models.model_noise_scale(table, 8.0)
