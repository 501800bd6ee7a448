"""Tiny FLUX.1, Chroma and FLUX.2 of random weights, with their text encoders and autoencoders."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import torch

from engine.families.chroma.network import Chroma, ChromaConfig
from engine.families.chroma.radiance import Radiance, RadianceConfig
from engine.families.flux.network import Flux, FluxConfig
from engine.families.flux2.network import Flux2, Flux2Config
from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.autoencoder_packed import PackedAutoencoder
from engine.nets.layouts import regular_autoencoder
from engine.text.clip_network import ClipText, ClipTextConfig
from engine.text.decoder_network import Decoder, DecoderConfig, Rotary
from engine.text.t5_network import T5Config, T5Text
from tests.wet.picture_checkpoints import made
from tests.wet.tokenizer_files import tekken

WIDTH = 64
"""Of the text encoders' states."""
FLUX = FluxConfig(
    in_channels=64,
    out_channels=64,
    context_channels=WIDTH,
    vector_channels=WIDTH,
    channels=128,
    inner=256,
    double=1,
    single=1,
    guidance=True,
)
CHROMA = ChromaConfig(64, 64, WIDTH, 128, 256, 1, 1, 64, 64, 2)
RADIANCE = RadianceConfig(CHROMA, 3, 16, 8, 2, 1, 4, by_convolution=True)
FLUX2 = Flux2Config(
    in_channels=128,
    context_channels=3 * WIDTH,
    channels=128,
    inner=256,
    double=1,
    single=1,
    guidance=False,
)
CLIP = ClipTextConfig(49408, 77, WIDTH, 128, 1, 1, "quick_gelu")
T5 = T5Config(32128, WIDTH, 64, 128, 1, 2, 32, gated=True, each=False)
MISTRAL = DecoderConfig(300, WIDTH, 64, 30, 1, 1, 128, False, False, 1e-5, Rotary())
QWEN = DecoderConfig(151_700, WIDTH, 64, 28, 1, 1, 32, False, True, 1e-6, Rotary())
WIDTHS = (32, 32, 32, 32)


def files(tool: ModuleType) -> dict[str, dict[str, torch.Tensor]]:
    """The files by their paths in a folder of models."""
    small = {"quantised": False, "blocks": 1}
    with torch.device("meta"):
        denoisers = {
            "flux": Flux(FLUX),
            "fill": Flux(replace(FLUX, in_channels=384)),
            "schnell": Flux(replace(FLUX, guidance=False)),
            "canny": Flux(replace(FLUX, in_channels=128)),
            "chroma": Chroma(CHROMA),
            "radiance": Radiance(RADIANCE),
            "klein": Flux2(FLUX2),
            "flux2_dev": Flux2(replace(FLUX2, guidance=True)),
        }
        ae = AutoencoderKL(regular_autoencoder(WIDTHS, latent_channels=16, **small))
        packed = PackedAutoencoder(
            regular_autoencoder(WIDTHS, latent_channels=32, quantised=True, blocks=1)
        )
        clip, t5, qwen = ClipText(CLIP), T5Text(T5), Decoder(QWEN)
        mistral = Decoder(MISTRAL)
    found = {f"diffusion_models/{name}": made(tool, "", net) for name, net in denoisers.items()}
    standard = made(tool, "", packed)
    standard["bn.running_var"] = torch.ones(128)
    return found | {
        "text_encoders/clip_l": made(tool, "text_model.", clip),
        "text_encoders/t5": made(tool, "", t5),
        "text_encoders/mistral": made(tool, "model.", mistral) | {"tekken_model": tekken()},
        "text_encoders/qwen": made(tool, "model.", qwen),
        "vae/ae": made(tool, "", ae),
        "vae/flux2": standard,
    }
