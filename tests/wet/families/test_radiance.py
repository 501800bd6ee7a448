"""Chroma Radiance's denoiser against Chroma's blocks and a plain network for each pixel."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError, WeightsError
from engine.families.chroma.network import Chroma, ChromaConfig
from engine.families.chroma.radiance import Radiance, RadianceConfig
from engine.families.chroma.radiance_family import CLEAN, HALVES, ChromaRadianceFamily
from engine.families.detect import detect
from engine.inference.load import load_denoiser
from engine.nets.transformer_layers import from_patches
from engine.weights.state_dict import StateDict
from nodes.chroma_radiance import chroma_radiance_options, empty_chroma_radiance_latent_image
from tests.wet.alive import Alive

BODY = ChromaConfig(0, 0, 24, 128, 256, 1, 2, 16, 32, 2)
TINY = RadianceConfig(BODY, 3, 4, 8, 2, 2, 3, by_convolution=True)
FULL = RadianceConfig(
    ChromaConfig(0, 0, 4096, 3072, 12288, 19, 38, 64, 5120, 5),
    *(3, 16, 64, 4, 4, 8),
    by_convolution=True,
)


def filled(make, seed=5):
    with torch.device("meta"):
        net = make()
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5
        for name, tensor in net.state_dict().items()
    }
    net.load_state_dict(state, assign=True)
    return net.eval().requires_grad_(requires_grad=False)


def given(rows=1):
    generator = torch.Generator().manual_seed(2)
    time = torch.tensor([0.8, 0.3])[:rows]
    return time, torch.randn(rows, 5, 24, generator=generator), torch.zeros(rows)


def body_tokens(net, x):
    """The tokens of Chroma's own network (which is diffusers') for the same patches and weights."""
    kernel = net.config.kernel
    tokens = torch.nn.functional.unfold(x, kernel, stride=kernel).transpose(1, 2)
    config = replace(BODY, in_channels=tokens.shape[-1], out_channels=4)
    chroma = filled(lambda: Chroma(config))
    own = {n: t for n, t in net.state_dict().items() if n in chroma.state_dict()}
    own["img_in.weight"] = net.img_in_patch.weight.flatten(1)
    own["img_in.bias"] = net.img_in_patch.bias
    chroma.load_state_dict(own, strict=False)
    found = []
    chroma.final_layer.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    rows, columns = (side // kernel for side in x.shape[-2:])
    time, context, guidance = given(len(x))
    chroma(from_patches(tokens, 2 * rows, 2 * columns), time, context, guidance)
    return found[0]


def norm(x, scale):
    return x / (x.square().mean() + 1e-6).sqrt() * scale


def pixel(net, values, row, column, token):
    """One pixel's channels before the last layer, from equations, one number after the other."""
    state, config = net.state_dict(), net.config
    side, waves = config.patch, config.waves
    x, y = column / (side - 1), row / (side - 1)
    places = [
        math.cos(x * i * math.pi) * math.cos(y * j * math.pi) / (1 + i * j)
        for i in range(waves)
        for j in range(waves)
    ]
    seen = torch.cat((values, torch.tensor(places)))
    name = "nerf_image_embedder.embedder.0."
    pixel = state[f"{name}weight"] @ seen + state[f"{name}bias"]
    inner = config.width * config.ratio
    for number in range(config.depth):
        name = f"nerf_blocks.{number}."
        made = state[f"{name}param_generator.weight"] @ token
        gate, value, back = (made + state[f"{name}param_generator.bias"]).chunk(3)
        gate, value = (each.reshape(config.width, inner) for each in (gate, value))
        back = back.reshape(inner, config.width)
        gate, value, back = (each / each.norm(dim=0) for each in (gate, value, back))
        normal = norm(pixel, state[f"{name}norm.scale"])
        opened = normal @ gate
        pixel = pixel + (opened * opened.sigmoid() * (normal @ value)) @ back
    return pixel


def plain(net, x):
    """The network's output, pixel by pixel."""
    config, state = net.config, net.state_dict()
    seen = x[:, :, ::2, ::2] if config.halves else x
    tokens, side = body_tokens(net, seen), config.patch
    last = "nerf_final_layer_conv" if config.by_convolution else "nerf_final_layer"
    found = torch.zeros(len(x), config.width, *x.shape[-2:])
    for image in range(len(x)):
        for row in range(x.shape[-2]):
            for column in range(x.shape[-1]):
                number = row // side * (x.shape[-1] // side) + column // side
                place = image, slice(None), row, column
                channels = pixel(net, x[place], row % side, column % side, tokens[image, number])
                found[place] = norm(channels, state[f"{last}.norm.scale"])
    if config.by_convolution:
        weight, bias = state[f"{last}.conv.weight"], state[f"{last}.conv.bias"]
        return torch.nn.functional.conv2d(found, weight, bias, padding=1)
    result = torch.einsum("bchw,oc->bohw", found, state[f"{last}.linear.weight"])
    return result + state[f"{last}.linear.bias"][:, None, None]


def off(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (TINY, (12, 8)),
        (replace(TINY, by_convolution=False), (8, 4)),
        (replace(TINY, halves=True), (8, 16)),
    ],
)
def test_equals_a_plain_network(config, size):
    net = filled(lambda: Radiance(config))
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found, expected = net(x, *given(2)), plain(net, x)
    assert off(found, expected) < 1e-5


def test_a_network_that_predicts_the_clean_picture_returns_a_velocity():
    net = filled(lambda: Radiance(TINY))
    x, (time, *more) = torch.randn(1, 3, 8, 8), given()
    with torch.no_grad():
        clean = net(x, time, *more)
        net.config = replace(TINY, clean=True)
        velocity = net(x, time, *more)
    assert off(x - time * velocity, clean) < 1e-5


def test_sides_that_are_no_multiples_of_a_patch_are_continued():
    net = filled(lambda: Radiance(TINY))
    x = torch.randn(1, 3, 10, 7)
    whole = torch.nn.functional.pad(x, (0, 1, 0, 2), mode="circular")
    with torch.no_grad():
        assert torch.equal(net(x, *given()), net(whole, *given())[..., :10, :7])


def files_of(config):
    net = filled(lambda: Radiance(config))
    state = {f"model.diffusion_model.{name}": t for name, t in net.state_dict().items()}
    for mark, is_there in ((CLEAN, config.clean), (HALVES, config.halves)):
        if is_there:
            state[f"model.diffusion_model.{mark}"] = torch.zeros(0)
    return net, state


@pytest.mark.parametrize(
    "config", [TINY, replace(TINY, clean=True, halves=True, by_convolution=False)]
)
def test_files_are_recognised(config):
    net, state = files_of(config)
    family, found = detect(StateDict.of(state))
    assert (family.name, found) == ("Chroma Radiance", config)
    assert family.latent(found).downscale == (1, 1)
    tensors = family.denoiser(found, StateDict.of(state))
    assert tensors.shapes == {name: tuple(t.shape) for name, t in net.state_dict().items()}
    state["model.diffusion_model.nerf_image_embedder.embedder.0.weight"] = torch.zeros(8, 5)
    with pytest.raises(WeightsError, match="pixels have 5 numbers and 8 channels"):
        detect(StateDict.of(state))


def test_full_size_files_have_the_published_sizes():
    net = ChromaRadianceFamily().build(FULL)
    assert ChromaRadianceFamily().detect(StateDict.of(net.state_dict())) == FULL
    # Chroma's 8.9 billion without its patches of latents, with those of pixels and small networks.
    assert round(sum(each.numel() for each in net.parameters()) / 1e9, 1) == 9.5


def test_patches_are_computed_in_tiles(tmp_path, cpu_residency):
    _, state = files_of(TINY)
    save_file(state, tmp_path / "radiance.safetensors")
    model = load_denoiser(tmp_path / "radiance.safetensors")
    net = filled(lambda: Radiance(TINY))
    tiled = chroma_radiance_options(model=model, start_sigma=0.9, end_sigma=0.5, nerf_tile_size=2)
    calls = []
    net.nerf_blocks[0].param_generator.register_forward_pre_hook(
        lambda _, given: calls.append(len(given[0]))
    )
    x, (time, *more) = torch.randn(1, 3, 12, 8), given()
    with torch.no_grad():
        whole = net(x, time, *more)
        parts = net(x, time, *more, hooks=tiled.hooks)
        outside = net(x, time / 2, *more, hooks=tiled.hooks)
    assert calls == [6, 2, 2, 2, 6]
    assert off(parts, whole) < 1e-6
    assert outside.shape == whole.shape
    assert chroma_radiance_options(model=model).hooks.is_empty
    other = replace(model, family=type("Other", (), {"name": "FLUX.1"})())
    with pytest.raises(NodeError, match=r"for Chroma Radiance; the model is one of FLUX\.1"):
        chroma_radiance_options(model=other, nerf_tile_size=4)
    latent = empty_chroma_radiance_latent_image(width=32, height=16)
    assert latent["samples"].shape == (1, 3, 16, 32)


def test_the_estimate_of_memory_holds_what_is_alive():
    net = filled(lambda: Radiance(TINY))
    x, (time, *more) = torch.randn(1, 3, 64, 64), given()
    with torch.inference_mode(), Alive(net) as alive:
        net(x, time, *more)
    expected = ChromaRadianceFamily().activation_bytes(TINY, x.shape, 4)
    assert 1.2 * alive.most < expected < 10 * alive.most, expected / alive.most
