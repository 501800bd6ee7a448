"""The dtype of a model's network."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.samplers.table import SAMPLERS
from engine.inference.sample import sample
from engine.inference.values import BasicGuider, RandomNoise, Sampler
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from nodes.loaders import load_checkpoint_file
from nodes.merging import merge_models
from nodes.model_compute import model_compute_dtype


@pytest.fixture
def models(files, settings, small_tensors):
    folder = settings.models_directories[0] / "checkpoints"
    folder.mkdir(parents=True)
    save_file(small_tensors, folder / "a.safetensors")
    other = {name: each * 0.5 for name, each in small_tensors.items() if each.is_floating_point()}
    save_file(small_tensors | other, folder / "b.safetensors")
    ctx = RunningContext("1", files)
    with installed(DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)):
        yield [load_checkpoint_file(f"{name}.safetensors", ctx)[0] for name in "ab"]


def run(model):
    text = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(1))
    latent, sigmas = {"samples": torch.zeros(1, 4, 8, 8)}, torch.tensor([5.0, 1.0, 0.0])
    guider = BasicGuider(model, [[text, {"pooled_output": None}]])
    return sample(guider, RandomNoise(3), Sampler(SAMPLERS["euler"]), sigmas, latent).samples


def dtypes_seen(model):
    seen = []

    class Watched(type(model.family)):
        def predict(self, net, x, *rest, **more):
            weight = net.get_parameter("input_blocks.0.0.weight")
            seen.append((x.dtype, weight.dtype))
            return super().predict(net, x, *rest, **more)

    watched = Watched.__new__(Watched)
    watched.__dict__.update(getattr(model.family, "__dict__", {}))
    run(replace(model, family=watched))
    return set(seen)


@pytest.mark.parametrize(("name", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_the_network_is_computed_in_it(models, name, dtype):
    changed = model_compute_dtype(model=models[0], dtype=name)
    assert dtypes_seen(changed) == {(dtype, dtype)}
    assert torch.nn.functional.cosine_similarity(
        run(changed).flatten(), run(models[0]).flatten(), dim=0
    ) == pytest.approx(1.0, abs=1e-2)


def test_default_and_patches(models):
    assert model_compute_dtype(model=models[0], dtype="default") is models[0]
    mixed = merge_models(*models, 0.5)
    changed = model_compute_dtype(model=mixed, dtype="fp32")
    assert torch.equal(run(changed), run(mixed))
    assert not torch.allclose(run(changed), run(models[0]), atol=1e-3)
