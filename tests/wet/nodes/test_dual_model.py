"""Guidance by two models: each predicts its own conditioning, with its own weights."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.compat.sampling.adapters import ADAPTERS
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.inference.sample import sample
from engine.inference.values import BasicGuider, CfgGuider, RandomNoise, Sampler
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from nodes.guiders import dual_model_guider
from nodes.loaders import load_checkpoint_file
from nodes.merging import merge_models


@pytest.fixture(params=[10**9, 6_000_000])
def residency(request):
    """With a budget for both models, and with one that does not hold them at once."""
    with installed(
        DeviceResidency(torch.device("cpu"), torch.float32, budget=request.param)
    ) as made:
        yield made


@pytest.fixture
def models(files, settings, small_tensors, residency):
    folder = settings.models_directories[0] / "checkpoints"
    folder.mkdir(parents=True)
    save_file(small_tensors, folder / "a.safetensors")
    other = {
        name: each * 0.8 if each.is_floating_point() else each
        for name, each in small_tensors.items()
    }
    save_file(other, folder / "b.safetensors")
    ctx = RunningContext("1", files)
    return [load_checkpoint_file(f"{name}.safetensors", ctx)[0] for name in "ab"]


def text(value):
    generator = torch.Generator().manual_seed(int(value * 10))
    return [[torch.randn(1, 4, 64, generator=generator), {"pooled_output": None}]]


def one_step(guider):
    """After a step to sigma 0 the result is the guided prediction itself."""
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    sigmas = torch.tensor([5.0, 0.0])
    return sample(guider, RandomNoise(3), Sampler(SAMPLERS["euler"]), sigmas, latent).samples


@pytest.mark.parametrize("kind", ["two files", "one file with changes"])
def test_the_negative_is_the_other_models(models, kind):
    first, other = models
    if kind != "two files":  # the same weights on the device, patched for one of them
        other = merge_models(first, other, 0.25)
    made = dual_model_guider(first, text(1), 3.0, other, text(2))
    positive, negative = (
        one_step(BasicGuider(model, given)) for model, given in ((first, text(1)), (other, text(2)))
    )
    expected = negative + 3.0 * (positive - negative)
    assert torch.allclose(one_step(made), expected, atol=2e-5)
    same = one_step(CfgGuider(first, text(1), text(2), 3.0))
    assert not torch.allclose(one_step(made), same, atol=1e-2)


def test_without_another_model_it_is_plain_guidance(models):
    first, _ = models
    made = dual_model_guider(first, text(1), 2.0, None, text(2))
    assert torch.equal(one_step(made), one_step(CfgGuider(first, text(1), text(2), 2.0)))
    single = dual_model_guider(first, text(1), 1.0, models[1], text(2))
    assert torch.allclose(one_step(single), one_step(BasicGuider(first, text(1))), atol=1e-6)


def test_what_cannot_be_guided_is_refused(models):
    first, other = models
    with pytest.raises(NodeError, match="connect a prompt, which may be empty, to `negative`"):
        dual_model_guider(first, text(1), 2.0, other, None)
    latent = replace(other.latent, channels=16)
    made = dual_model_guider(first, text(1), 2.0, replace(other, latent=latent), text(2))
    with pytest.raises(NodeError, match=r"16 channels and 2 axes, the other on 4 channels"):
        one_step(made)


def test_what_plugins_changed_about_sampling_cannot_run_it(models):
    first, other = models
    made = dual_model_guider(first, text(1), 2.0, other, text(2))
    with pytest.raises(NodeError, match="take the plugin's nodes before the sampler out"):
        ADAPTERS[type(made)](made)
