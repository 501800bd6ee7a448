"""Tiny files of random weights for HiDream-I1; its network is diffusers' own class."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
from torch import Tensor, nn

from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import regular_autoencoder
from engine.text.clip_network import ClipText, ClipTextConfig
from engine.text.decoder_network import Decoder, DecoderConfig, Rotary
from engine.text.t5_network import T5Config, T5Text
from tests.wet.wan_files import filled

WIDTH = 16
"""Of the states of T5."""
HIDREAM: dict[str, Any] = {
    "patch_size": 2,
    "in_channels": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "num_attention_heads": 1,
    "caption_channels": (WIDTH, 128),
    "text_emb_dim": 2048,
    "axes_dims_rope": (64, 32, 32),
    "max_resolution": (128, 128),
    "llama_layers": (0, 1),
}
LLAMA31 = DecoderConfig(128_256, 128, 64, 32, 1, 1, 128, False, False, 1e-5, Rotary())
T5 = T5Config(32128, WIDTH, 16, 32, 1, 1, 32, gated=True, each=False)
CLIPS = {"l": (768, 1), "g": (1280, 31)}
"""Width and layers."""


def network() -> nn.Module:
    """diffusers' own class, on the CPU with random values."""
    made = diffusers.HiDreamImageTransformer2DModel(**HIDREAM)
    generator = torch.Generator().manual_seed(0)
    values = {}
    for key, tensor in made.state_dict().items():
        scale = 0.1 if tensor.ndim < 2 else tensor[0].numel() ** -0.5
        drawn = torch.randn(tensor.shape, generator=generator) * scale
        values[key] = drawn + (1.0 if "norm" in key else 0.0)
    made.load_state_dict(values)
    return made.eval()


def files() -> dict[str, dict[str, Tensor]]:
    """The files by their paths in a folder of models; Llama's tokenizer is another file."""
    llama = filled(lambda: Decoder(LLAMA31), 7)
    autoencoder = regular_autoencoder((32,) * 4, latent_channels=16, quantised=False, blocks=1)
    found = {
        "diffusion_models/hidream": {
            key: each.half() for key, each in network().state_dict().items()
        },
        "text_encoders/t5": filled(lambda: T5Text(T5), 9),
        "text_encoders/llama31": {f"model.{name}": value for name, value in llama.items()},
        "vae/flux_vae": filled(lambda: AutoencoderKL(autoencoder), 5),
    }
    for letter, (width, layers) in CLIPS.items():
        config = ClipTextConfig(49408, 77, width, 16, layers, width // 64, "gelu", width)
        tensors = filled(lambda config=config: ClipText(config))
        found[f"text_encoders/hidream_{letter}"] = {
            key if key.startswith("text_projection") else f"text_model.{key}": value.half()
            for key, value in tensors.items()
        }
    return found
