"""A tiny Stable Diffusion 3.5 medium of random weights: one file with all three encoders."""

from __future__ import annotations

from types import ModuleType

import torch

from engine.adapters.rows import Rows
from engine.families.sd3.keys import diffusers_names
from engine.families.sd3.network import MMDiT, MMDiTConfig
from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import regular_autoencoder
from engine.text.clip_network import ClipText, ClipTextConfig
from engine.text.t5_network import T5Config, T5Text
from tests.wet.picture_checkpoints import made

CLIP = 64
"""The width of both CLIP encoders; side by side they are as wide as T5."""
MMDIT = MMDiTConfig(
    width=128,
    depth=2,
    head=64,
    feed_forward=256,
    channels=16,
    context=2 * CLIP,
    vector=2 * CLIP,
    positions=32,
    norms=True,
    attend_twice=frozenset({0}),
)
AUTOENCODER = regular_autoencoder((32, 32, 32, 64), latent_channels=16, quantised=False)
CLIP_L = ClipTextConfig(49408, 77, CLIP, 128, 2, 1, "quick_gelu")
CLIP_G = ClipTextConfig(49408, 77, CLIP, 128, 2, 1, "gelu", CLIP)
T5 = T5Config(32128, 2 * CLIP, 128, 256, 1, 2, 32, gated=True, each=False)


def denoiser(tool: ModuleType) -> dict[str, torch.Tensor]:
    """The denoiser alone, without a prefix."""
    with torch.device("meta"):
        net = MMDiT(MMDIT)
    return made(tool, "", net)


def whole(tool: ModuleType) -> dict[str, torch.Tensor]:
    """The checkpoint, fp16."""
    with torch.device("meta"):
        parts = {
            "first_stage_model.": AutoencoderKL(AUTOENCODER),
            "text_encoders.clip_l.transformer.text_model.": ClipText(CLIP_L),
            "text_encoders.clip_g.transformer.text_model.": ClipText(CLIP_G),
            "text_encoders.t5xxl.transformer.": T5Text(T5),
        }
    found = {f"model.diffusion_model.{name}": value for name, value in denoiser(tool).items()}
    for prefix, module in parts.items():
        found |= made(tool, prefix, module)
    return found


def in_diffusers_layout(tool: ModuleType) -> dict[str, torch.Tensor]:
    """The denoiser alone under diffusers' names, which store projections apart."""
    found = denoiser(tool)
    named = {"pos_embed.pos_embed": found.pop("pos_embed")}
    for theirs, ours in diffusers_names(MMDIT.depth, MMDIT.width).items():
        module = ours.module if isinstance(ours, Rows) else ours
        for kind in ("weight", "bias"):
            value = found.get(f"{module}.{kind}")
            if value is None:
                continue
            if isinstance(ours, Rows):
                value = value[ours.start : ours.stop]
                value = torch.cat(value.chunk(2)[::-1]) if ours.swapped else value
            named[f"{theirs}.{kind}"] = value.clone()
    return named
