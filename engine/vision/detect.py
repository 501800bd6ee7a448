"""The kinds of image encoders, and the detection of one in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.vision.clip import ClipImageEncoder
from engine.vision.encoder import ImageEncoder
from engine.vision.siglip import SiglipImageEncoder
from engine.weights.state_dict import StateDict

KINDS: tuple[ImageEncoder, ...] = (SiglipImageEncoder(), ClipImageEncoder())


@dataclass(frozen=True, slots=True)
class FoundImageEncoder:
    """An image encoder in a file: its kind, its sizes, its tensors under the module's names."""

    kind: ImageEncoder
    config: Any
    tensors: StateDict


def find_image_encoder(weights: StateDict) -> FoundImageEncoder | None:
    """The image encoder in a separate file or in a checkpoint; None without one.

    Raises:
        WeightsError: there is an incomplete one.
    """
    for kind in KINDS:
        config = kind.detect(weights)
        if config is not None:
            return FoundImageEncoder(kind, config, kind.tensors(weights))
    return None
