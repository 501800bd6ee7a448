"""The colours of the demo scenes and the words that name them.

Only colour triples (0..255), skies and the phrases for them; drawing is elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Colour = tuple[float, float, float]

COLOURS: Mapping[str, Colour] = {
    "red": (216, 60, 52),
    "orange": (242, 142, 48),
    "yellow": (252, 212, 76),
    "white": (246, 244, 238),
    "blue": (58, 104, 190),
    "purple": (124, 84, 168),
    "green": (84, 150, 80),
    "grey": (130, 134, 144),
    "pink": (242, 148, 172),
    "brown": (134, 92, 60),
    "teal": (48, 150, 150),
    "dark": (44, 48, 66),
}
LAMPLIGHT: Colour = (255, 224, 120)
SNOW: Colour = (236, 242, 250)
MOUNTAIN_COLOURS = ("blue", "purple", "grey", "green", "teal", "red", "brown")


@dataclass(frozen=True)
class Sky:
    """A vertical gradient, the light that falls from it, and the words for it."""

    name: str
    top: Colour
    middle: Colour
    low: Colour
    light: Colour
    phrases: tuple[str, ...]  # continue a sentence: "a house at sunset"
    tags: tuple[str, ...]  # stand alone between commas: "a house, orange sky"
    dark: bool = False


SKIES: Mapping[str, Sky] = {
    sky.name: sky
    for sky in (
        Sky(
            "day",
            (70, 146, 226),
            (140, 198, 242),
            (214, 236, 248),
            (1.0, 1.0, 1.0),
            ("under a blue sky", "on a sunny day", "in the daytime", "under a clear blue sky"),
            ("blue sky", "clear blue sky", "day", "sunny day"),
        ),
        Sky(
            "sunset",
            (84, 62, 136),
            (232, 98, 84),
            (255, 192, 92),
            (0.92, 0.74, 0.70),
            ("at sunset", "under an orange sky", "at sunset"),
            ("orange sky", "sunset", "orange sunset sky"),
        ),
        Sky(
            "dusk",
            (34, 38, 94),
            (104, 80, 148),
            (226, 136, 144),
            (0.68, 0.62, 0.80),
            ("at dusk", "in the evening", "under a purple sky", "at twilight"),
            ("dusk", "purple sky", "twilight", "evening"),
            dark=True,
        ),
        Sky(
            "night",
            (10, 14, 44),
            (22, 32, 80),
            (48, 64, 120),
            (0.46, 0.50, 0.70),
            ("at night", "under a dark sky", "in the night", "at night"),
            ("night", "night sky", "dark night", "dark sky"),
            dark=True,
        ),
        Sky(
            "dawn",
            (112, 146, 204),
            (242, 182, 178),
            (255, 226, 176),
            (1.0, 0.91, 0.88),
            ("at dawn", "in the morning", "at sunrise"),
            ("dawn", "morning", "sunrise"),
        ),
        Sky(
            "pink",
            (226, 112, 164),
            (246, 162, 188),
            (255, 212, 196),
            (1.0, 0.88, 0.92),
            ("under a pink sky", "under a bright pink sky", "beneath a pink sky"),
            ("pink sky", "a pink sky"),
        ),
    )
}
STAR_PHRASES = ("under the stars", "under a starry sky", "under the stars at night")
STAR_TAGS = ("stars", "starry sky", "night sky with stars", "starry night")


def blend(start: Colour, end: Colour, share: float) -> Colour:
    """The colour `share` of the way from start to end."""
    first, second, third = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return first, second, third


def tint(colour: Colour, light: Colour) -> Colour:
    """The colour as it looks in this light."""
    first, second, third = (a * b for a, b in zip(colour, light, strict=True))
    return first, second, third


def with_article(noun: str) -> str:
    """`an orange sun`, `a red sun`."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def mountain_colour(name: str, sky: Sky, haze: float = 0.2) -> Colour:
    """Mountains of this colour under this sky; `haze` is the share of the horizon's colour."""
    return tint(blend(COLOURS[name], sky.low, 0 if name == "dark" else haze), sky.light)
