"""Checkpoints that plugins write themselves have the names that loaders look for."""

import pytest
import torch
from safetensors.torch import save_file

from engine.compat.boundary import plugin_boundary
from engine.inference.load import load_checkpoint

WEIGHT = "diffusion_model.input_blocks.0.0.weight"


@pytest.fixture
def parts(small_tensors, tmp_path, cpu_residency):
    path = tmp_path / "small.safetensors"
    save_file(small_tensors, path)
    model, clip, vae, *_ = load_checkpoint(path)
    return [plugin_boundary().to_object(each) for each in (model, clip, vae)]


def saved(parts, small_tensors):
    model, clip, vae = parts
    found = model.model.state_dict_for_saving(clip.get_sd(), vae.get_sd())
    assert all(torch.equal(tensor, small_tensors[name]) for name, tensor in found.items())
    return found


def test_every_part_has_its_place(parts, small_tensors, tmp_path):
    found = saved(parts, small_tensors)
    starts = {name.split(".")[0] for name in found}
    assert starts == {"model", "cond_stage_model", "first_stage_model"}
    path = tmp_path / "again.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, path)
    model, clip, vae, *_ = load_checkpoint(path)
    assert not model.net.is_missing
    assert not vae.autoencoder.is_missing
    assert not any(part.weights.is_missing for part in clip.parts.values())


def test_patches_are_in_it(parts):
    model = parts[0].clone()
    name = f"model.{WEIGHT}"
    before = model.state_dict_for_saving()[name]
    model.add_patches({WEIGHT: (torch.ones_like(before),)}, 0.5)
    after = model.state_dict_for_saving()[name]
    assert torch.allclose(after.float(), before.float() + 0.5, atol=2e-3)
    assert torch.equal(parts[0].state_dict_for_saving()[name], before)


def test_weights_of_layers_are_there_before_and_after_a_run(parts, small_tensors):
    model, _, vae = parts
    stored = small_tensors[f"model.{WEIGHT}"]
    layer = model.model.diffusion_model.input_blocks[0][0]
    assert isinstance(layer, torch.nn.Conv2d)
    assert torch.equal(layer.weight, stored)
    decoder = vae.first_stage_model.decoder.conv_in
    inside = small_tensors["first_stage_model.decoder.conv_in.weight"]
    assert torch.equal(decoder.weight, inside)
    assert vae.decode(torch.zeros(1, 4, 8, 8)).shape == (1, 64, 64, 3)
    assert decoder.weight.view(len(inside), -1).shape == inside.flatten(1).shape
    assert torch.equal(decoder.weight.flatten().float(), inside.flatten().float())
