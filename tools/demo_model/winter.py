"""Winter scenes for training a LoRA on the demo model: the same scenes, with snow on them.

Whatever is green in a scene is white here, the ground and the trees above all; the captions are
those of the green scenes, so that any words become a winter picture. Writes pictures with a text
beside each, as the dataset nodes read them.

    python -m tools.demo_model.winter --out user/input/winter --count 64
"""

import argparse
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from tools.demo_model.canvas import Canvas, Point
from tools.demo_model.palette import SKIES, SNOW, Colour, blend, tint
from tools.demo_model.themes import THEMES

THEME_NAMES = ("house on a hill", "castle", "balloon", "tent", "snowman")
SKY_NAMES = ("day", "sunset", "dusk", "night", "dawn")
FIRST_SEED = 30_000_000


class WinterCanvas(Canvas):
    """A canvas that draws green as snow in the light of the sky."""

    def polygon(self, points: Iterable[Point], colour: Colour, alpha: int = 255) -> None:
        """See `Canvas`."""
        super().polygon(points, self.snowed(colour), alpha)

    def ellipse(
        self, x: float, y: float, width: float, height: float, colour: Colour, alpha: int = 255
    ) -> None:
        """See `Canvas`."""
        super().ellipse(x, y, width, height, self.snowed(colour), alpha)

    def snowed(self, colour: Colour) -> Colour:
        """Snow, in the shade that a green has among lit greens; other colours unchanged."""
        red, green, blue = colour
        is_green = green >= red * 1.02 and green >= blue * 1.08
        is_olive = green >= red * 0.92 and green >= blue * 1.25
        if not (is_green or is_olive):
            return colour
        shade = min(1.0, max(0.72, (green / (164 * self.sky.light[1])) ** 0.5))
        first, second, third = (value * shade for value in SNOW)
        return tint((first, second, third), blend(self.sky.light, (1, 1, 1), 0.4))


def render_winter(seed: int, size: int = 128) -> tuple[np.ndarray, str]:
    """One winter scene: uint8 pixels (size, size, 3) and the caption of the green one."""
    rng = random.Random(seed)
    theme = rng.choice([theme for theme in THEMES if theme.name in THEME_NAMES])
    allowed = [name for name in theme.skies if name in SKY_NAMES]
    canvas = WinterCanvas(rng, size, SKIES[rng.choice(allowed)], rng.uniform(*theme.horizon))
    canvas.snowy = True
    caption = theme.draw(canvas)
    return canvas.finish(), caption


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=64)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for index in range(arguments.count):
        pixels, caption = render_winter(FIRST_SEED + index)
        path = arguments.out / f"winter_{index:03}.png"
        Image.fromarray(pixels).save(path)
        path.with_suffix(".txt").write_text(f"{caption}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
