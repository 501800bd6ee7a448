"""Captioned training scenes: `render(seed, size)` draws one picture and says what is on it.

The same seed draws the same scene at every size.  About two thirds are composed themes, the rest
is mixed freely.

    python -m tools.demo_model.scenes sheet.png        # a contact sheet
"""

import argparse
import random
from pathlib import Path

import numpy as np
from PIL import Image

from tools.demo_model.canvas import Canvas
from tools.demo_model.free import OPENINGS, SKIES, free_scene
from tools.demo_model.palette import SKIES as ALL_SKIES
from tools.demo_model.themes import THEMES, Theme

THEMED_SHARE = 0.68
FREE = Theme("free", free_scene, SKIES, (70, 90))


def render_theme(theme: Theme, rng: random.Random, size: int) -> tuple[np.ndarray, str]:
    """One scene of a theme, under one of its skies."""
    sky = ALL_SKIES[rng.choices(tuple(theme.skies), tuple(theme.skies.values()))[0]]
    canvas = Canvas(rng, size, sky, rng.uniform(*theme.horizon))
    caption = theme.draw(canvas)
    if theme is not FREE and rng.random() < 0.08:
        caption = rng.choice(OPENINGS) + caption
    return canvas.finish(), caption


def render(seed: int, size: int = 128) -> tuple[np.ndarray, str]:
    """One scene: uint8 pixels (size, size, 3) and its caption."""
    rng = random.Random(seed)
    theme = FREE
    if rng.random() < THEMED_SHARE:
        theme = rng.choices(THEMES, [theme.weight for theme in THEMES])[0]
    return render_theme(theme, rng, size)


def contact_sheet(columns: int, size: int) -> Image.Image:
    """One row of each theme, and one of free scenes."""
    sheet = Image.new("RGB", (columns * (size + 2), (len(THEMES) + 1) * (size + 2)), "white")
    for row, theme in enumerate((*THEMES, FREE)):
        for column in range(columns):
            pixels, _ = render_theme(theme, random.Random(row * 1000 + column), size)
            sheet.paste(Image.fromarray(pixels), (column * (size + 2), row * (size + 2)))
    return sheet


def main() -> None:
    """Read the command line and draw a sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--size", type=int, default=128)
    arguments = parser.parse_args()
    contact_sheet(arguments.columns, arguments.size).save(arguments.out)


if __name__ == "__main__":
    main()
