"""FLUX and Stable Diffusion 3 as plugins see them."""

import pytest
import torch

from engine.compat.boundary import plugin_boundary
from engine.compat.install import host_module
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.flux.family import FluxFamily
from engine.families.flux.network import Flux, FluxConfig
from engine.families.flux2.family import Flux2Family
from engine.families.flux2.network import Flux2, Flux2Config
from engine.families.qwen_image.family import QwenImageFamily
from engine.families.qwen_image.network import QwenImage, QwenImageConfig
from engine.families.sd3.family import StableDiffusion3
from engine.families.sd3.network import MMDiT, MMDiTConfig
from engine.families.zimage.family import Lumina2, ZImage
from engine.families.zimage.network import NextDiT, NextDiTConfig
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.residency.handles import LazyWeights

FLUX = FluxConfig(64, 64, 32, 24, 256, 512, 2, 2, guidance=True)
SD3 = MMDiTConfig(128, 2, 64, 256, 16, 32, 24, 12, norms=False, attend_twice=frozenset())


def made(family, config, fill, kind):
    net = fill(lambda: kind(config))
    weights = LazyWeights("net", 1, lambda: net)
    return Model(family, config, weights, family.latent(config), family.parameterization(config))


@pytest.fixture(params=["flux", "sd3"])
def model(request, cpu_residency, fill):
    if request.param == "flux":
        return made(FluxFamily(), FLUX, fill, Flux)
    return made(StableDiffusion3(), SD3, fill, MMDiT)


@pytest.fixture
def is_flux(model):
    return isinstance(model.config, FluxConfig)


def text(value):
    extras = {"pooled_output": torch.full((1, 24), value), "guidance": 2.0}
    return [[torch.linspace(-1, value, 160).reshape(1, 5, 32), extras]]


def run(model):
    guider = CfgGuider(model, text(1.0), text(0.5), 3.0)
    latent = {"samples": torch.zeros(1, 16, 8, 8)}
    sigmas = torch.tensor([1.0, 0.6, 0.0])
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), sigmas, latent).samples


def shown(model):
    return plugin_boundary().to_object(model)


def test_it_is_of_the_classes_that_plugins_test_for(model, is_flux):
    patcher, base = shown(model), host_module("comfy.model_base")
    supported = host_module("comfy.supported_models")
    sampling = host_module("comfy.model_sampling")
    kind = "Flux" if is_flux else "SD3"
    assert isinstance(patcher.model, getattr(base, kind))
    assert isinstance(patcher.model.model_config, getattr(supported, kind))
    levels = patcher.get_model_object("model_sampling")
    assert isinstance(levels, sampling.CONST)
    named = sampling.ModelSamplingFlux if is_flux else sampling.ModelSamplingDiscreteFlow
    assert isinstance(levels, named)
    formats = host_module("comfy.latent_formats")
    assert isinstance(patcher.model.latent_format, getattr(formats, kind))
    net = patcher.model.diffusion_model
    if is_flux:
        assert isinstance(net, host_module("comfy.ldm.flux.model").Flux)
        layers = host_module("comfy.ldm.flux.layers")
        assert all(isinstance(each, layers.DoubleStreamBlock) for each in net.double_blocks)
        assert all(isinstance(each, layers.SingleStreamBlock) for each in net.single_blocks)
        assert (net.params.guidance_embed, net.params.in_channels, net.params.num_heads) == (
            True, 16, 2,
        )  # fmt: skip
        return
    mmdit = host_module("comfy.ldm.modules.diffusionmodules.mmdit")
    assert isinstance(net, mmdit.OpenAISignatureMMDITWrapper)
    assert net.__class__.__name__ == "OpenAISignatureMMDITWrapper"
    assert all(isinstance(each, mmdit.JointBlock) for each in net.joint_blocks)
    with pytest.raises(NotImplementedError, match=r"mmdit\.MMDiT"):
        mmdit.MMDiT()


def test_qwen_image_is_of_its_classes(cpu_residency, fill):
    config = QwenImageConfig(64, 64, 32, 64, 32, 256, 2)
    model = made(QwenImageFamily(), config, fill, QwenImage)
    patcher, plain, seen = shown(model), run(model), []
    net = patcher.model.diffusion_model
    assert isinstance(net, host_module("comfy.ldm.qwen_image.model").QwenImageTransformer2DModel)
    assert isinstance(patcher.model, host_module("comfy.model_base").QwenImage)
    assert isinstance(patcher.model.latent_format, host_module("comfy.latent_formats").Wan21)
    assert len(net.transformer_blocks) == 2

    def replacement(args, extra):
        seen.append(sorted(args))
        return extra["original_block"](args)

    patcher.set_model_patch_replace(replacement, "dit", "double_block", 1)
    assert torch.allclose(run(patcher.to_value()), plain, rtol=1e-3, atol=1e-3)
    assert seen[0] == ["img", "pe", "transformer_options", "txt", "vec"]


FLUX_2 = Flux2Config(128, 48, 256, 384, 2, 2, guidance=False)
Z_IMAGE = NextDiTConfig(
    width=96, layers=2, noise_refiners=1, context_refiners=1, head=24, key_heads=4,
    feed_forward=160, channels=16, context=40, time=64, time_inner=80, axes=(8, 8, 8),
    period=256.0, time_scale=1000.0, multiple=32, activated=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("family", "config", "kind", "place", "name", "image_model"),
    [
        (Flux2Family(), FLUX_2, Flux2, "flux.model", "Flux", "flux2"),
        (ZImage(), Z_IMAGE, NextDiT, "lumina.model", "NextDiT", "lumina2"),
        (Lumina2(), Z_IMAGE, NextDiT, "lumina.model", "NextDiT", "lumina2"),
    ],
)
def test_later_models_are_of_their_classes(
    cpu_residency, fill, family, config, kind, place, name, image_model
):
    model = made(family, config, fill, kind)
    patcher = shown(model)
    net = patcher.model.diffusion_model
    assert isinstance(net, getattr(host_module(f"comfy.ldm.{place}"), name))
    assert patcher.model.model_config.unet_config["image_model"] == image_model
    expected = getattr(host_module("comfy.model_base"), "Flux2" if name == "Flux" else "Lumina2")
    assert isinstance(patcher.model, expected)
    assert plugin_boundary().to_value(patcher.clone()) is model


def test_a_clone_comes_back_as_the_same_value(model):
    assert plugin_boundary().to_value(shown(model).clone()) is model


def test_blocks_are_replaced_with_the_ecosystems_arguments(model, is_flux):
    plain, seen = run(model), {}
    patcher = shown(model)

    def replacement(kind):
        def instead(args, extra):
            seen.setdefault(kind, set(args))
            return extra["original_block"](args)

        return instead

    kinds = ("double_block", "single_block") if is_flux else ("double_block",)
    for kind in kinds:
        patcher.set_model_patch_replace(replacement(kind), "dit", kind, 1)
    assert torch.allclose(run(patcher.to_value()), plain, rtol=1e-3, atol=1e-3)
    wanted = {"img", "txt", "vec", "transformer_options"}
    if is_flux:
        assert seen["double_block"] == wanted | {"pe", "attn_mask"}
        assert seen["single_block"] == {"img", "vec", "pe", "attn_mask", "transformer_options"}
    else:
        assert seen["double_block"] == wanted
    patcher.set_model_patch_replace(
        lambda args, extra: {"img": args["img"], "txt": args.get("txt")}, "dit", *kinds[-1:], 0
    )
    assert not torch.allclose(run(patcher.to_value()), plain, rtol=1e-2, atol=1e-2)


def test_wrappers_and_the_network_itself(model, is_flux):
    plain, seen = run(model), []
    patcher = shown(model)
    kinds = host_module("comfy.patcher_extension").WrappersMP

    def wrapper(executor, *args, **kwargs):
        seen.append([None if each is None else getattr(each, "shape", "") for each in args[:5]])
        return executor(*args, **kwargs)

    patcher.add_wrapper_with_key(kinds.DIFFUSION_MODEL, "test", wrapper)
    assert torch.allclose(run(patcher.to_value()), plain, rtol=1e-3, atol=1e-3)
    rows = seen[0][0][0]
    guidance = (rows,) if is_flux else None
    assert seen[0] == [(rows, 16, 8, 8), (rows,), (rows, 5, 32), (rows, 24), guidance]
    net = shown(model).model.diffusion_model
    more = {"guidance": torch.tensor([2.0])} if is_flux else {}
    out = net(
        torch.ones(1, 16, 8, 8), torch.tensor([0.5]), context=text(1.0)[0][0],
        y=torch.ones(1, 24), **more,
    )  # fmt: skip
    assert out.shape == (1, 16, 8, 8)


def test_guidance_functions_and_conds(model, is_flux):
    patcher, names = shown(model), set()

    def after(args):
        return args["denoised"] * 0.5

    patcher.set_model_sampler_post_cfg_function(after)
    conds = patcher.model.extra_conds(
        noise=torch.zeros(1, 16, 8, 8), cross_attn=text(1.0)[0][0], device="cpu", **text(1.0)[0][1]
    )
    names |= set(conds)
    assert {"c_crossattn", "y"} <= names
    assert ("guidance" in names) == is_flux
