"""A model whose network is diffusers', as plugins see it."""

import pytest
import torch
from safetensors.torch import save_file

from engine.compat.boundary import plugin_boundary
from engine.compat.install import host_module
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphs, HunyuanGlyphsConfig
from engine.families.hunyuan_video.network import HunyuanVideo, HunyuanVideoConfig
from engine.inference.load import load_denoiser
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from tests.wet import bridge_files
from tests.wet.wan_files import filled


@pytest.fixture
def model(tmp_path, cpu_residency):
    net = bridge_files.network("wan_t2v")
    path = tmp_path / "wan.safetensors"
    save_file(bridge_files.original("wan_t2v", dict(net.state_dict())), path)
    return load_denoiser(path)


def run(model, words=512):
    generator = torch.Generator().manual_seed(3)
    text = [[torch.randn(1, words, bridge_files.WIDTH, generator=generator), {}]]
    guider = CfgGuider(model, text, text, 3.0)
    latent = {"samples": torch.zeros(1, 16, 2, 4, 4)}
    sigmas = torch.tensor([1.0, 0.6, 0.0])
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), sigmas, latent).samples


def test_wan_is_of_its_classes_and_takes_wrappers_and_blocks(model):
    boundary = plugin_boundary()
    patcher = boundary.to_object(model)
    assert isinstance(patcher.model, host_module("comfy.model_base").WAN21)
    config = patcher.model.model_config
    assert isinstance(config, host_module("comfy.supported_models").WAN21_T2V)
    assert (config.unet_config["dim"], config.unet_config["model_type"]) == (128, "t2v")
    assert isinstance(patcher.model.latent_format, host_module("comfy.latent_formats").Wan21)
    seen = []

    def wrapper(apply, given):
        seen.append(given["c"]["c_crossattn"].shape)
        return apply(given["input"], given["timestep"], **given["c"])

    def replacement(inputs, extra):
        seen.append(inputs["img"].shape)
        return extra["original_block"](inputs)

    changed = patcher.clone()
    changed.set_model_unet_function_wrapper(wrapper)
    changed.set_model_patch_replace(replacement, "dit", "double_block", 1)
    assert torch.equal(run(boundary.to_value(changed)), run(model))
    assert seen[:2] == [(2, 512, 16), (2, 8, 128)]


def test_vace_is_of_its_class(tmp_path, cpu_residency):
    values = dict(bridge_files.network("wan_vace").state_dict())
    save_file(bridge_files.original("wan_vace", values), tmp_path / "vace.safetensors")
    patcher = plugin_boundary().to_object(load_denoiser(tmp_path / "vace.safetensors"))
    assert isinstance(patcher.model, host_module("comfy.model_base").WAN21_Vace)
    config = patcher.model.model_config
    assert isinstance(config, host_module("comfy.supported_models").WAN21_Vace)
    assert (config.unet_config["vace_layers"], config.unet_config["model_type"]) == (2, "vace")


def test_ltx_video_is_of_its_class(tmp_path, cpu_residency):
    net = bridge_files.network("ltxv")
    path = tmp_path / "ltxv.safetensors"
    save_file(bridge_files.original("ltxv", dict(net.state_dict())), path)
    patcher = plugin_boundary().to_object(load_denoiser(path))
    assert isinstance(patcher.model, host_module("comfy.model_base").LTXV)
    assert isinstance(patcher.model.latent_format, host_module("comfy.latent_formats").LTXV)


def test_hunyuan_video_15_is_of_its_class(tmp_path, cpu_residency):
    blocks = HunyuanVideoConfig(65, 32, 16, 0, 128, 256, 1, 0, 1, guidance=False)
    config = HunyuanGlyphsConfig(blocks, (16, 56, 56), seen_channels=16, kinds=True)
    path = tmp_path / "hunyuan.safetensors"
    save_file(filled(lambda: HunyuanGlyphs(config)), path)
    patcher = plugin_boundary().to_object(load_denoiser(path))
    assert isinstance(patcher.model, host_module("comfy.model_base").HunyuanVideo15)
    found = patcher.model.model_config
    assert isinstance(found, host_module("comfy.supported_models").HunyuanVideo15)
    assert (found.unet_config["in_channels"], found.unet_config["depth"]) == (65, 1)
    kind = host_module("comfy.latent_formats").HunyuanVideo15
    assert isinstance(patcher.model.latent_format, kind)


def test_hunyuan_video_is_of_its_class(tmp_path, cpu_residency):
    path = tmp_path / "hunyuan.safetensors"
    config = HunyuanVideoConfig(16, 16, 16, 32, 128, 256, 1, 1, 1, guidance=True)
    save_file(filled(lambda: HunyuanVideo(config)), path)
    value = load_denoiser(path)
    boundary = plugin_boundary()
    patcher = boundary.to_object(value)
    assert isinstance(patcher.model, host_module("comfy.model_base").HunyuanVideo)
    config = patcher.model.model_config
    assert isinstance(config, host_module("comfy.supported_models").HunyuanVideo)
    assert (config.unet_config["in_channels"], config.unet_config["depth"]) == (16, 1)
    assert isinstance(patcher.model.latent_format, host_module("comfy.latent_formats").HunyuanVideo)
    seen = []

    def replacement(inputs, extra):
        seen.append(inputs["img"].shape)
        return extra["original_block"](inputs)

    changed = patcher.clone()
    changed.set_model_patch_replace(replacement, "dit", "double_block", 0)
    assert torch.equal(run(boundary.to_value(changed), 16), run(value, 16))
    assert seen[0] == (2, 8, 128)
