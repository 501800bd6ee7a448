"""Tiny files of random weights for Qwen-Image and its kin: denoisers, text encoder, autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from engine.families.anima.adapter import AdapterConfig
from engine.families.anima.network import Anima, AnimaConfig
from engine.families.krea2.network import AttentionSizes, Krea2, Krea2Config
from engine.families.qwen_image.network import QwenImage, QwenImageConfig
from engine.families.qwen_image21.network import QwenImage21, QwenImage21Config
from engine.nets.autoencoder_residual import (
    LevelConfig,
    ResidualAutoencoder,
    ResidualAutoencoderConfig,
)
from engine.nets.autoencoder_wan import LayerConfig, WanAutoencoder, WanAutoencoderConfig

TEXT = 32
"""The width of both text encoders."""
QWEN_WORDS = 151_936
QWEN_IMAGE = QwenImageConfig(64, 64, TEXT, 64, 32, 128, 2)
ANIMA = AnimaConfig(
    in_channels=68,
    out_channels=64,
    context_channels=TEXT,
    channels=64,
    head_channels=32,
    inner=128,
    modulation=16,
    blocks=1,
    adapter=AdapterConfig(
        tokens=32_128,
        channels_out=TEXT,
        channels=TEXT,
        source=1024,
        head_channels=16,
        inner=64,
        blocks=1,
    ),
)


QWEN_IMAGE21 = QwenImage21Config(64, 64, TEXT, 64, 32, 96, 2)
KREA2 = Krea2Config(
    in_channels=64,
    time_channels=32,
    blocks=1,
    block=AttentionSizes(64, 32, 32, 96),
    layers=12,
    layerwise=1,
    refiners=1,
    text=AttentionSizes(TEXT, TEXT, 16, 64),
)


def autoencoder_config(pixel_channels: int = 3) -> WanAutoencoderConfig:
    """Of the released sides and frames for a latent, with few channels."""
    down = [(8, 8), (8, 8, True), (8, 8), (8, 8, True, True), (8, 16), (16, 16, True, True)]
    up = [(16, 16), (16, 8, True, True), (8, 16), (16, 8, True, True), (8, 8), (8, 8, True)]
    return WanAutoencoderConfig(
        pixel_channels,
        16,
        tuple(LayerConfig(*each) for each in [*down, (16, 16)]),
        tuple(LayerConfig(*each) for each in [*up, (8, 8)]),
    )


def filled(make: Callable[[], nn.Module], seed: int = 0) -> dict[str, Tensor]:
    """Random values for the tensors of a network, fp16."""
    with torch.device("meta"):
        net = make()
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}
    for name, tensor in net.state_dict().items():
        values = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim == 1 and name.endswith("weight"):
            values = 1 + 0.1 * values
        else:
            values = values * tensor[0].numel() ** -0.5
        found[name] = values.half()
    return found


def denoiser(**changes: bool) -> dict[str, Tensor]:
    """Qwen-Image's denoiser, without a prefix."""
    return filled(lambda: QwenImage(replace(QWEN_IMAGE, **changes)))


def anima() -> dict[str, Tensor]:
    """Anima's denoiser, under its prefix."""
    return {f"net.{name}": value for name, value in filled(lambda: Anima(ANIMA)).items()}


def krea2() -> dict[str, Tensor]:
    """Krea 2's denoiser, without a prefix."""
    return filled(lambda: Krea2(KREA2))


def qwen_image21() -> dict[str, Tensor]:
    """Qwen-Image 2.1's denoiser, without a prefix."""
    return filled(lambda: QwenImage21(QWEN_IMAGE21))


def residual_autoencoder() -> dict[str, Tensor]:
    """Qwen-Image 2.1's autoencoder, of the released cells and channels of pixels and latents."""
    down = [(8, 8), (8, 16), (16, 16), (16, 16)]
    up = [(16, 16), (16, 16), (16, 8), (8, 8)]
    config = ResidualAutoencoderConfig(
        4,
        64,
        (
            *(LevelConfig(*widths, 1, resamples=True) for widths in down),
            LevelConfig(16, 16, 1, resamples=False),
        ),
        (
            *(LevelConfig(*widths, 1, resamples=True) for widths in up),
            LevelConfig(8, 8, 1, resamples=False),
        ),
    )
    found = filled(lambda: ResidualAutoencoder(config))
    # What only videos meet tells the levels that halve time.
    for level in (1, 2, 3):
        found[f"encoder.down_blocks.{level}.downsampler.time_conv.weight"] = torch.zeros(1).half()
    for level in (0, 1, 2):
        found[f"decoder.up_blocks.{level}.upsampler.time_conv.weight"] = torch.zeros(1).half()
    return found


def seeing_language_model() -> dict[str, Tensor]:
    """A language model with the tower of Qwen3-VL 8B, without layers that are added to its own."""
    found = language_model(biased=False)
    generator = torch.Generator().manual_seed(4)
    wide, inner = 1152, 4 * 1152
    shapes = {
        "patch_embed.proj.weight": (wide, 3, 2, 16, 16),
        "patch_embed.proj.bias": (wide,),
        "pos_embed.weight": (36, wide),
        "blocks.0.attn.qkv.weight": (3 * wide, wide),
        "blocks.0.attn.qkv.bias": (3 * wide,),
        "blocks.0.attn.proj.weight": (wide, wide),
        "blocks.0.attn.proj.bias": (wide,),
        "blocks.0.mlp.linear_fc1.weight": (64, wide),
        "blocks.0.mlp.linear_fc1.bias": (64,),
        "blocks.0.mlp.linear_fc2.weight": (wide, 64),
        "blocks.0.mlp.linear_fc2.bias": (wide,),
        "merger.linear_fc1.weight": (inner, inner),
        "merger.linear_fc1.bias": (inner,),
        "merger.linear_fc2.weight": (TEXT, inner),
        "merger.linear_fc2.bias": (TEXT,),
    }
    for name in ("blocks.0.norm1", "blocks.0.norm2", "merger.norm"):
        shapes |= {f"{name}.weight": (wide,), f"{name}.bias": (wide,)}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator) * 0.02
        found[f"visual.{name}"] = (values + ("norm" in name)).half()
    return found


def autoencoder(pixel_channels: int = 3) -> dict[str, Tensor]:
    """The autoencoder."""
    return filled(lambda: WanAutoencoder(autoencoder_config(pixel_channels)))


def language_model(
    width: int = TEXT, words: int = QWEN_WORDS, *, biased: bool = True
) -> dict[str, Tensor]:
    """Qwen2.5's layers, or without biases Qwen3's, of that width, which know so many words."""
    generator = torch.Generator().manual_seed(3)
    layer = "model.layers.0."
    shapes = {"model.embed_tokens.weight": (words, width), "model.norm.weight": (width,)}
    for name in ("input_layernorm", "post_attention_layernorm"):
        shapes[f"{layer}{name}.weight"] = (width,)
    for name in ("q_proj", "k_proj", "v_proj"):
        shapes[f"{layer}self_attn.{name}.weight"] = (128, width)
        if biased:
            shapes[f"{layer}self_attn.{name}.bias"] = (128,)
    for name in () if biased else ("q_norm", "k_norm"):
        shapes[f"{layer}self_attn.{name}.weight"] = (128,)
    shapes[f"{layer}self_attn.o_proj.weight"] = (width, 128)
    for name in ("gate_proj", "up_proj"):
        shapes[f"{layer}mlp.{name}.weight"] = (64, width)
    shapes[f"{layer}mlp.down_proj.weight"] = (width, 64)
    found: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=generator)
        found[name] = (values * 0.1 + ("norm" in name)).half()
    return found
