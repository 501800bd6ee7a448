"""Tiny checkpoints of random weights of models that take an encoded picture, in their layouts."""

from __future__ import annotations

from types import ModuleType

import torch
from torch import nn

from engine.families.zero123.family import Zero123, Zero123Config
from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import regular_autoencoder, regular_unet
from engine.nets.unet import UNet
from engine.vision.clip_network import ClipVision, ClipVisionConfig
from tests.wet.conftest import vision_of_open_clip

WIDTH = 48
"""Of the vector of a picture."""
EYE = ClipVisionConfig(28, 7, 64, 128, 3, 1, "quick_gelu", WIDTH)
UNCLIP = regular_unet(64, (1, 2), (1, 0), context=64, blocks=1, linear=True, vector=2 * WIDTH)
ZERO123 = Zero123Config(
    regular_unet(32, (1, 2), (1, 0), context=WIDTH, heads=8, blocks=1, in_channels=8)
)
VIDEO = regular_unet(
    64,
    (1, 2),
    (1, 0),
    context=WIDTH,
    blocks=1,
    in_channels=8,
    linear=True,
    vector=768,
    temporal=True,
)
AUTOENCODER = regular_autoencoder((32, 32, 32, 64))
VIDEO_AUTOENCODER = regular_autoencoder((32, 32, 32, 64), quantised=False, temporal=True)
UNET, FIRST_STAGE = "model.diffusion_model.", "first_stage_model."


def unclip(tool: ModuleType) -> dict[str, torch.Tensor]:
    """With CLIP H's text encoder in 64 channels."""
    found = tool.tensors(tool.SMALL_2, torch.float16)
    found = {name: value for name, value in found.items() if not name.startswith(UNET)}
    return found | made(tool, UNET, UNet(UNCLIP)) | eye(tool, "embedder.model.visual.")


def zero123(tool: ModuleType) -> dict[str, torch.Tensor]:
    """Without a text encoder."""
    net = made(tool, "", Zero123(ZERO123))
    own = "cc_projection."
    found = {name if name.startswith(own) else UNET + name: net[name] for name in net}
    found |= made(tool, FIRST_STAGE, AutoencoderKL(AUTOENCODER))
    return found | eye(tool, "cond_stage_model.model.visual.")


def video(tool: ModuleType) -> dict[str, torch.Tensor]:
    """With a temporal autoencoder."""
    found = made(tool, UNET, UNet(VIDEO))
    found |= made(tool, FIRST_STAGE, AutoencoderKL(VIDEO_AUTOENCODER))
    return found | eye(tool, "conditioner.embedders.0.open_clip.model.visual.")


def eye(tool: ModuleType, prefix: str, config: ClipVisionConfig = EYE) -> dict[str, torch.Tensor]:
    """An image encoder in OpenCLIP's layout."""
    module = ClipVision(config)
    module.load_state_dict(made(tool, "", module))
    named = vision_of_open_clip(module)
    return {prefix + name: value.clone().half() for name, value in named.items()}


def made(tool: ModuleType, prefix: str, module: nn.Module) -> dict[str, torch.Tensor]:
    """Random tensors for a module, in fp16."""
    return {
        prefix + name: tool.value(prefix + name, tuple(tensor.shape)).half()
        for name, tensor in module.state_dict().items()
    }
