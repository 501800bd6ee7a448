"""What composed demo scenes share: their bodies in the sky and the grammar of their captions."""

from tools.demo_model import backdrop
from tools.demo_model.canvas import Canvas
from tools.demo_model.palette import STAR_PHRASES, STAR_TAGS


def with_sky(canvas: Canvas, text: str, starry: bool = False) -> str:
    """Add words for the sky to a sentence, most of the time."""
    rng, sky = canvas.rng, canvas.sky
    if rng.random() < 0.12:
        return text
    phrases, tags = (
        (STAR_PHRASES, STAR_TAGS) if starry and rng.random() < 0.6 else (sky.phrases, sky.tags)
    )
    return f"{text} {rng.choice(phrases)}" if rng.random() < 0.65 else f"{text}, {rng.choice(tags)}"


def maybe(canvas: Canvas, word: str, chance: float = 0.5) -> str:
    """The word and a space, or nothing."""
    return word + " " if word and canvas.rng.random() < chance else ""


def maybe_stars(canvas: Canvas, chance: float = 0.7) -> bool:
    """Draw stars on most nights; says whether it did."""
    starry = canvas.sky.name == "night" and canvas.rng.random() < chance
    if starry:
        backdrop.stars(canvas)
    return starry


def heavenly_body(canvas: Canvas, chance: float = 0.6, name: str = "") -> tuple[str, float]:
    """A sun or, in the dark, a moon; returns its words (empty if there is none) and place."""
    rng, sky = canvas.rng, canvas.sky
    x, low = rng.uniform(20, 108), sky.name in ("sunset", "dawn")
    y = canvas.horizon * (rng.uniform(0.4, 0.75) if low else rng.uniform(0.2, 0.42))
    if rng.random() >= chance:
        return "", x
    draw = backdrop.moon if sky.dark else backdrop.sun
    if sky.dark:
        return draw(canvas, x, y, rng.uniform(9, 15)), x
    return backdrop.sun(canvas, x, y, rng.uniform(10, 16), name), x


def also(canvas: Canvas, words: str, chance: float = 0.6) -> str:
    """`, a red sun` most of the time; nothing where there are no words."""
    return f", {words}" if words and canvas.rng.random() < chance else ""
