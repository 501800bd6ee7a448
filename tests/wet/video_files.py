"""Tiny files of random weights for LTX-Video and HunyuanVideo (1 and 1.5), diffusers' classes."""

from __future__ import annotations

import json
from typing import Any

import diffusers
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn

from engine.families.detect import detect_autoencoder
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphs, HunyuanGlyphsConfig
from engine.families.hunyuan_video.network import HunyuanVideo, HunyuanVideoConfig
from engine.text.clip_network import ClipText, ClipTextConfig
from engine.text.decoder_network import Decoder, DecoderConfig, Rotary
from engine.text.t5_network import T5Config, T5Text
from engine.vision.siglip import Siglip, SiglipConfig
from engine.weights.state_dict import StateDict
from tests.wet import bridge_files, wan_files

WIDTH = 64
"""Of the text encoders' states."""
T5 = T5Config(32128, WIDTH, 64, 128, 1, 2, 32, gated=True, each=False)
CLIP = ClipTextConfig(49408, 77, WIDTH, 128, 1, 1, "quick_gelu")
LLAMA = DecoderConfig(128_300, WIDTH, 64, 32, 1, 1, 128, False, False, 1e-5, Rotary())
HUNYUAN_VIDEO = HunyuanVideoConfig(
    16, 16, WIDTH, WIDTH, channels=128, inner=256, double=1, single=1, refiner=1, guidance=True
)
HUNYUAN15 = HunyuanGlyphsConfig(
    HunyuanVideoConfig(65, 32, WIDTH, 0, 128, 256, 1, 0, 1, guidance=False),
    axes=(16, 56, 56),
    glyph_channels=WIDTH,
    glyph_inner=64,
    seen_channels=WIDTH,
    kinds=True,
)
HUNYUAN_IMAGE = HunyuanGlyphsConfig(
    HunyuanVideoConfig(64, 64, WIDTH, 0, 128, 256, 1, 1, 1, guidance=True),
    axes=(64, 64),
    glyph_channels=WIDTH,
    glyph_inner=64,
    flow_map=True,
)
QWEN25 = DecoderConfig(151_700, WIDTH, 64, 3, 1, 1, 128, True, False, 1e-6, Rotary())
BYT5 = T5Config(1510, WIDTH, 64, 128, 1, 2, 32, gated=True, each=False)
SIGLIP = SiglipConfig(side=28, patch=7, channels=WIDTH, feed_forward=96, layers=2, heads=1)
SINCE_095 = {"config": json.dumps({"transformer": {"causal_temporal_positioning": True}})}
"""The metadata that is read of LTX-Video's files."""
TIMED: dict[str, Any] = {
    "decoder_block_out_channels": (16, 32, 64),
    "decoder_layers_per_block": (1, 2, 1, 2),
    "decoder_spatio_temporal_scaling": (True, True, True),
    "upsample_residual": (True, True, True),
    "upsample_factor": (2, 2, 2),
    "timestep_conditioning": True,
}
LTX: dict[str, dict[str, Any]] = {
    "0.9": {
        "block_out_channels": (8, 16, 32, 32),
        "decoder_block_out_channels": (8, 16, 32, 32),
        "layers_per_block": (2, 1, 1, 1, 2),
        "decoder_layers_per_block": (2, 1, 1, 1, 2),
    },
    "0.9.1": {
        "block_out_channels": (8, 16, 32, 32),
        "layers_per_block": (2, 1, 1, 1, 2),
        "decoder_inject_noise": (True, True, True, False),
        **TIMED,
    },
    "0.9.5": {
        "block_out_channels": (8, 16, 32, 64, 128),
        "down_block_types": ("LTXVideo095DownBlock3D",) * 4,
        "layers_per_block": (1, 2, 1, 1, 2),
        "downsample_type": ("spatial", "temporal", "spatiotemporal", "spatiotemporal"),
        "spatio_temporal_scaling": (True, True, True, True),
        "decoder_inject_noise": (False, False, False, False),
        **TIMED,
    },
}
HUNYUAN: dict[str, Any] = {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 1}


def filled(net: nn.Module) -> nn.Module:
    """The network with random values."""
    generator = torch.Generator().manual_seed(3)
    values = {}
    for name, tensor in net.state_dict().items():
        drawn = torch.randn(tensor.shape, generator=generator)
        if name.endswith("multiplier"):
            values[name] = torch.tensor(1000.0)
        elif name == "latents_std" or ("norm" in name and name.endswith(("weight", "gamma"))):
            values[name] = 1 + 0.1 * drawn
        elif tensor.ndim < 2 or "table" in name or "per_channel" in name:
            values[name] = 0.1 * drawn
        else:
            values[name] = drawn * tensor[0].numel() ** -0.5
    net.load_state_dict(values)
    return net.eval()


def ltx(version: str, latent_channels: int = 12) -> nn.Module:
    """LTX-Video's autoencoder of a release."""
    made = diffusers.AutoencoderKLLTXVideo(latent_channels=latent_channels, **LTX[version])
    return filled(made)


def original(net: nn.Module) -> dict[str, Tensor]:
    """The tensors under the names of released files, below `vae.`."""
    found = detect_autoencoder(StateDict.of(dict(net.state_dict())))
    return {f"vae.{name}": found.tensors[name].clone() for name in found.tensors}


def hunyuan() -> nn.Module:
    """HunyuanVideo's autoencoder."""
    net = diffusers.AutoencoderKLHunyuanVideo(
        **HUNYUAN,
        down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
    )
    return filled(net)


def hunyuan15() -> nn.Module:
    """HunyuanVideo 1.5's autoencoder."""
    levels = (16, 16, 32, 64, 64)
    return filled(
        diffusers.AutoencoderKLHunyuanVideo15(block_out_channels=levels, layers_per_block=1)
    )


def hunyuan15_original(net: nn.Module) -> dict[str, Tensor]:
    """Its tensors under the names of the original files, after diffusers' script of conversion."""
    found: dict[str, Tensor] = {}
    for key, each in net.state_dict().items():
        name = key
        for theirs, ours in (
            ("mid_block.resnets.0.", "mid.block_1."),
            ("mid_block.resnets.1.", "mid.block_2."),
            ("mid_block.attentions.0.to_", "mid.attn_1."),
            ("mid_block.attentions.0.", "mid.attn_1."),
            ("down_blocks.", "down."),
            ("up_blocks.", "up."),
            (".resnets.", ".block."),
            ("downsamplers.0.", "downsample."),
            ("upsamplers.0.", "upsample."),
        ):
            name = name.replace(theirs, ours)
        found[name] = each.clone()
    return found


def hunyuan_image() -> nn.Module:
    """HunyuanImage 2.1's autoencoder."""
    net = diffusers.AutoencoderKLHunyuanImage(
        in_channels=3,
        out_channels=3,
        latent_channels=64,
        block_out_channels=(32, 32, 32, 32, 32, 128),
        layers_per_block=1,
        spatial_compression_ratio=32,
        sample_size=384,
    )
    return filled(net)


def hunyuan_image_original(net: nn.Module) -> dict[str, Tensor]:
    """Its tensors under the names of the original files, after diffusers' script of conversion."""
    found: dict[str, Tensor] = {}
    for key, each in net.state_dict().items():
        name = key
        for theirs, ours in (
            ("mid_block.resnets.0.", "mid.block_1."),
            ("mid_block.resnets.1.", "mid.block_2."),
            ("mid_block.attentions.0.to_", "mid.attn_1."),
            ("mid_block.attentions.0.proj.", "mid.attn_1.proj_out."),
            ("mid_block.attentions.0.", "mid.attn_1."),
        ):
            name = name.replace(theirs, ours)
        side, blocks, *rest = name.split(".")
        if blocks in ("down_blocks", "up_blocks"):
            size = 2 if blocks == "down_blocks" else 3
            level, place = divmod(int(rest[0]), size)
            is_size = rest[1] == "conv"
            middle = f"{'down' if size == 2 else 'up'}sample" if is_size else f"block.{place}"
            name = ".".join((side, blocks.removesuffix("_blocks"), str(level), middle, *rest[1:]))
        found[name] = each.clone()
    return found


def ltx_checkpoint() -> dict[str, Tensor]:
    """LTX-Video 0.9.5 with its autoencoder, as one file."""
    net = diffusers.LTXVideoTransformer3DModel(**bridge_files.LTXV | {"caption_channels": WIDTH})
    named = bridge_files.original("ltxv", dict(filled(net).state_dict()))
    whole = {bridge_files.PREFIX + name: each.half() for name, each in named.items()}
    return whole | {name: each.half() for name, each in original(ltx("0.9.5", 128)).items()}


def files() -> dict[str, dict[str, Tensor]]:
    """The files by their paths in a folder of models, but for `ltx_checkpoint`."""
    clip = wan_files.filled(lambda: ClipText(CLIP), 1)
    llama = wan_files.filled(lambda: Decoder(LLAMA), 2)
    vae = {name: each.half() for name, each in hunyuan().state_dict().items()}
    qwen = wan_files.filled(lambda: Decoder(QWEN25), 5)
    return {
        "text_encoders/qwen25": {f"model.{name}": each for name, each in qwen.items()},
        "text_encoders/byt5": wan_files.filled(lambda: T5Text(BYT5), 6),
        "clip_vision/siglip": wan_files.filled(lambda: Siglip(SIGLIP), 7),
        "diffusion_models/hunyuan15": wan_files.filled(lambda: HunyuanGlyphs(HUNYUAN15), 8),
        "diffusion_models/hunyuan_image": wan_files.filled(lambda: HunyuanGlyphs(HUNYUAN_IMAGE), 9),
        "vae/hunyuan_image_vae": {
            name: each.half() for name, each in hunyuan_image_original(hunyuan_image()).items()
        },
        "vae/hunyuan15_vae": {
            name: each.half() for name, each in hunyuan15_original(hunyuan15()).items()
        },
        "text_encoders/t5": wan_files.filled(lambda: T5Text(T5), 3),
        "text_encoders/clip_l": {f"text_model.{name}": each for name, each in clip.items()},
        "text_encoders/llama": {f"model.{name}": each for name, each in llama.items()},
        "diffusion_models/hunyuan": wan_files.filled(lambda: HunyuanVideo(HUNYUAN_VIDEO), 4),
        "vae/hunyuan_vae": vae,
    }


def tokenizer() -> Tokenizer:
    """A tokenizer of single bytes, in the place of Llama's."""
    words = {word: number for number, word in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    made = Tokenizer(models.BPE(words, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made
