"""The loader nodes find files in the user's folders and follow their changes."""

import os

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import FilesError, WeightsError
from engine.nodekit.context import RunningContext
from nodes.loaders import load_checkpoint_file, load_vae_file


@pytest.fixture
def context(files, settings, small_tensors):
    for kind in ("checkpoints", "vae"):
        folder = settings.models_directories[0] / kind
        folder.mkdir(parents=True)
        save_file(small_tensors, folder / "small.safetensors")
    return RunningContext("1", files)


def test_a_checkpoint_is_three_values(context):
    model, clip, vae = load_checkpoint_file("small.safetensors", context)
    assert model.family.name == "Stable Diffusion 1"
    assert clip.layer is None
    assert vae.latent.downscale == model.latent.downscale


def test_an_autoencoder_alone_and_one_without_a_file(context):
    assert load_vae_file("small.safetensors", context).latent.channels == 4
    assert load_vae_file("pixel_space", context).latent.downscale == (1, 1)


def test_a_missing_file_and_a_foreign_one_are_told_apart(context, settings):
    with pytest.raises(FilesError, match=r"no file 'smal\.safetensors'.*small\.safetensors"):
        load_checkpoint_file("smal.safetensors", context)
    with pytest.raises(FilesError, match="leads out"):
        load_checkpoint_file("../vae/small.safetensors", context)
    foreign = settings.models_directories[0] / "checkpoints" / "foreign.safetensors"
    save_file({"a.lora_up.weight": torch.ones(1)}, foreign)
    with pytest.raises(WeightsError, match=r"foreign\.safetensors: this is a LoRA"):
        load_checkpoint_file("foreign.safetensors", context)


@pytest.mark.parametrize(
    ("node", "kind", "name"),
    [(load_checkpoint_file, "checkpoints", "ckpt_name"), (load_vae_file, "vae", "vae_name")],
)
def test_another_file_of_the_same_name_is_another_result(context, files, node, kind, name):
    given = {name: "small.safetensors"}
    before = node.fingerprint_of(given, context)
    assert node.fingerprint_of(given, context) == before
    path = files.find(kind, "small.safetensors")
    os.utime(path, ns=(1, 1))
    assert node.fingerprint_of(given, context) != before


def test_pixel_space_depends_on_no_file(context):
    assert load_vae_file.fingerprint_of({"vae_name": "pixel_space"}, context) == "pixel_space"
