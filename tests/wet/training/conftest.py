"""A small model of random weights with a training set, on the CPU in float32."""

import pytest
import torch
from safetensors.torch import save_file

from engine.inference.load import load_checkpoint
from engine.residency.manager import DeviceResidency, installed
from engine.training.samples import make_groups


@pytest.fixture(scope="session")
def checkpoint_file(tmp_path_factory, small_tensors):
    path = tmp_path_factory.mktemp("training") / "small.safetensors"
    save_file(small_tensors, path)
    return path


@pytest.fixture
def model(checkpoint_file):
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        yield load_checkpoint(checkpoint_file)[0]


def latents_and_texts(count=3, width=768):
    generator = torch.Generator().manual_seed(5)
    latents = [{"samples": torch.randn(1, 4, 8, 8, generator=generator)} for _ in range(count)]
    texts = [[[torch.randn(1, 77, width, generator=generator), {}]] for _ in range(count)]
    return latents, texts


@pytest.fixture
def groups(model):
    width = model.config.unet.context_channels
    return make_groups(model, *latents_and_texts(width=width))
