"""Growing and floating things of the demo scenes: trees, cactuses, palms, flowers, fire.

Each function draws one object standing at (x, y) in canvas units; none of them chooses words.
"""

import math

from tools.demo_model.canvas import UNITS, Canvas
from tools.demo_model.palette import COLOURS, SNOW, Colour


def pine(canvas: Canvas, x: float, y: float, height: float) -> None:
    """Three tiers on a trunk, white on top in snow."""
    canvas.box(
        x - height * 0.06, y - height * 0.16, x + height * 0.06, y, canvas.shade(COLOURS["brown"])
    )
    for tier in range(3):
        low, width = y - height * (0.12 + 0.26 * tier), height * 0.34 * (1 - 0.24 * tier)
        top = (x, low - height * 0.4)
        canvas.polygon(
            [(x - width, low), (x + width, low), top], canvas.shade((40, 112, 76), 1 + 0.1 * tier)
        )
        if canvas.snowy:
            line = low - height * 0.2
            canvas.polygon(
                [(x - width * 0.5, line), (x + width * 0.5, line), top], canvas.shade(SNOW)
            )


def tree(canvas: Canvas, x: float, y: float, height: float, leaves: Colour) -> None:
    """Three balls of leaves on a trunk."""
    canvas.box(
        x - height * 0.07, y - height * 0.45, x + height * 0.07, y, canvas.shade(COLOURS["brown"])
    )
    for across, up, radius in ((-0.2, 0.52, 0.22), (0.2, 0.52, 0.22), (0, 0.74, 0.26)):
        canvas.disc(x + across * height, y - up * height, radius * height, canvas.shade(leaves))


def cactus(canvas: Canvas, x: float, y: float, height: float) -> None:
    """A column with two arms."""
    width, colour = height * 0.11, canvas.shade((66, 146, 84))
    canvas.box(x - width, y - height, x + width, y, colour, width)
    for side, up in ((-1, 0.36), (1, 0.5)):
        arm, elbow = x + side * height * 0.3, y - height * up
        canvas.box(min(x, arm), elbow - 1.6 * width, max(x, arm), elbow, colour)
        canvas.box(
            arm - width * 0.8, elbow - height * 0.32, arm + width * 0.8, elbow, colour, width * 0.8
        )


def palm(canvas: Canvas, x: float, y: float, height: float, lean: float) -> None:
    """A palm tree; lean is how far its top stands to the side."""
    top = (x + lean, y - height)
    trunk, leaf = canvas.shade(COLOURS["brown"]), canvas.shade((52, 140, 78))
    bend = (x + lean * 0.35, y - height * 0.55)
    canvas.line([(x, y), bend, top], height * 0.085, trunk)
    for angle in (-200, -160, -115, -65, -20, 20):
        across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        reach = height * 0.46
        tip = (top[0] + across * reach, top[1] + up * reach * 0.6 + reach * 0.3)
        middle = (top[0] + across * reach * 0.55, top[1] + up * reach * 0.6 - reach * 0.02)
        below = (middle[0], middle[1] + height * 0.13)
        canvas.polygon([top, middle, tip, below], leaf)


def flower(canvas: Canvas, x: float, y: float, size: float, petals: Colour) -> None:
    """A blossom of five petals around a yellow middle; a plain dot where it is small."""
    colour = canvas.shade(petals)
    if size < 4:
        canvas.disc(x, y, size * 0.8, colour)
        return
    for petal in range(5):
        angle = 2 * math.pi * petal / 5 - math.pi / 2
        canvas.disc(
            x + math.cos(angle) * size * 0.55,
            y + math.sin(angle) * size * 0.55,
            size * 0.52,
            colour,
        )
    canvas.disc(x, y, size * 0.36, canvas.shade(COLOURS["yellow"]))


def flower_field(canvas: Canvas, petals: Colour) -> None:
    """Rows of flowers from the horizon to the viewer, larger in front."""
    rng, rows = canvas.rng, 6
    for row in range(rows):
        share = row / (rows - 1)
        size, gap = 2.4 + 5.2 * share, 9 + 11 * share
        y, x = canvas.ground(0.1 + 0.8 * share**1.25), rng.uniform(-gap / 2, gap / 2)
        while x < UNITS + size:
            flower(
                canvas,
                x + rng.uniform(-1, 1),
                y + rng.uniform(-1.2, 1.2),
                size * rng.uniform(0.85, 1.1),
                petals,
            )
            x += gap


def campfire(canvas: Canvas, x: float, y: float, size: float) -> None:
    """Flames over crossed logs, in their own light."""
    canvas.disc(x, y - size * 0.5, size * 1.9, (255, 160, 60), 60)
    for side in (-1, 1):
        canvas.line(
            [(x - side * size * 0.7, y + 1), (x + side * size * 0.7, y - 3)],
            3,
            canvas.shade((120, 76, 46)),
        )
    for width, height, colour in (
        (0.62, 1.55, (240, 96, 40)),
        (0.44, 1.1, (255, 164, 56)),
        (0.24, 0.65, (255, 236, 130)),
    ):
        half, top = size * width, y - 2 - size * height
        canvas.polygon(
            [
                (x - half, y - 2),
                (x - half * 0.8, y - 2 - size * height * 0.45),
                (x, top),
                (x + half * 0.8, y - 2 - size * height * 0.45),
                (x + half, y - 2),
            ],
            colour,
        )
