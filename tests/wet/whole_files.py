"""Tiny AuraFlow and Lumina 2 of random weights, each in one file as they are published."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import torch

from engine.families.auraflow.network import AuraFlow, AuraFlowConfig
from engine.families.zimage.network import NextDiT
from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import regular_autoencoder
from engine.text.decoder_network import Decoder, DecoderConfig, Rotary
from engine.text.t5_network import T5Config, T5Text
from tests.wet.picture_checkpoints import made
from tests.wet.tokenizer_files import t5_pieces
from tests.wet.zimage_files import NEXT_DIT

WIDTH = 64
"""Of the text encoders' states."""
AURA = AuraFlowConfig(
    in_channels=16,
    context_channels=WIDTH,
    channels=512,
    inner=1536,
    double=1,
    single=1,
    registers=8,
    places=64,
)
PILE_T5 = T5Config(128, WIDTH, 64, 128, 2, 2, 32, gated=True, each=True)
LUMINA = replace(
    NEXT_DIT,
    axes=(12, 10, 10),
    period=10_000.0,
    time_scale=1.0,
    multiple=1,
    activated=True,
)
GEMMA = DecoderConfig(32_000, WIDTH, 128, 2, 1, 1, 256, False, False, 1e-6, Rotary(), gemma=True)
WIDTHS = (32, 32, 32, 64)


def aura(tool: ModuleType) -> dict[str, torch.Tensor]:
    """AuraFlow's checkpoint, without a tokenizer."""
    with torch.device("meta"):
        net, text = AuraFlow(AURA), T5Text(PILE_T5)
        autoencoder = AutoencoderKL(regular_autoencoder(WIDTHS))
    found = made(tool, "model.", net)
    found |= made(tool, "text_encoders.pile_t5xl.transformer.", text)
    return found | made(tool, "vae.", autoencoder)


def lumina(tool: ModuleType) -> dict[str, torch.Tensor]:
    """Lumina 2's checkpoint, with the tokenizer in it."""
    with torch.device("meta"):
        net, text = NextDiT(LUMINA), Decoder(GEMMA)
        autoencoder = AutoencoderKL(
            regular_autoencoder(WIDTHS, latent_channels=16, quantised=False)
        )
    found = made(tool, "model.diffusion_model.", net)
    found |= made(tool, "text_encoders.gemma2_2b.transformer.model.", text)
    found["text_encoders.spiece_model"] = t5_pieces()
    return found | made(tool, "first_stage_model.", autoencoder)
