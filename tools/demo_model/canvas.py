"""A drawing surface in units of 1/128 of the picture: scenes are independent of its size.

It holds the sky's light and the position of the horizon.  Pictures are drawn at twice their size
and averaged down, which smooths every edge.
"""

import random
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from tools.demo_model.palette import Colour, Sky, blend, tint

UNITS = 128
OVERSAMPLING = 2
COLUMNS = np.arange(UNITS + 1, dtype=np.float64)
Profile = np.ndarray  # one height per column
Point = tuple[float, float]


class Canvas:
    """A picture in progress."""

    def __init__(self, rng: random.Random, size: int, sky: Sky, horizon: float) -> None:
        self.rng, self.size, self.sky, self.horizon = rng, size, sky, horizon
        self.scale = size * OVERSAMPLING / UNITS
        self.snowy = False  # whether objects on the ground are covered with snow
        self.replace(gradient(sky, horizon, size * OVERSAMPLING))

    def pixels(self) -> np.ndarray:
        """The pixels so far, at the drawing size."""
        return np.asarray(self.image)

    def replace(self, pixels: np.ndarray) -> None:
        """Continue with these pixels."""
        self.image = Image.fromarray(np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8)))
        self.draw = ImageDraw.Draw(self.image, "RGBA")

    def finish(self) -> np.ndarray:
        """The picture at its proper size, uint8 (size, size, 3)."""
        return np.asarray(self.image.resize((self.size, self.size), Image.Resampling.BOX))

    def ground(self, share: float) -> float:
        """The height this share of the way from the horizon to the lower edge."""
        return self.horizon + (UNITS - self.horizon) * share

    def shade(self, colour: Colour, factor: float = 1.0) -> Colour:
        """The colour of an object near the viewer: the sky's light, softened."""
        first, second, third = (value * factor for value in colour)
        return tint((first, second, third), blend(self.sky.light, (1, 1, 1), 0.3))

    def polygon(self, points: Iterable[Point], colour: Colour, alpha: int = 255) -> None:
        """Fill a polygon given in units."""
        self.draw.polygon(
            [(x * self.scale, y * self.scale) for x, y in points], fill=fill(colour, alpha)
        )

    def disc(self, x: float, y: float, radius: float, colour: Colour, alpha: int = 255) -> None:
        """Fill a circle around (x, y)."""
        self.ellipse(x, y, radius, radius, colour, alpha)

    def ellipse(
        self, x: float, y: float, width: float, height: float, colour: Colour, alpha: int = 255
    ) -> None:
        """An ellipse around (x, y); width and height are half axes."""
        edges = [value * self.scale for value in (x - width, y - height, x + width, y + height)]
        self.draw.ellipse(edges, fill=fill(colour, alpha))

    def box(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        colour: Colour,
        radius: float = 0,
    ) -> None:
        """Fill a rectangle, with rounded corners if a radius is given."""
        edges = [value * self.scale for value in (left, top, right, bottom)]
        self.draw.rounded_rectangle(edges, radius * self.scale, fill=fill(colour))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw connected strokes."""
        places = [(x * self.scale, y * self.scale) for x, y in points]
        self.draw.line(
            places, fill=fill(colour), width=max(1, round(width * self.scale)), joint="curve"
        )

    def skyline(self, profile: Profile, colour: Colour) -> None:
        """Fill everything below a profile."""
        self.polygon([(0, UNITS), *zip(COLUMNS, profile, strict=True), (UNITS, UNITS)], colour)

    def band(self, upper: Profile, lower: Profile, colour: Colour) -> None:
        """Fill between two profiles wherever the lower one is lower."""
        for column in np.flatnonzero(upper < lower):
            x = float(column)
            self.polygon(
                [
                    (x - 0.5, upper[column]),
                    (x + 0.5, upper[column]),
                    (x + 0.5, lower[column]),
                    (x - 0.5, lower[column]),
                ],
                colour,
            )


def fill(colour: Colour, alpha: int = 255) -> tuple[int, int, int, int]:
    """A colour as Pillow's four bytes."""
    red, green, blue = (int(min(255, max(0, value))) for value in colour)
    return red, green, blue, alpha


def gradient(sky: Sky, horizon: float, pixels: int) -> np.ndarray:
    """The sky's three colours from the upper edge to the horizon, as float pixels."""
    height = np.linspace(0, UNITS / horizon, pixels)[:, None]
    upper, lower = np.clip(height / 0.6, 0, 1), np.clip((height - 0.6) / 0.4, 0, 1)
    colours = np.array(sky.top) * (1 - upper) + np.array(sky.middle) * upper
    colours = colours * (1 - lower) + np.array(sky.low) * lower
    return np.broadcast_to(colours[:, None], (pixels, pixels, 3))


def ridge(rng: random.Random, knots: int, octaves: int = 2, roughness: float = 0.4) -> Profile:
    """Smooth one-dimensional noise between 0 and 1, one value per column."""
    place, total, amplitude = np.linspace(0, 1, len(COLUMNS)), np.zeros(len(COLUMNS)), 1.0
    for _ in range(octaves):
        total += amplitude * np.interp(
            place * (knots - 1), np.arange(knots), [rng.random() for _ in range(knots)]
        )
        knots, amplitude = knots * 2, amplitude * roughness
    total -= total.min()
    return total / max(total.max(), 1e-6)
