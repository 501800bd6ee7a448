"""A residency on the CPU, and tiny models of random weights."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.families.autoencoders import KlAutoencoder
from engine.families.sd15.family import StableDiffusion1
from engine.inference.values import Clip, TextPart, Vae
from engine.nets import attention, unet
from engine.nets.autoencoder_kl import AutoencoderConfig, AutoencoderKL, LevelConfig
from engine.nets.autoencoder_vq import AutoencoderVQ, VqAutoencoderConfig
from engine.nets.layouts import regular_autoencoder, regular_unet
from engine.nets.tiny_autoencoder import LayerConfig, TinyAutoencoder, TinyAutoencoderConfig
from engine.nets.unet import UNet, UNetConfig
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency, installed
from engine.text.bert_network import BertText, BertTextConfig
from engine.text.class_labels import ClassLabelsConfig, ClassTable
from engine.text.clip import CLIP_L
from engine.text.clip_network import ClipTextConfig


@pytest.fixture(autouse=True)
def same_random_numbers(request):
    """A test draws the same numbers whichever tests ran before it, and in whichever process."""
    torch.manual_seed(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(autouse=True, scope="module")
def no_parts_of_plugins():
    """What tests of plugins put in the place of our networks' parts ends with their module."""
    yield
    attention.attend_by(None)
    attention.blocks_by(None)
    unet.forward_by(None)


@pytest.fixture
def cpu_residency():
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)) as residency:
        yield residency


def _random(module):
    generator = torch.Generator().manual_seed(1)
    state = {
        key: torch.randn(tensor.shape, generator=generator) * tensor[0].numel() ** -0.5
        for key, tensor in module.state_dict().items()
    }
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(requires_grad=False)


@pytest.fixture
def tiny_vae(cpu_residency):
    """A VAE with eight pixels per cell and 32 channels."""
    levels = range(4)
    config = AutoencoderConfig(
        pixel_channels=3,
        latent_channels=4,
        inner_channels=4,
        quantised=True,
        encoder=tuple(LevelConfig(32, 32, 1, i < 3) for i in levels),
        decoder=tuple(LevelConfig(32, 32, 1, i > 0) for i in levels),
    )
    kind = KlAutoencoder()
    weights = LazyWeights("tiny", 1, lambda: _random(kind.build(config)))
    return Vae(kind, config, weights, kind.latent(config))


@pytest.fixture
def tiny_clip(cpu_residency):
    """A text encoder with two layers of 64 channels."""
    config = ClipTextConfig(49408, 77, 64, 128, 2, 1, "quick_gelu")
    with torch.device("meta"):
        module = CLIP_L.build(config)
    weights = LazyWeights("tiny", 1, lambda: _random(module))
    return Clip(StableDiffusion1.text, {"clip_l": TextPart(CLIP_L, config, weights)})


@pytest.fixture(scope="session")
def small_tensors(random_checkpoints: ModuleType) -> dict[str, torch.Tensor]:
    """A whole checkpoint of SD1's architecture in 10 MB, fp16. Copy it before changing it."""
    return random_checkpoints.tensors(random_checkpoints.SMALL, torch.float16)


def fill_by_name(build: Callable[[], nn.Module]) -> nn.Module:
    """Build on the meta device, then give it weights that depend on their names only."""
    with torch.device("meta"):
        module = build()
    state = {}
    for key, tensor in module.state_dict().items():
        generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        random = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            state[key] = random * tensor[0].numel() ** -0.5
        else:
            state[key] = random * 0.1 + (0.0 if key.endswith("bias") else 1.0)
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(requires_grad=False)


@pytest.fixture
def fill():
    return fill_by_name


@pytest.fixture
def shapes_of():
    return lambda module: {key: tuple(t.shape) for key, t in module.state_dict().items()}


def vision_of_open_clip(module: nn.Module) -> dict[str, torch.Tensor]:
    """An image encoder's weights in OpenCLIP's layout: q, k and v joined."""
    names = {
        "embeddings.class_embedding": "class_embedding",
        "embeddings.patch_embedding.weight": "conv1.weight",
        "embeddings.position_embedding.weight": "positional_embedding",
        "pre_layrnorm.": "ln_pre.",
        "post_layernorm.": "ln_post.",
        "encoder.layers.": "transformer.resblocks.",
        "self_attn.out_proj": "attn.out_proj",
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    state, found = module.state_dict(), {}
    for key, value in state.items():
        if "_proj." in key and "out_proj" not in key:
            continue
        for ours, its in names.items():
            key = key.replace(ours, its)  # noqa: PLW2901
        found[key] = value
    for layer in range(module.config.layers):
        for kind in ("weight", "bias"):
            rows = [state[f"encoder.layers.{layer}.self_attn.{n}_proj.{kind}"] for n in "qkv"]
            found[f"transformer.resblocks.{layer}.attn.in_proj_{kind}"] = torch.cat(rows)
    return {**found, "proj": state["visual_projection.weight"].T.contiguous()}


@pytest.fixture
def of_open_clip():
    return vision_of_open_clip


def _tiny_layers(channels: int, width: int) -> tuple[tuple[LayerConfig, ...], ...]:
    """The layers of both halves of a tiny autoencoder with eight pixels per cell."""
    block = LayerConfig("block", width, width)
    down, up = LayerConfig("down", width, width), LayerConfig("up", width, width)
    encoder = (
        LayerConfig("conv", 3, width),
        *[block, down] * 3,
        LayerConfig("conv", width, channels),
    )
    decoder = (
        LayerConfig("clamp"),
        LayerConfig("conv", channels, width),
        LayerConfig("relu"),
        *[block, LayerConfig("enlarge"), up] * 3,
        LayerConfig("conv", width, 3),
    )
    return encoder, decoder


@pytest.fixture(scope="session")
def write_tiny() -> Callable[..., list[Path]]:
    """Writes the decoder's and the encoder's file of a tiny autoencoder of random weights."""

    def write(folder: Path, name: str = "taesd", channels: int = 4, width: int = 8) -> list[Path]:
        encoder, decoder = _tiny_layers(channels, width)
        config = TinyAutoencoderConfig(decoder, encoder, 1.0, 0.0)
        state = fill_by_name(lambda: TinyAutoencoder(config)).state_dict()
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for half in ("decoder", "encoder"):
            paths.append(folder / f"{name}_{half}.safetensors")
            start = f"taesd_{half}."
            part = {k.removeprefix(start): t for k, t in state.items() if k.startswith(start)}
            save_file(part, paths[-1])
        return paths

    return write


def _ldm(unet: UNetConfig, autoencoder: nn.Module, text: nn.Module) -> dict[str, torch.Tensor]:
    """A latent diffusion checkpoint of 2022 with random weights, in the original layout."""
    parts = {
        "model.diffusion_model.": fill_by_name(lambda: UNet(unet)),
        "first_stage_model.": autoencoder,
        "cond_stage_model.": text,
    }
    return {
        prefix + name: tensor
        for prefix, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


@pytest.fixture(scope="session")
def ldm_of_classes() -> dict[str, torch.Tensor]:
    """A tiny class-conditional checkpoint: 21 classes, a VQ autoencoder with 4 pixels per cell."""
    unet = regular_unet(32, (1, 2), (1, 1), context=48, heads=1, blocks=1, in_channels=3)
    base = regular_autoencoder((32, 32, 64), blocks=1, latent_channels=3)
    return _ldm(
        replace(unet, out_channels=3),
        fill_by_name(lambda: AutoencoderVQ(VqAutoencoderConfig(base, 64))),
        fill_by_name(lambda: ClassTable(ClassLabelsConfig(21, 48))),
    )


@pytest.fixture(scope="session")
def ldm_of_text() -> dict[str, torch.Tensor]:
    """A tiny text-to-image checkpoint with BERT's vocabulary."""
    text = BertTextConfig(30522, 77, 32, 128, 64, 3, 2)
    checkpoint = _ldm(
        regular_unet(64, (1, 2), (1, 0), context=32, heads=8, blocks=1),
        fill_by_name(lambda: AutoencoderKL(regular_autoencoder((32, 32, 32, 64), blocks=1))),
        nn.ModuleDict({"transformer": fill_by_name(lambda: BertText(text))}),
    )
    return {**checkpoint, "cond_stage_model.transformer.to_logits.bias": torch.zeros(30522)}
