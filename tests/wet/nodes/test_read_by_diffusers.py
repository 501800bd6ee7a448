"""What is saved here is read by diffusers and computes the same there."""

import json
import os
import re
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.inference.values import LoraModel
from engine.nodekit.context import RunningContext
from engine.training.loop import train
from engine.training.options import TrainingOptions
from engine.training.samples import make_groups
from nodes.loaders import load_checkpoint_file
from nodes.merging import merge_models, subtract_models
from nodes.model_saving import save_checkpoint, save_lora
from nodes.training import with_lora

TOLERANCE = 1e-4
RANK = 2
UNET = {
    "_class_name": "UNet2DConditionModel",
    "block_out_channels": [32, 64],
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "layers_per_block": 1,
    "cross_attention_dim": 64,
    "attention_head_dim": 8,
}
VAE = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [32, 32, 32, 64],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}


@pytest.fixture
def ctx(files, settings, small_tensors, cpu_residency):
    os.environ["HF_HUB_OFFLINE"] = "1"
    folder = settings.models_directories[0] / "checkpoints"
    folder.mkdir(parents=True)
    for name, factor in (("a", 1.0), ("b", 0.8)):
        tensors = {
            key: each.float() * factor if each.is_floating_point() else each
            for key, each in small_tensors.items()
        }
        save_file(tensors, folder / f"{name}.safetensors")
    return RunningContext("1", files)


def read(kind: Any, path, config, tmp_path) -> Any:
    """A network of a file, by diffusers."""
    (tmp_path / "config.json").write_text(json.dumps(config))
    return kind.from_single_file(str(path), config=str(tmp_path), local_files_only=True).eval()


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def strays(found, expected):
    return float((found - expected).norm() / expected.norm())


def unet_of(path, tmp_path) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return read(UNet2DConditionModel, path, UNET, tmp_path)


CALL = noise(1, 4, 16, 16), torch.tensor([500.0]), noise(1, 77, 64, seed=1)


def ours(model, residency):
    with residency.use(model.net), torch.no_grad():
        return model.net.module(*CALL)


def theirs(unet):
    with torch.no_grad():
        return unet(*CALL).sample


def test_a_saved_checkpoint(ctx, cpu_residency, tmp_path):
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    model, clip, vae = load_checkpoint_file("a.safetensors", ctx)
    other, _, _ = load_checkpoint_file("b.safetensors", ctx)
    merged = merge_models(model, other, 0.4)
    save_checkpoint(merged, clip, vae, ctx)
    [path] = ctx.files.folders("output")[0].glob("checkpoints/*")
    expected = ours(merged, cpu_residency)
    assert strays(expected, ours(model, cpu_residency)) > 0.01
    assert strays(theirs(unet_of(path, tmp_path)), expected) < TOLERANCE
    autoencoder = read(AutoencoderKL, path, VAE, tmp_path)
    latent = noise(1, 4, 8, 8)
    with cpu_residency.use(vae.autoencoder), torch.no_grad():
        network: Any = vae.autoencoder.module
        decoded = network.decode(latent)
        assert strays(autoencoder.decode(latent).sample, decoded) < TOLERANCE


def with_their_lora(unet, tensors):
    """A UNet of diffusers with a LoRA under the names that diffusers turns the file's into."""
    from diffusers.loaders.lora_pipeline import StableDiffusionLoraLoaderMixin

    loader: Any = StableDiffusionLoraLoaderMixin
    state, alphas = loader.lora_state_dict(dict(tensors), unet_config=unet.config)
    modules = dict(unet.named_modules())
    applied = 0
    for name, up in state.items():
        found = re.fullmatch(r"unet\.(.+?)([._]lora)\.up\.weight", name)
        if found is None:
            continue
        down = state[name.replace(".up.weight", ".down.weight")]
        module = found[1].replace(".processor", "")
        layer = modules[f"{module}.0" if module.endswith("to_out") else module]
        layer.weight.data += (up.flatten(1) @ down.flatten(1)).reshape(layer.weight.shape)
        applied += 1
    assert set((alphas or {}).values()) <= {RANK}, "a scale that is not applied above"
    return applied


def test_a_trained_lora(ctx, cpu_residency, tmp_path, settings):
    model, _, _ = load_checkpoint_file("a.safetensors", ctx)
    groups = make_groups(model, [{"samples": noise(1, 4, 8, 8)}], [[[CALL[2], {}]]])
    options = TrainingOptions(
        steps=3, rank=RANK, training_dtype="fp32", lora_dtype="fp32", learning_rate=0.02
    )
    trained = train(model, groups, options)
    unet = unet_of(settings.models_directories[0] / "checkpoints" / "a.safetensors", tmp_path)
    plain = theirs(unet)
    assert with_their_lora(unet, trained.tensors) * 3 == len(trained.tensors)
    expected = ours(with_lora(model, LoraModel("x", trained.tensors), 1.0), cpu_residency)
    assert strays(expected, plain) > 0.01
    assert strays(theirs(unet), expected) < TOLERANCE


def test_a_lora_of_a_difference(ctx, tmp_path, settings):
    model, _, _ = load_checkpoint_file("a.safetensors", ctx)
    other, _, _ = load_checkpoint_file("b.safetensors", ctx)
    save_lora(
        ctx=ctx,
        filename_prefix="lora",
        rank=64,
        lora_type="standard",
        bias_diff=False,
        model_diff=subtract_models(other, model),
    )
    [path] = ctx.files.folders("output")[0].glob("lora*")
    unet = unet_of(settings.models_directories[0] / "checkpoints" / "a.safetensors", tmp_path)
    before = unet.conv_out.weight.detach().clone()
    assert with_their_lora(unet, load_file(path)) > 20
    assert strays(unet.conv_out.weight.detach(), before * 0.8) < 1e-3
