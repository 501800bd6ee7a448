"""The x4 upscaler is recognised; its picture, the noise on it, and its levels equal diffusers'."""

import os

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.inference.load import model_of
from engine.nets.unet_names import unet_names
from engine.residency.manager import DeviceResidency
from engine.weights.apply import check
from engine.weights.state_dict import StateDict
from nodes.picture_conditioning import upscale_conditioning

UNET = "model.diffusion_model."
SHAPE = (1, 4, 6, 8)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tensors(random_checkpoints):
    return random_checkpoints.tensors(random_checkpoints.SMALL_X4, torch.float16)


@pytest.fixture(scope="module")
def known(tensors):
    return detect(StateDict.of(tensors))


@pytest.fixture(scope="module")
def scheduler():
    """The published schedule of both the latent and the picture."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import DDPMScheduler

    return DDPMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="scaled_linear")


def test_our_own_tool_writes_what_we_read(random_checkpoints, tensors, known):
    family, config = known
    assert family.name == "Stable Diffusion x4 Upscaler"
    weights = StateDict.of(tensors)
    check(family.build(config), family.denoiser(config, weights))
    unet, _, autoencoder = random_checkpoints.parts(random_checkpoints.SMALL_X4).values()
    assert config.unet == unet.config
    assert find_autoencoder(family.autoencoder(weights)).config == autoencoder.config
    found = family.latent(config)
    assert (found.downscale, found.scale) == ((4, 4), 0.08333)
    assert not config.unet.input_blocks[3][1].self_attention
    assert config.unet.middle_block[1].self_attention


def test_the_layout_of_diffusers(tensors, known):
    family, config = known
    back = {ours: theirs for theirs, ours in unet_names(config.unet).items()}
    renamed = {}
    for name, tensor in tensors.items():
        module, _, kind = name.removeprefix(UNET).rpartition(".")
        renamed[f"unet.{back[module]}.{kind}" if name.startswith(UNET) else name] = tensor
    assert "unet.class_embedding.weight" in renamed
    weights = StateDict.of(renamed)
    found, same = detect(weights)
    assert (found.name, same) == (family.name, config)
    check(found.build(same), found.denoiser(same, weights))


def test_levels_equal_diffusers(known, scheduler):
    family, config = known
    alphas = scheduler.alphas_cumprod.double()
    expected = ((1 - alphas) / alphas).sqrt()
    found = family.parameterization(config).sigmas.double()
    assert ((found - expected).abs() / expected).max() < 1e-4
    assert family.parameterization(config).prediction == "v"


def inputs(known, run, **extras):
    family, config = known
    entry = Entry(torch.zeros(1, 77, config.unet.context_channels), extras)
    found = family.inputs(config, entry, run=run, role=Role.POSITIVE)
    return found["concat"].value, found["vector"].value


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0])
def test_noise_on_the_picture_equals_diffusers(known, scheduler, share):
    picture = torch.rand(2, 3, 6, 8) * 2 - 1
    run = Run((2, *SHAPE[1:]), seed=52)
    found, level = inputs(known, run, concat_image=picture, noise_augmentation=share)
    assert level.tolist() == [round(350 * share)]
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(42))
    expected = scheduler.add_noise(picture, noise, level) if share else picture
    assert (found - expected).abs().max() < 1e-5


def test_a_streamed_network_computes_the_same(tensors, known):
    family, config = known
    weights = StateDict.of(tensors)
    x, text = torch.randn(1, 7, 8, 8), torch.randn(1, 77, config.unet.context_channels)
    time, level = torch.tensor([500.0]), torch.tensor([17])

    def run(budget):
        net = model_of(family, config, weights).net
        with DeviceResidency(CPU, torch.float32, budget=budget).use(net), torch.inference_mode():
            return net.module(x, time, text, level)

    size = 2 * sum(weights[name].nbytes for name in weights if name.startswith(UNET))
    assert torch.equal(run(size // 2), run(2 * size))


def test_without_a_picture_there_are_zeros(known):
    found, level = inputs(known, Run(SHAPE))
    assert torch.equal(found, torch.zeros(1, 3, 6, 8))
    assert level.tolist() == [0]


@pytest.mark.parametrize(
    ("extras", "says"),
    [
        ({"concat_image": torch.zeros(1, 4, 6, 8)}, r"\[B, 3, h, w\], found \[1, 4, 6, 8\]"),
        ({"concat_image": "picture"}, "found str; make it with SD_4XUpscale_Conditioning"),
        (
            {"concat_image": torch.zeros(1, 3, 6, 8), "noise_augmentation": 3.0},
            "noise_augmentation is 3, the model takes 0 to 1",
        ),
    ],
)
def test_what_is_no_picture_is_refused(known, extras, says):
    with pytest.raises(NodeError, match=says):
        inputs(known, Run(SHAPE), **extras)


def test_a_prompt_encoded_for_another_model_is_refused(known):
    family, config = known
    with pytest.raises(NodeError, match=r"have 768 numbers, the model takes 128.*SD2 checkpoint"):
        family.inputs(
            config, Entry(torch.zeros(1, 77, 768), {}), run=Run(SHAPE), role=Role.POSITIVE
        )


def test_the_node_scales_the_picture_to_the_latent():
    picture = torch.rand(2, 24, 32, 4)
    prompt = [[torch.zeros(1, 77, 8), {"kept": 1}]]
    positive, negative, latent = upscale_conditioning(picture, prompt, prompt, 4.0, 0.1)
    assert latent["samples"].shape == (2, 4, 24, 32)
    for [[_, extras]] in (positive, negative):
        assert extras["kept"] == 1
        assert extras["noise_augmentation"] == 0.1
        expected = (picture[..., :3] * 2 - 1).movedim(-1, 1)
        assert torch.equal(extras["concat_image"], expected)
    half = upscale_conditioning(picture, prompt, prompt, 2.0)
    assert half.latent["samples"].shape == (2, 4, 12, 16)
    assert half.positive[0][1]["concat_image"].shape == (2, 3, 12, 16)
    with pytest.raises(NodeError, match=r"32 x 24 pixels enlarged 0.01 times is smaller than one"):
        upscale_conditioning(picture, prompt, prompt, 0.01)
