"""Image encoders as values on wires: opened from files, applied to pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.detect import detect_image_encoder
from engine.inference.load import TAKE_VISION, checkpoint_of, module_weights
from engine.inference.values import Clip, Model, Vae
from engine.residency.carriers import Wants
from engine.residency.handles import MissingWeights, Weights
from engine.residency.manager import current
from engine.vision.clip import ClipImageEncoder
from engine.vision.detect import FoundImageEncoder, find_image_encoder
from engine.vision.encoder import ImageEncoder
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict

AT_ONCE = 16
"""Pictures that are encoded in one call."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipVisionOutput:
    """What an image encoder found in pictures, float32 on the CPU; CLIP_VISION_OUTPUT.

    The names of fields are the incumbent's, and can be used as keys too.

    Attributes:
        last_hidden_state: [B, T, D], output of the last layer; SigLIP's is normalised.
        image_embeds: [B, P], the vector of each picture, which CLIP projects.
        penultimate_hidden_states: [B, T, D], output of the layer before the last.
    """

    last_hidden_state: Tensor
    image_embeds: Tensor
    penultimate_hidden_states: Tensor

    def __getitem__(self, name: str) -> Tensor:
        if name not in {field.name for field in fields(self)}:
            raise KeyError(name)
        return getattr(self, name)


@dataclass(frozen=True, slots=True)
class ClipVision:
    """An image encoder: its kind, its sizes, its weights; the value of a CLIP_VISION wire."""

    kind: ImageEncoder
    config: Any
    weights: Weights

    def encode_image(self, image: Tensor, crop: bool = True) -> ClipVisionOutput:
        """See `encode_pictures`; the name and the parameters are the incumbent's."""
        return encode_pictures(self, image, crop=crop)


def load_image_encoder(path: Path, *, dtype: torch.dtype | None = None) -> ClipVision:
    """The image encoder of a separate file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, incomplete, or something else.
    """
    return image_encoder_of(open_weights(path), dtype=dtype)


def image_encoder_of(weights: StateDict, *, dtype: torch.dtype | None = None) -> ClipVision:
    """The image encoder of an open file; see `load_image_encoder`."""
    return _opened(weights, detect_image_encoder(weights), dtype)


def load_with_image_encoder(
    path: Path, *, dtype: torch.dtype | None = None
) -> tuple[Model, Clip, Vae, ClipVision]:
    """The values of a checkpoint with an image encoder; without one, its use is an error.

    Raises like `load_checkpoint`.
    """
    weights = open_weights(path)
    model, clip, vae = checkpoint_of(weights, dtype=dtype)
    found = find_image_encoder(weights)
    if found is None:
        missing = MissingWeights(f"{weights.origin}, CLIP vision", TAKE_VISION)
        return model, clip, vae, ClipVision(ClipImageEncoder(), None, missing)
    return model, clip, vae, _opened(weights, found, dtype)


def _opened(weights: StateDict, found: FoundImageEncoder, dtype: torch.dtype | None) -> ClipVision:
    kind, config = found.kind, found.config
    wants = Wants(dtype=dtype, dtypes=tuple(kind.dtypes(config)))
    handle = module_weights(
        f"{weights.origin}, {kind.name}", lambda: kind.build(config), found.tensors, wants
    )
    return ClipVision(kind, config, handle)


def encode_pictures(
    vision: ClipVision,
    pictures: Tensor,
    *,
    crop: bool,
    checkpoint: Callable[[], None] = lambda: None,
) -> ClipVisionOutput:
    """Pictures [B, H, W, 3 or more] in 0..1, encoded one group after the other.

    Args:
        vision: the encoder.
        pictures: of one size.
        crop: whether a square is cut from the middle; else pictures are distorted to one.
        checkpoint: called at every layer; may raise.

    Raises:
        NodeError: there is no picture.
        WeightsError: the checkpoint holds no image encoder.
    """
    if not len(pictures):
        raise NodeError("there is no picture to encode: the batch is empty")
    weights = vision.weights
    if weights.is_missing:
        _ = weights.module
    groups = (
        vision.kind.prepare(vision.config, each, crop=crop) for each in pictures.split(AT_ONCE)
    )
    return _encoded(vision, groups, min(len(pictures), AT_ONCE), checkpoint)


def encode_nothing(
    vision: ClipVision, *, checkpoint: Callable[[], None] = lambda: None
) -> ClipVisionOutput:
    """One picture that is zero after its preparation: the mean of the encoder's training pictures.

    The counterpart of a picture in guidance, as IP-Adapter was trained with it.
    """
    if vision.weights.is_missing:
        _ = vision.weights.module
    like = vision.kind.prepare(vision.config, torch.zeros(1, 8, 8, 3), crop=False)
    return _encoded(vision, [torch.zeros_like(like)], 1, checkpoint)


def _encoded(
    vision: ClipVision, groups: Iterable[Tensor], most: int, checkpoint: Callable[[], None]
) -> ClipVisionOutput:
    """Prepared pictures, one group of at most `most` after the other."""
    weights, residency = vision.weights, current()
    dtype = residency.dtype_of(weights)
    room = vision.kind.activation_bytes(vision.config, most, dtype.itemsize)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    with residency.use(weights, room_for=room, checkpoint=checkpoint), torch.no_grad():
        for pixels in groups:
            ready = pixels.to(residency.device, dtype)
            seen = vision.kind.encode(weights.module, ready, checkpoint)
            parts.append(
                (seen.last.float().cpu(), seen.embeds.float().cpu(), seen.penultimate.float().cpu())
            )
    last, embeds, penultimate = (torch.cat(each) for each in zip(*parts, strict=True))
    return ClipVisionOutput(last, embeds, penultimate)
