"""Opens checkpoints: a file to a Model, a Clip and a Vae that know their weights and hold none yet.

Everything that can be wrong with a file's names and shapes is said here; tensors are read when the
weights are first used. Knows no folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import nn

from engine.errors import WeightsError
from engine.families.detect import STABLE_DIFFUSION_1, detect, detect_autoencoder
from engine.families.family import LatentFormat, ModelFamily, Part
from engine.families.sd15.family import StableDiffusion1Config
from engine.inference.values import Clip, Model, Vae
from engine.nets.pixel_space import PixelSpace
from engine.residency.carriers import Wants
from engine.residency.manager import LazyWeights, Weights
from engine.weights.apply import check, fill
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict


class MissingWeights:
    """Stands for a part that the file does not hold: an error for whoever uses it, only then.

    Attributes:
        name: the part and its file, for messages.
        size: 0.
    """

    size = 0

    def __init__(self, name: str, advice: str) -> None:
        self.name = name
        self._advice = advice

    @property
    def module(self) -> nn.Module:
        """Raises `WeightsError`."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise WeightsError(f"{self.name}: the file does not hold this part; {self._advice}")


_ADVICE: Mapping[Part, str] = {
    Part.DENOISER: "choose a checkpoint that does.",
    Part.TEXT_ENCODER: "choose a checkpoint that does, and take CLIP from there.",
    Part.AUTOENCODER: "load a VAE file with Load VAE and use that one.",
}


def load_checkpoint(path: Path, *, dtype: torch.dtype | None = None) -> tuple[Model, Clip, Vae]:
    """The three values of a single-file checkpoint. Reads names and shapes, no tensor.

    Args:
        path: a safetensors file, or a .ckpt that holds tensors only.
        dtype: to compute in; None leaves it to the residency.

    Raises:
        WeightsError: damaged, hostile or foreign, or a tensor of the denoiser, the text encoder or
            the autoencoder is missing, misshapen or too much. A part that is missing as a whole is
            an error when it is used.
    """
    weights = open_weights(path)
    family, config = detect(weights)
    latent = family.latent(config)
    return (
        Model(
            family=family,
            config=config,
            net=_part(family, config, weights, Part.DENOISER, dtype),
            latent=latent,
            parameterization=family.parameterization(config),
        ),
        Clip(family, config, _part(family, config, weights, Part.TEXT_ENCODER, dtype)),
        Vae(family, config, _part(family, config, weights, Part.AUTOENCODER, dtype), latent),
    )


def load_vae(path: Path, *, dtype: torch.dtype | None = None) -> Vae:
    """The autoencoder of a file of its own, or of a whole checkpoint. Raises like the above."""
    weights = open_weights(path)
    family, config = detect_autoencoder(weights)
    autoencoder = _part(family, config, weights, Part.AUTOENCODER, dtype)
    return Vae(family, config, autoencoder, family.latent(config))


def pixel_space_vae() -> Vae:
    """The autoencoder that changes nothing, for models that work on pixels."""
    config = StableDiffusion1Config(unet=None, autoencoder=None, text=None)
    return Vae(
        STABLE_DIFFUSION_1,
        config,
        LazyWeights("pixel space", 0, PixelSpace),
        LatentFormat(channels=3, downscale=1, scale=1.0),
    )


def _part(
    family: ModelFamily, config: Any, weights: StateDict, part: Part, dtype: torch.dtype | None
) -> Weights:
    name = f"{weights.origin}, {part.value.replace('_', ' ')}"
    tensors = family.part_weights(config, weights, part)
    if tensors is None:
        return MissingWeights(name, _ADVICE[part])
    try:
        skeleton = family.build(config, part)
    except RuntimeError as error:  # sizes that no tensor can have
        raise WeightsError(f"{name}: such a network cannot be built: {error}") from error
    check(skeleton, tensors, origin=name)
    return LazyWeights(
        name,
        tensors.nbytes,
        lambda: fill(skeleton, tensors, origin=name),
        wants=Wants(
            dtype=dtype,
            channels_last=part is Part.AUTOENCODER,
            packed=part is Part.DENOISER,
        ),
        forget=weights.forget,
    )
