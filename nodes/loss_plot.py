"""The losses of a training as a picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

WIDTH, HEIGHT, MARGIN = 640, 360, 24
_PAPER, _FRAME, _EACH, _MEAN, _INK = "#ffffff", "#b0b4bc", "#c9d6ea", "#2f62b5", "#20242c"
_SMOOTHING = 0.05
"""Share of the newest loss in the running mean, once there are many."""


def running_mean(losses: Sequence[float]) -> list[float]:
    """The losses smoothed: a single one says little, as each step has a different noise level."""
    found: list[float] = []
    for number, loss in enumerate(losses):
        share = max(_SMOOTHING, 1 / (number + 1))
        found.append(loss if not found else found[-1] + share * (loss - found[-1]))
    return found


def loss_text(losses: Sequence[float], steps: int) -> str:
    """The state of a training, in a line."""
    mean = running_mean(losses)[-1] if losses else math.nan
    return f"step {len(losses)} of {steps}, loss {losses[-1]:.4f}, mean {mean:.4f}"


def loss_picture(losses: Sequence[float], steps: int) -> Image.Image:
    """Every loss in grey and their running mean in blue, over the steps, with a line of text."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = MARGIN, 2 * MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN
    draw.rectangle((left, top, right, bottom), outline=_FRAME)
    if not losses:
        return picture
    mean = running_mean(losses)
    highest = max(sorted(losses)[math.ceil(len(losses) * 0.98) - 1], *mean) or 1.0

    def points(values: Sequence[float]) -> list[tuple[float, float]]:
        across = (right - left) / max(steps - 1, 1)
        high = (bottom - top) * 0.95
        return [
            (left + number * across, bottom - high * min(value / highest, 1.0))
            for number, value in enumerate(values)
        ]

    for values, colour, width in ((losses, _EACH, 1), (mean, _MEAN, 3)):
        line = points(values)
        draw.line(line if len(line) > 1 else line * 2, fill=colour, width=width)
    draw.text((left, MARGIN - 8), loss_text(losses, steps), fill=_INK, font_size=16)
    draw.text((left + 6, top + 4), f"{highest:.3g}", fill=_FRAME, font_size=12)
    return picture


def as_jpeg(picture: Image.Image) -> bytes:
    """A picture in the form of a preview."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
