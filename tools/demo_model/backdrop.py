"""The background of a demo scene, from the stars down to the ground.

Every function draws one layer and returns the words for it where it chose something.
"""

import math
from collections.abc import Mapping

import numpy as np

from tools.demo_model.canvas import COLUMNS, UNITS, Canvas, ridge
from tools.demo_model.palette import (
    COLOURS,
    LAMPLIGHT,
    SNOW,
    Colour,
    blend,
    mountain_colour,
    tint,
    with_article,
)

GROUND_COLOURS: Mapping[str, Colour] = {
    "grass": (104, 164, 76),
    "sea": (36, 104, 166),
    "desert": (230, 186, 116),
    "snow": (234, 240, 248),
}
GROUND_WORDS: Mapping[str, tuple[str, ...]] = {
    "grass": ("a green meadow", "a grassy field", "green grass", "a field"),
    "sea": ("the sea", "the ocean", "a lake", "water"),
    "desert": ("a desert", "sand dunes", "sand", "the desert"),
    "snow": ("snow", "a snowy field", "winter", "snow on the ground"),
}
SUN_COLOURS = ("red", "orange", "yellow", "yellow", "white")
MOON_COLOURS = ("white", "white", "yellow", "orange")


def stars(canvas: Canvas, count: int | None = None) -> None:
    """Dots in the upper sky."""
    rng = canvas.rng
    for _ in range(count or rng.randint(14, 26)):
        x, y = rng.random() * UNITS, rng.random() * canvas.horizon * 0.85
        canvas.disc(x, y, rng.uniform(1.1, 1.8), (255, 255, 225))


def glowing_disc(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    """A disc with a faint halo."""
    canvas.disc(x, y, radius * 1.55, colour, 46)
    canvas.disc(x, y, radius, colour)


def sun(canvas: Canvas, x: float, y: float, radius: float, name: str = "") -> str:
    """Draw a sun; an empty name chooses its colour.  Returns e.g. `a red sun`."""
    rng = canvas.rng
    colour = name or rng.choice(SUN_COLOURS)
    glowing_disc(canvas, x, y, radius, COLOURS[colour])
    big = "big " if radius > 15 and rng.random() < 0.6 else ""
    return with_article(big + (colour + " " if name or rng.random() < 0.9 else "") + "sun")


def moon(canvas: Canvas, x: float, y: float, radius: float, kind: str = "", name: str = "") -> str:
    """Draw a moon; empty words are chosen.  Returns e.g. `a full moon`."""
    rng = canvas.rng
    kind = kind or rng.choice(("full moon", "full moon", "crescent moon", "moon"))
    colour = name or rng.choice(MOON_COLOURS)
    if kind == "crescent moon":
        before = canvas.pixels().copy()
        canvas.disc(x, y, radius, COLOURS[colour])
        after = canvas.pixels().copy()
        rows, columns = (np.mgrid[0 : len(after), 0 : len(after)] + 0.5) / canvas.scale
        hidden = np.hypot(columns - (x + radius * 0.6), rows - (y - radius * 0.15)) < radius
        after[hidden] = before[hidden]
        canvas.replace(after)
    else:
        glowing_disc(canvas, x, y, radius, COLOURS[colour])
    return with_article((colour + " " if name or rng.random() < 0.5 else "") + kind)


def clouds(canvas: Canvas) -> str:
    """One to three heaps of ellipses."""
    rng, sky = canvas.rng, canvas.sky
    count, colour = rng.randint(1, 3), blend(COLOURS["white"], sky.low, 0.6 if sky.dark else 0.3)
    for _ in range(count):
        x, y, width = (
            rng.random() * UNITS,
            rng.uniform(0.12, 0.5) * canvas.horizon,
            rng.uniform(13, 22),
        )
        for offset, radius in ((-0.6, 0.3), (-0.1, 0.45), (0.4, 0.35), (0.8, 0.22)):
            canvas.ellipse(
                x + offset * width,
                y - radius * 0.25 * width,
                radius * width,
                radius * 0.75 * width,
                colour,
            )
    return "a cloud" if count == 1 else rng.choice(("clouds", "white clouds", "a few clouds"))


def aurora(canvas: Canvas, name: str) -> None:
    """Bright curtains over the night sky: sharp below, fading upwards."""
    rng = canvas.rng
    colour = {"green": (80, 240, 150), "purple": (176, 96, 240), "teal": (64, 224, 220)}[name]
    pixels = canvas.pixels().astype(np.float64)
    side = len(pixels)
    rows = (np.arange(side)[:, None] + 0.5) / canvas.scale
    for curtain in range(rng.choice((2, 2, 3))):
        wave = np.sin(COLUMNS / UNITS * rng.uniform(4, 9) + rng.uniform(0, 2 * math.pi))
        edge = canvas.horizon * (rng.uniform(0.34, 0.44) + 0.2 * curtain) + rng.uniform(4, 9) * wave
        edge = np.interp(np.arange(side) / canvas.scale, COLUMNS, edge)[None]
        above = np.exp(-np.maximum(edge - rows, 0) / rng.uniform(9, 15))
        below = np.exp(-((np.maximum(rows - edge, 0) / 2.5) ** 2))
        strength = (0.85 * above * below)[..., None]
        pixels = pixels * (1 - strength) + np.array(colour) * strength
    canvas.replace(pixels)


def mountains(
    canvas: Canvas, name: str, height: tuple[float, float] = (32, 52), snowy: bool = False
) -> None:
    """One or two rolling ridges, the nearer one lower and clearer."""
    rng, sky = canvas.rng, canvas.sky
    layers = rng.choice((1, 2, 2))
    for layer in range(layers):
        tall = rng.uniform(*height) * (1 - 0.4 * layer)
        profile = (
            canvas.horizon + 1 - tall * (0.2 + 0.8 * ridge(rng, rng.choice((4, 5, 6)), 2, 0.35))
        )
        canvas.skyline(profile, mountain_colour(name, sky, 0.35 - 0.3 * (layer + 1) / layers))
        if snowy and layer == 0:
            line = profile.min() + 0.38 * tall + (ridge(rng, 12, 1) - 0.5) * 5
            canvas.band(profile, line, canvas.shade(SNOW))


def peaks(canvas: Canvas, name: str, snowy: bool = True) -> None:
    """Pointed mountains, each a triangle with a white cap."""
    rng = canvas.rng
    body = mountain_colour(name, canvas.sky, 0.12)
    base, places = canvas.horizon + 2, [-6, 34, 64, 96, 134]
    rng.shuffle(places)
    for x in places:
        middle, tall = x + rng.uniform(-9, 9), rng.uniform(36, 56)
        half = tall * rng.uniform(0.75, 0.95)
        top, factor = base - tall, rng.uniform(0.88, 1.1)
        red, green, blue = (value * factor for value in body)
        canvas.polygon(
            [(middle - half, base), (middle, top), (middle + half, base)], (red, green, blue)
        )
        if snowy:
            cap = 0.42
            left, right, low = middle - half * cap, middle + half * cap, top + tall * cap
            canvas.polygon(
                [
                    (left, low),
                    (middle, top),
                    (right, low),
                    (middle + half * 0.2, low - tall * 0.1),
                    (middle, low + tall * 0.05),
                    (middle - half * 0.2, low - tall * 0.1),
                ],
                blend(canvas.shade(SNOW), (255, 255, 255), 0.15),
            )


def hills(canvas: Canvas, name: str) -> None:
    """Two waves of round hills."""
    rng, sky = canvas.rng, canvas.sky
    for layer in range(2):
        wave = 0.5 - 0.5 * np.cos(
            COLUMNS / UNITS * rng.uniform(2, 4) * math.pi + rng.random() * 2 * math.pi
        )
        profile = canvas.horizon + 1 - (24 - 9 * layer) * wave
        canvas.skyline(profile, tint(blend(COLOURS[name], sky.low, 0.3 - 0.2 * layer), sky.light))


def city(canvas: Canvas, lit: bool) -> None:
    """A row of tall buildings, with windows large enough to survive the autoencoder."""
    rng, sky = canvas.rng, canvas.sky
    body = tint(blend((96, 102, 124), sky.low, 0.15), sky.light)
    glass = LAMPLIGHT if lit else canvas.shade((190, 222, 240))
    left = rng.uniform(-8, 0)
    while left < UNITS:
        columns = rng.choice((2, 2, 3))
        width, tall = columns * 7.5 + 3, rng.uniform(26, 66)
        top, factor = canvas.horizon - tall, rng.uniform(0.8, 1.2)
        red, green, blue = (value * factor for value in body)
        canvas.box(left, top, left + width, canvas.horizon + 3, (red, green, blue))
        for row in range(int((tall - 5) // 9)):
            for column in range(columns):
                if rng.random() < 0.8:
                    x, y = left + 3 + column * 7.5, top + 4 + row * 9
                    canvas.box(x, y, x + 4.5, y + 5.5, glass)
        left += width + rng.choice((0, 0, 2))


def ground(canvas: Canvas, kind: str, roughness: float | None = None) -> None:
    """Four bands, darker towards the viewer.  `kind` is a key of GROUND_COLOURS."""
    rng, sky = canvas.rng, canvas.sky
    base = GROUND_COLOURS[kind]
    if kind == "sea":
        base = blend(base, sky.middle, 0.25)
    near, far = (
        tint(blend(base, (0, 0, 0), 0.18), sky.light),
        tint(blend(base, sky.low, 0.2), sky.light),
    )
    if roughness is None:
        roughness = {"sea": 0, "desert": 9}.get(kind, 5)
    wave = (ridge(rng, 4, 1) - 0.5) * roughness
    for step in range(4):
        canvas.skyline(canvas.ground(step / 4) + wave * (1 - step / 4), blend(far, near, step / 3))
    canvas.snowy = kind == "snow"


def reflection(canvas: Canvas, x: float, colour: Colour) -> None:
    """The light of a sun or moon on the water."""
    back = tint(GROUND_COLOURS["sea"], canvas.sky.light)
    for step in range(4):
        width, y = (4 + 2.5 * step) * canvas.rng.uniform(0.8, 1.2), canvas.horizon + 3 + 9 * step
        canvas.box(x - width, y, x + width, y + 3.4, blend(colour, back, 0.35), 1.7)


def mound(canvas: Canvas, x: float, tall: float, width: float, colour: Colour) -> float:
    """A single round hill; returns the height of its top."""
    bump = np.exp(-(((COLUMNS - x) / width) ** 2))
    profile = canvas.ground(0.35) - tall * bump
    light = canvas.sky.light
    canvas.skyline(profile, tint(colour, light))
    canvas.skyline(profile + 12 + 0.3 * tall * bump, tint(blend(colour, (0, 0, 0), 0.1), light))
    return float(canvas.ground(0.35) - tall)
