"""A tiny Z-Image of random weights, with its text encoder, its autoencoder and a LoRA."""

from __future__ import annotations

from types import ModuleType

import torch

from engine.families.zimage.control import ControlConfig, ZImageControl
from engine.families.zimage.network import NextDiT, NextDiTConfig
from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import regular_autoencoder
from engine.text.decoder_network import Decoder, DecoderConfig, Rotary
from tests.wet.picture_checkpoints import made

WIDTH = 64
"""Of the text encoder's states."""
NEXT_DIT = NextDiTConfig(
    width=64,
    layers=2,
    noise_refiners=1,
    context_refiners=1,
    head=32,
    key_heads=2,
    feed_forward=128,
    channels=16,
    context=WIDTH,
    time=64,
    time_inner=128,
    axes=(8, 12, 12),
    period=256.0,
    time_scale=1000.0,
    multiple=32,
    activated=False,
)
RELEASED = NextDiTConfig(
    width=3840,
    layers=30,
    noise_refiners=2,
    context_refiners=2,
    head=128,
    key_heads=30,
    feed_forward=10240,
    channels=16,
    context=2560,
    time=256,
    time_inner=1024,
    axes=(32, 48, 48),
    period=256.0,
    time_scale=1000.0,
    multiple=32,
    activated=False,
)
"""The sizes of the released Z-Image."""
TEXT = DecoderConfig(
    vocabulary=151936,
    channels=WIDTH,
    feed_forward=128,
    layers=2,
    heads=2,
    key_heads=1,
    head_channels=32,
    biased=False,
    normed_heads=True,
    epsilon=1e-6,
    rotary=Rotary(),
)
AUTOENCODER = regular_autoencoder((32, 32, 32, 64), latent_channels=16, quantised=False)


def parts(tool: ModuleType) -> dict[str, dict[str, torch.Tensor]]:
    """The files by their paths in a folder of models."""
    with torch.device("meta"):
        net, text, autoencoder = NextDiT(NEXT_DIT), Decoder(TEXT), AutoencoderKL(AUTOENCODER)
    return {
        "diffusion_models/z_image.safetensors": made(tool, "", net),
        "text_encoders/qwen_3_4b.safetensors": made(tool, "model.", text),
        "vae/ae.safetensors": made(tool, "", autoencoder),
        "loras/z_image.safetensors": split_lora(),
        "model_patches/union.safetensors": control(tool),
    }


def control(tool: ModuleType) -> dict[str, torch.Tensor]:
    """A control network with the names of published files."""
    config = ControlConfig(NEXT_DIT, layers=2, refiners=1, channels=33, refines=True)
    with torch.device("meta"):
        net = ZImageControl(config)
    found: dict[str, torch.Tensor] = {}
    for ours, value in made(tool, "", net).items():
        name = ours.replace("q_norm", "norm_q").replace("k_norm", "norm_k")
        name = name.replace("attention.out", "attention.to_out.0")
        if ".qkv." not in name:
            found[name] = value
            continue
        for part, rows in zip(("to_q", "to_k", "to_v"), value.chunk(3), strict=True):
            found[name.replace("qkv", part)] = rows.clone()
    return found


def split_lora() -> dict[str, torch.Tensor]:
    """An adapter of queries, keys and values apart, under diffusers' names."""
    generator = torch.Generator().manual_seed(5)
    found: dict[str, torch.Tensor] = {}
    for module in ("attention.to_q", "attention.to_k", "attention.to_v", "attention.to_out.0"):
        name = f"diffusion_model.layers.0.{module}"
        found[f"{name}.lora_A.weight"] = torch.randn(4, NEXT_DIT.width, generator=generator)
        found[f"{name}.lora_B.weight"] = torch.randn(NEXT_DIT.width, 4, generator=generator)
    return found
