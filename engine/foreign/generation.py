"""What the texts of other programs say of a picture, in one form for all of them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

MOST_SIDE = 16384
_SEED = re.compile(r"[0-9]{1,20}")
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,9}(?:\.[0-9]{0,18})?|[+-]?\.[0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA by the name that the text gives, and its strengths."""

    name: str
    model: float = 1.0
    clip: float = 1.0


@dataclass(frozen=True, slots=True)
class Enlarged:
    """A second pass over an enlarged picture.

    Attributes:
        scale: factor of the sides; 0 where `width` and `height` say the size.
        steps: of its schedule; 0 for those of the first pass.
        denoise: 0 to 1, how much of the schedule is run.
        upscaler: how the picture is enlarged, as the text names it; empty for the latent.
    """

    scale: float = 2.0
    width: int = 0
    height: int = 0
    steps: int = 0
    denoise: float = 0.7
    upscaler: str = ""


@dataclass(frozen=True, slots=True)
class Refiner:
    """A second model for the last steps; `switch` is the share of steps before it, 0 to 1."""

    model: str
    switch: float = 0.8


@dataclass(slots=True)
class Generation:
    """One picture, as another program says that it was made.

    Attributes:
        program: that wrote the text.
        positive, negative: in our syntax of weights; LoRAs and hypernetworks taken out.
        model: the name of the checkpoint or of the denoiser.
        modules: names of separate text encoders and autoencoders.
        clip_skip: 1 uses the last layer of the text encoder, 2 the one before.
        sampler, scheduler: by our names, or as the text spells what we do not have.
        guidance: of distilled models, or None.
        left: what the text specifies and this form lacks, for the user to read.
    """

    program: str
    positive: str = ""
    negative: str = ""
    model: str = ""
    vae: str = ""
    modules: tuple[str, ...] = ()
    loras: list[Lora] = field(default_factory=list[Lora])
    hypernetworks: list[Lora] = field(default_factory=list[Lora])
    clip_skip: int = 1
    sampler: str = "euler"
    scheduler: str = "normal"
    steps: int = 20
    cfg: float = 7.0
    seed: int = 0
    width: int = 512
    height: int = 512
    guidance: float | None = None
    enlarged: Enlarged | None = None
    refiner: Refiner | None = None
    left: list[str] = field(default_factory=list[str])


def number(value: Any, standard: float) -> float:
    """A number, or a text that begins with one; otherwise the standard."""
    if isinstance(value, str):
        found = _NUMBER.match(value)
        return float(found[1]) if found else standard
    if isinstance(value, bool) or not isinstance(value, int | float):
        return standard
    try:
        return float(value) if math.isfinite(value) else standard
    except OverflowError:
        return standard


def whole(value: Any, standard: int, least: int = 0, most: int = 10_000) -> int:
    """A whole number within bounds."""
    return min(most, max(least, round(number(value, standard))))


def seed_of(value: Any) -> int:
    """A seed of up to 64 bits; 0 for what is none."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value & (1 << 64) - 1 if value >= 0 else 0
    text = str(value).strip()
    return int(text) & (1 << 64) - 1 if _SEED.fullmatch(text) else 0


def side(value: Any, standard: int = 512) -> int:
    """A side in pixels: a multiple of 8, rounded up."""
    return min(MOST_SIDE, max(16, math.ceil(number(value, standard) / 8) * 8))


def size_of(text: str, fallback: tuple[int, int] = (512, 512)) -> tuple[int, int]:
    """The sides of a text such as `512x768` or `(512, 768)`."""
    found = re.search(r"([0-9]{1,5})\s*[x,]\s*([0-9]{1,5})", text)
    return (side(found[1]), side(found[2])) if found else fallback


def text_of(value: Any) -> str:
    """A text, or an empty one for anything else."""
    return value if isinstance(value, str) else ""
