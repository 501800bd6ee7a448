"""Autoencoders of LTX-Video and HunyuanVideo (1 and 1.5): those of diffusers, in all layouts."""

from __future__ import annotations

import inspect

import pytest
import torch
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file

from engine.errors import WeightsError
from engine.families.detect import detect_autoencoder
from engine.inference import vae as autoencoding
from engine.inference.load import load_vae
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import StateDict
from tests.wet.video_files import LTX, hunyuan, hunyuan15, hunyuan15_original, ltx, original

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode(), installed(DeviceResidency(CPU, torch.float32, budget=10**9)):
        yield


def video(frames=9, height=64, width=96):
    return torch.rand(frames, height, width, 3, generator=torch.Generator().manual_seed(1))


def strays(found, wanted):
    assert found.shape == wanted.shape
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("version", LTX)
def test_the_names_are_those_that_diffusers_converts(version):
    net = ltx(version)
    source = inspect.getsource(single_file_utils.convert_ltx_vae_checkpoint_to_diffusers)
    # The converter is written for one width: an upgrade that changes it must fail here.
    assert "== 2048" in source
    scope = dict(vars(single_file_utils))
    exec(source.replace("== 2048", "== 128"), scope)
    theirs = scope["convert_ltx_vae_checkpoint_to_diffusers"](original(net))
    own = dict(net.state_dict())
    assert set(theirs) == set(own)
    assert all(torch.equal(theirs[name], each) for name, each in own.items())


@pytest.mark.parametrize("layout", ["original", "diffusers"])
@pytest.mark.parametrize("version", LTX)
def test_ltx_video_encodes_and_decodes_as_the_class(version, layout, tmp_path):
    net, pixels = ltx(version), video()
    tensors = original(net) if layout == "original" else dict(net.state_dict())
    save_file(tensors, tmp_path / "vae.safetensors")
    vae = load_vae(tmp_path / "vae.safetensors")
    assert (vae.latent.channels, vae.latent.downscale) == (12, (8, 32, 32))
    mean, deviation = (
        getattr(net, name).reshape(1, -1, 1, 1, 1) for name in ("latents_mean", "latents_std")
    )
    latent = autoencoding.encode(vae, pixels)
    given = pixels.movedim(-1, 0)[None] * 2 - 1
    assert strays(latent, (net.encode(given).latent_dist.mode() - mean) / deviation) < 1e-5
    found = autoencoding.decode(vae, latent)
    wanted, time = latent, None
    torch.manual_seed(0)
    if version != "0.9":
        wanted = 0.975 * latent + 0.025 * torch.randn(latent.shape)
        time = torch.tensor([0.05])
    wanted = net.decode(wanted * deviation + mean, time).sample
    wanted = (wanted[0].movedim(0, -1) / 2 + 0.5).clamp(0, 1)
    assert found.shape == (9, 64, 96, 3)
    assert strays(found, wanted) < 1e-5
    assert torch.equal(autoencoding.decode(vae, latent), found)


def short_name(name):
    """The name in repackaged files, which are those of the Stable Diffusion line."""
    for theirs, ours in (
        ("mid_block.resnets.0.", "mid.block_1."),
        ("mid_block.resnets.1.", "mid.block_2."),
        ("mid_block.attentions.0.group_norm.", "mid.attn_1.norm."),
        ("mid_block.attentions.0.to_out.0.", "mid.attn_1.proj_out."),
        ("mid_block.attentions.0.to_", "mid.attn_1."),
        ("down_blocks.", "down."),
        ("up_blocks.", "up."),
        (".resnets.", ".block."),
        ("downsamplers.0.", "downsample."),
        ("upsamplers.0.", "upsample."),
        ("conv_shortcut.", "nin_shortcut."),
        ("conv_norm_out.", "norm_out."),
    ):
        name = name.replace(theirs, ours)
    if ".up." in name:
        decoder, up, number, rest = name.split(".", 3)
        name = f"{decoder}.{up}.{3 - int(number)}.{rest}"
    return name


@pytest.mark.parametrize("layout", ["original", "repackaged"])
def test_hunyuan_video_encodes_and_decodes_as_the_class(layout, tmp_path):
    net, pixels = hunyuan(), video(9, 32, 48)
    tensors = dict(net.state_dict())
    if layout == "repackaged":
        tensors = {short_name(name): each.clone() for name, each in tensors.items()}
        for name in tensors:
            if "attn_1." in name and "norm" not in name and name.endswith("weight"):
                tensors[name] = tensors[name][..., None, None, None]
    save_file(tensors, tmp_path / "vae.safetensors")
    vae = load_vae(tmp_path / "vae.safetensors")
    assert (vae.latent.channels, vae.latent.downscale) == (16, (4, 8, 8))
    latent = autoencoding.encode(vae, pixels)
    given = pixels.movedim(-1, 0)[None] * 2 - 1
    assert strays(latent, net.encode(given).latent_dist.mode()) < 1e-5
    found = autoencoding.decode(vae, latent)
    wanted = (net.decode(latent).sample[0].movedim(0, -1) / 2 + 0.5).clamp(0, 1)
    assert found.shape == (9, 32, 48, 3)
    assert strays(found, wanted) < 1e-5


@pytest.mark.parametrize("layout", ["original", "diffusers"])
def test_hunyuan_video_15_encodes_and_decodes_as_the_class(layout, tmp_path):
    net, pixels = hunyuan15(), video(9, 32, 48)
    tensors = dict(net.state_dict()) if layout == "diffusers" else hunyuan15_original(net)
    save_file(tensors, tmp_path / "vae.safetensors")
    vae = load_vae(tmp_path / "vae.safetensors")
    assert (vae.latent.channels, vae.latent.downscale) == (32, (4, 16, 16))
    latent = autoencoding.encode(vae, pixels)
    given = pixels.movedim(-1, 0)[None] * 2 - 1
    assert strays(latent, net.encode(given).latent_dist.mode()) < 1e-5
    found = autoencoding.decode(vae, latent)
    wanted = (net.decode(latent).sample[0].movedim(0, -1) / 2 + 0.5).clamp(0, 1)
    assert found.shape == (9, 32, 48, 3)
    assert strays(found, wanted) < 1e-5


def test_damaged_files_are_named():
    tensors = original(ltx("0.9.5"))
    del tensors["vae.decoder.up_blocks.1.conv.conv.weight"]
    del tensors["vae.decoder.up_blocks.1.conv.conv.bias"]
    with pytest.raises(WeightsError, match="with gaps"):
        detect_autoencoder(StateDict.of(tensors))
    tensors = original(ltx("0.9.5"))
    tensors["vae.decoder.up_blocks.1.conv.conv.weight"] = torch.zeros(50, 64, 3, 3, 3)
    with pytest.raises(WeightsError, match="makes 50 channels"):
        detect_autoencoder(StateDict.of(tensors))
    tensors = dict(hunyuan().state_dict())
    tensors["encoder.down_blocks.1.resnets.0.conv1.conv.weight"] = torch.zeros(20, 32, 3, 3, 3)
    with pytest.raises(WeightsError, match="expected multiples of 32"):
        detect_autoencoder(StateDict.of(tensors))
    tensors = hunyuan15_original(hunyuan15())
    tensors["encoder.down.4.block.0.conv1.conv.weight"] = torch.zeros(40, 64, 3, 3, 3)
    with pytest.raises(WeightsError, match="a multiple of 64"):
        detect_autoencoder(StateDict.of(tensors))
