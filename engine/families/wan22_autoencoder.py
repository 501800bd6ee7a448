"""Wan 2.2's autoencoder of 48 channels as a kind, with the network of diffusers.

Pictures are folded to a half of their sides first, so a cell is 16 x 16 pixels; residual blocks
have shortcuts that average or repeat. Only the denoiser of 5 billion takes its latents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from engine.errors import WeightsError
from engine.families.latent_format import LatentFormat
from engine.nets import foreign_networks
from engine.nets.diffusers_classes import network_class
from engine.nets.foreign_autoencoder import ForeignAutoencoder
from engine.weights.state_dict import StateDict

MEAN = (
    *(-0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557),
    *(-0.1382, 0.0542, 0.2813, 0.0891, 0.1570, -0.0098, 0.0375, -0.1825),
    *(-0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502),
    *(-0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.1230),
    *(-0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520, 0.3748),
    *(0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667),
)
DEVIATION = (
    *(0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013),
    *(0.8158, 1.0344, 0.5894, 1.0901, 0.6885, 0.6165, 0.8454, 0.4978),
    *(0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659),
    *(0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093),
    *(0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887),
    *(0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744),
)
"""Of its latents by channel: `vae2_2.py` of https://github.com/Wan-Video/Wan2.2 (Apache-2.0)."""
LATENT = LatentFormat(
    channels=48,
    downscale=(4, 16, 16),
    scale=tuple(1 / each for each in DEVIATION),
    shift=MEAN,
    causal_frames=True,
    keeps_clean=True,
)
"""What the denoiser of Wan 2.2 5B takes."""
MARK = "decoder.upsamples.0.upsamples.0.residual.2.weight"
CLASS_MARK = "decoder.up_blocks.0.upsampler.resample.1.weight"
"""A tensor in the original layout, and one under the class's names."""
PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
FOLD = 2
"""Pixels along a side that are folded into channels."""
BLOCKS = ("WanResidualBlock",)
INSIDE = "network."
WIDE_TENSORS_OF_A_FRAME = 12
WIDE_TENSORS_OF_FOUR_FRAMES = 60
"""As `engine.families.wan_autoencoder`; measured at the folded size."""
_PART = r"samples\.(\d+)\.\w+samples\.(\d+)\."
_SIZE = "resample|time_conv"
_NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^conv1\.", "quant_conv."),
        (r"^conv2\.", "post_quant_conv."),
        (rf"\.down{_PART}(?={_SIZE})", r".down_blocks.\1.downsampler."),
        (rf"\.up{_PART}(?={_SIZE})", r".up_blocks.\1.upsampler."),
        (rf"\.down{_PART}", r".down_blocks.\1.resnets.\2."),
        (rf"\.up{_PART}", r".up_blocks.\1.resnets.\2."),
        (r"\.middle\.0\.", ".mid_block.resnets.0."),
        (r"\.middle\.1\.", ".mid_block.attentions.0."),
        (r"\.middle\.2\.", ".mid_block.resnets.1."),
        (r"coder\.conv1\.", "coder.conv_in."),
        (r"\.head\.0\.", ".norm_out."),
        (r"\.head\.2\.", ".conv_out."),
        (r"\.residual\.0\.", ".norm1."),
        (r"\.residual\.2\.", ".conv1."),
        (r"\.residual\.3\.", ".norm2."),
        (r"\.residual\.6\.", ".conv2."),
        (r"\.shortcut\.", ".conv_shortcut."),
    )
)


@dataclass(frozen=True, slots=True)
class Wan22AutoencoderConfig:
    """The sizes.

    Attributes:
        latent_channels: of a latent.
        encoder, decoder: channels of their first and of their last level.
        levels: channels of each level, in multiples of the first one.
        blocks: of a level of the encoder.
        times: whether a level of the encoder, but the last, halves the number of frames.
    """

    latent_channels: int
    encoder: int
    decoder: int
    levels: tuple[int, ...]
    blocks: int
    times: tuple[bool, ...]

    @property
    def pixel_channels(self) -> int:
        """Of a picture."""
        return 3

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along one side."""
        return FOLD * 2 ** len(self.times)

    @property
    def frames(self) -> int:
        """Frames of every latent but the first."""
        return 2 ** sum(self.times)


class Wan22AutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "Wan 2.2 autoencoder (via diffusers)"

    def detect(self, weights: StateDict) -> Wan22AutoencoderConfig | None:
        """The configuration, in the original or diffusers' layout."""
        found = _tensors(weights)
        return None if found is None else _configured(found)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = _tensors(weights)
        if found is None:
            raise ValueError("these are no tensors of Wan 2.2's autoencoder")
        return found.rename(lambda name: f"{INSIDE}{name}")

    def build(self, config: Wan22AutoencoderConfig) -> nn.Module:
        """The module, with its parameters on the meta device.

        Raises:
            WeightsError: diffusers is not installed, or has no such class.
        """
        made = network_class("AutoencoderKLWan", self.name)
        return ForeignAutoencoder(
            foreign_networks.built(
                lambda: made(
                    base_dim=config.encoder,
                    decoder_base_dim=config.decoder,
                    z_dim=config.latent_channels,
                    dim_mult=list(config.levels),
                    num_res_blocks=config.blocks,
                    attn_scales=[],
                    temperal_downsample=list(config.times),
                    in_channels=config.pixel_channels * FOLD**2,
                    out_channels=config.pixel_channels * FOLD**2,
                    patch_size=FOLD,
                    scale_factor_temporal=config.frames,
                    scale_factor_spatial=config.downscale,
                    is_residual=True,
                )
            ),
            BLOCKS,
        )

    def latent(self, config: Wan22AutoencoderConfig) -> LatentFormat:
        """A format with three axes, whose first cell of time is a single frame."""
        side = config.downscale
        return LatentFormat(config.latent_channels, (config.frames, side, side), causal_frames=True)

    def dtypes(self, config: Wan22AutoencoderConfig) -> Sequence[torch.dtype]:
        """As Wan 2.1's."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def activation_bytes(
        self, config: Wan22AutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """A multiple of the widest tensor at the folded size, and all frames."""
        batch, _, cells, rows, columns = shape
        pixels = batch * rows * columns * config.downscale**2
        width = 2 * max(config.encoder, config.decoder)
        alive = WIDE_TENSORS_OF_A_FRAME if cells == 1 else WIDE_TENSORS_OF_FOUR_FRAMES
        frames = 3 * config.pixel_channels * (1 + (cells - 1) * config.frames)
        return (pixels // FOLD**2 * alive * width + pixels * frames) * dtype_bytes


def _tensors(weights: StateDict) -> StateDict | None:
    if CLASS_MARK in weights:
        found = weights
    elif MARK in weights:
        found = weights.rename(class_name)
    else:
        return None
    return found.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()


def class_name(name: str) -> str:
    """The class's name of a tensor in the original layout."""
    for pattern, other in _NAMES:
        name = pattern.sub(other, name)
    return name


def _configured(found: StateDict) -> Wan22AutoencoderConfig:
    def channels(name: str) -> int:
        shape = found.shape(name)
        if shape is None or len(shape) != 5:
            raise WeightsError(
                f"not a complete autoencoder of Wan 2.2: {name} should have five axes, found "
                f"{'no such tensor' if shape is None else list(shape)}"
            )
        return shape[0]

    first = channels("encoder.conv_in.weight")
    count = 0
    widths: list[int] = []
    while f"encoder.down_blocks.{count}.resnets.0.conv1.weight" in found and count < 10:
        widths.append(channels(f"encoder.down_blocks.{count}.resnets.0.conv1.weight"))
        count += 1
    start, blocks = "encoder.down_blocks.0.resnets.", 0
    while f"{start}{blocks}.conv1.weight" in found and blocks < 100:
        blocks += 1
    if not widths or any(width % first for width in widths):
        raise WeightsError(
            f"not an autoencoder of Wan 2.2 that works: its levels have {widths} channels, "
            f"expected multiples of {first}"
        )
    time = "encoder.down_blocks.{}.downsampler.time_conv.weight"
    last = f"decoder.up_blocks.{count - 1}.resnets.0.conv2.weight"
    return Wan22AutoencoderConfig(
        latent_channels=channels("post_quant_conv.weight"),
        encoder=first,
        decoder=channels(last),
        levels=tuple(width // first for width in widths),
        blocks=blocks,
        times=tuple(time.format(level) in found for level in range(count - 1)),
    )
