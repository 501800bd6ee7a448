"""The kinds of autoencoders, recognised by structure, independent of the family.

A kind builds a module from a separate file or from the part of a checkpoint. The family defines the
scaling that its denoiser needs (`LatentFormat`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from engine.families.hunyuan_image_autoencoder import HunyuanImageAutoencoderKind
from engine.families.hunyuan_video15_autoencoder import HunyuanVideo15AutoencoderKind
from engine.families.hunyuan_video_autoencoder import HunyuanVideoAutoencoderKind
from engine.families.latent_format import LatentFormat
from engine.families.ltx_autoencoder import LtxAutoencoderKind
from engine.families.residual_autoencoder import ResidualAutoencoderKind
from engine.families.tiny_autoencoders import TinyAutoencoderKind
from engine.families.vq_autoencoders import VqAutoencoder
from engine.families.wan22_autoencoder import Wan22AutoencoderKind
from engine.families.wan_autoencoder import WanAutoencoderKind
from engine.nets import autoencoder_kl_keys, autoencoder_packed
from engine.nets.autoencoder_kl import AutoencoderConfig, AutoencoderKL, autoencoder_config
from engine.weights.state_dict import StateDict

PREFIXES = ("first_stage_model.", "vae.", "")
"""Prefixes under which a file may hold an autoencoder."""


class AutoencoderKind(Protocol):
    """One kind of autoencoder. `Config` is its own type, opaque to callers."""

    @property
    def name(self) -> str:
        """The name shown to users."""
        ...

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration from shapes, or None. Raises `WeightsError` for incomplete ones."""
        ...

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The module on the meta device."""
        ...

    def latent(self, config: Any) -> LatentFormat:
        """The format of its unscaled latents: channels and cells."""
        ...

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """The dtypes it can be computed in, best first; empty: any."""
        ...

    def activation_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """An upper estimate of the memory that a call on latents needs beside the weights."""
        ...


class KlAutoencoder:
    """The convolutional autoencoder of the Stable Diffusion line, after Rombach et al. 2022."""

    name = "KL autoencoder"

    def detect(self, weights: StateDict) -> AutoencoderConfig | None:
        """The configuration of any that maps pictures, in the original or diffusers' layout."""
        found = autoencoder_kl_keys.tensors(weights)
        return autoencoder_config(found.shapes) if found else None

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = autoencoder_kl_keys.tensors(weights)
        if found is None:
            raise ValueError("these are no KL autoencoder's tensors")
        return found

    def build(self, config: AutoencoderConfig) -> nn.Module:
        """See `AutoencoderKind`."""
        with torch.device("meta"):
            return AutoencoderKL(config)

    def latent(self, config: AutoencoderConfig) -> LatentFormat:
        """A format with two axes; with a temporal decoder the rows are frames."""
        return LatentFormat(
            config.latent_channels,
            (config.downscale, config.downscale),
            rows_are_frames=config.temporal,
        )

    def dtypes(self, config: AutoencoderConfig) -> Sequence[torch.dtype]:
        """Not fp16: activations of released ones overflow it, and pictures become black.

        https://huggingface.co/madebyollin/sdxl-vae-fp16-fix was made for fp16.
        """
        del config
        return (torch.bfloat16, torch.float32)

    def activation_bytes(
        self, config: AutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """A multiple of the widest tensor at full size: measured in bf16 on a CPU, 3 to 5."""
        # Decoders may be narrower than the encoder, as FLUX.2's small one.
        ends = (config.decoder[0], config.encoder[0])
        widest = max(width for end in ends for width in (end.channels_in, end.channels_out))
        pixels = shape[0] * shape[-1] * shape[-2] * config.downscale**2
        return 6 * pixels * widest * dtype_bytes


class PackedKlAutoencoder(KlAutoencoder):
    """The autoencoder of FLUX.2, see `engine.nets.autoencoder_packed`."""

    name = "packed KL autoencoder"

    def detect(self, weights: StateDict) -> AutoencoderConfig | None:
        """The configuration of one with the statistics of its latents."""
        found = autoencoder_packed.tensors(weights)
        return autoencoder_config(found.shapes) if found else None

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        found = autoencoder_packed.tensors(weights)
        if found is None:
            raise ValueError("these are no packed autoencoder's tensors")
        return found

    def build(self, config: AutoencoderConfig) -> nn.Module:
        """See `AutoencoderKind`."""
        with torch.device("meta"):
            return autoencoder_packed.PackedAutoencoder(config)

    def latent(self, config: AutoencoderConfig) -> LatentFormat:
        """Four channels for each of the network's, in cells of twice its size."""
        side = config.downscale * autoencoder_packed.PACK
        return LatentFormat(config.latent_channels * autoencoder_packed.PACK**2, (side, side))

    def activation_bytes(
        self, config: AutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """As the plain one."""
        unpacked = (*shape[:-2], *(side * autoencoder_packed.PACK for side in shape[-2:]))
        return super().activation_bytes(config, unpacked, dtype_bytes)


KINDS: tuple[AutoencoderKind, ...] = (
    # before the KL autoencoder, some of whose names they have in diffusers' layout
    ResidualAutoencoderKind(),
    LtxAutoencoderKind(),
    HunyuanVideoAutoencoderKind(),
    HunyuanVideo15AutoencoderKind(),
    HunyuanImageAutoencoderKind(),
    Wan22AutoencoderKind(),
    WanAutoencoderKind(),
    VqAutoencoder(),
    PackedKlAutoencoder(),
    KlAutoencoder(),
    TinyAutoencoderKind(),
)


@dataclass(frozen=True, slots=True)
class FoundAutoencoder:
    """An autoencoder in a file: its kind, its configuration, its tensors under the kind's names."""

    kind: AutoencoderKind
    config: Any
    tensors: StateDict


def find_autoencoder(weights: StateDict) -> FoundAutoencoder | None:
    """The autoencoder in a separate file or in a checkpoint; None without one.

    Raises `WeightsError` if there is an incomplete one.
    """
    for prefix in PREFIXES:
        part = weights.part(prefix) if prefix else weights
        for kind in KINDS:
            config = kind.detect(part)
            if config is not None:
                return FoundAutoencoder(kind, config, kind.tensors(part))
    return None


def within(weights: StateDict) -> StateDict | None:
    """The tensors of a checkpoint's autoencoder; None without any."""
    parts = (weights.part(prefix) for prefix in PREFIXES if prefix)
    return next((part for part in parts if len(part)), None)


def downscale(weights: StateDict) -> int:
    """Pixels per cell of the autoencoder among these tensors; 8 where none is recognised."""
    found = find_autoencoder(weights)
    return found.kind.latent(found.config).pixels if found else 8
