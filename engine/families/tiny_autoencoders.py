"""Tiny autoencoders as a kind, and the releases whose latents they share.

Their files do not say which autoencoder they stand for; the names that users give them do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from engine.errors import WeightsError
from engine.families.latent_format import LatentFormat
from engine.nets.tiny_autoencoder import (
    DECODER,
    ENCODER,
    SCALE,
    SHIFT,
    TinyAutoencoder,
    TinyAutoencoderConfig,
    tiny_autoencoder_config,
)
from engine.weights.state_dict import StateDict

HALVES = (f"{ENCODER}.", f"{DECODER}.")
"""The prefixes of both halves in one file, which then has `SCALE` and `SHIFT`."""
_DIFFUSERS = re.compile(r"(encoder|decoder)\.layers\.(\d{1,3})\.(.+)")


@dataclass(frozen=True, slots=True)
class Release:
    """The autoencoder that a tiny one of this name stands for: its scale and shift of latents."""

    scale: float
    shift: float = 0.0


RELEASES: Mapping[str, Release] = MappingProxyType(
    {
        "taesd": Release(0.18215),
        "taesdxl": Release(0.13025),
        "taesd3": Release(1.5305, 0.0609),
        "taef1": Release(0.3611, 0.1159),
    }
)
"""By the name in the files `NAME_encoder`, `NAME_decoder`: those of SD1 and SD2, SDXL, SD3 and
FLUX.1 (https://github.com/madebyollin/taesd, https://github.com/madebyollin/taesdxl ...)."""


class TinyAutoencoderKind:
    """See `engine.families.autoencoders.AutoencoderKind`."""

    name = "tiny autoencoder (TAESD)"

    def detect(self, weights: StateDict) -> TinyAutoencoderConfig | None:
        """The configuration of a file with both halves and the scale of its latents."""
        if not all(any(name.startswith(half) for name in weights) for half in HALVES):
            return None
        scale, shift = (_number(weights, name) for name in (SCALE, SHIFT))
        halves = weights.rename(lambda name: name if name.startswith(HALVES) else None)
        return tiny_autoencoder_config(halves.refuse_empty().shapes, scale=scale, shift=shift)

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        halves = weights.rename(lambda name: name if name.startswith(HALVES) else None)
        return _with_scale(halves, _number(weights, SCALE), _number(weights, SHIFT))

    def build(self, config: TinyAutoencoderConfig) -> nn.Module:
        """See `AutoencoderKind`."""
        with torch.device("meta"):
            return TinyAutoencoder(config)

    def latent(self, config: TinyAutoencoderConfig) -> LatentFormat:
        """A format with two axes."""
        return LatentFormat(config.latent_channels, (config.downscale, config.downscale))

    def dtypes(self, config: TinyAutoencoderConfig) -> Sequence[torch.dtype]:
        """Any: there is nothing in them that could overflow."""
        del config
        return ()

    def activation_bytes(
        self, config: TinyAutoencoderConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Four tensors of the widest layer at full size: input, result and two between them."""
        pixels = shape[0] * shape[-1] * shape[-2] * config.downscale**2
        return 4 * pixels * config.width * dtype_bytes


def find_tiny(name: str, files: Sequence[StateDict]) -> tuple[TinyAutoencoderConfig, StateDict]:
    """The tiny autoencoder of that name in its files: one or two halves, or diffusers' one file.

    Args:
        name: of `RELEASES`.
        files: those that are there.

    Raises:
        WeightsError: they hold something else or are incomplete; it names the file.
    """
    release = RELEASES[name]
    merged: dict[str, Any] = {}
    for weights in files:
        part = _named(weights)
        if not len(part):
            raise WeightsError(
                f"{weights.origin}: not a tiny autoencoder (TAESD): expected tensors named "
                "1.weight, 3.conv.0.weight ..., or decoder.layers.0.weight ..."
            )
        merged.update(part.entries)
    origin = " and ".join(weights.origin for weights in files)
    try:
        tensors = replace(files[0], entries=merged).refuse_empty()
        config = tiny_autoencoder_config(tensors.shapes, scale=release.scale, shift=release.shift)
    except WeightsError as error:
        raise WeightsError(f"{origin}: {error}") from error
    return config, _with_scale(tensors, release.scale, release.shift)


def _with_scale(halves: StateDict, scale: float, shift: float) -> StateDict:
    numbers = StateDict.of({SCALE: torch.tensor(scale), SHIFT: torch.tensor(shift)})
    return replace(halves, entries={**halves.entries, **numbers.entries})


def _named(weights: StateDict) -> StateDict:
    """Tensors under the module's names, from the layout of the original files or diffusers'."""
    if any(_DIFFUSERS.fullmatch(name) for name in weights):
        return weights.rename(_from_diffusers)
    half = ENCODER if "0.weight" in weights else DECODER
    return weights.rename(lambda name: f"{half}.{name}" if name[:1].isdecimal() else None)


def _from_diffusers(name: str) -> str | None:
    """Diffusers numbers the decoder without its clamp, which has no weights."""
    found = _DIFFUSERS.fullmatch(name)
    if found is None:
        return None
    half, number, rest = found.groups()
    if half == "decoder":
        return f"{DECODER}.{int(number) + 1}.{rest}"
    return f"{ENCODER}.{number}.{rest}"


def _number(weights: StateDict, name: str) -> float:
    shape = weights.shape(name)
    if shape is None or shape not in ((), (1,)):
        found = "no such tensor" if shape is None else f"the shape {list(shape)}"
        raise WeightsError(
            f"not a complete tiny autoencoder: {name} should be one number, found {found}"
        )
    number = float(weights[name].float().reshape(()))
    if not (-1e4 < number < 1e4) or (name == SCALE and number <= 0.0):
        raise WeightsError(f"its {name} is {number:g}, which cannot scale latents")
    return number
