"""Composed demo scenes of mountains, plants and the sky.

Each function draws one kind of picture on a fresh canvas and returns its caption.
"""

from tools.demo_model import backdrop, nature
from tools.demo_model.canvas import Canvas
from tools.demo_model.composing import also, heavenly_body, maybe, maybe_stars, with_sky
from tools.demo_model.palette import COLOURS, MOUNTAIN_COLOURS


def sun_over_mountains(canvas: Canvas) -> str:
    """A sun above a range, both of a named colour."""
    rng = canvas.rng
    colour, hue = (
        rng.choice(("red", "red", "orange", "yellow", "white")),
        rng.choice((*MOUNTAIN_COLOURS, "blue")),
    )
    body = backdrop.sun(
        canvas,
        rng.uniform(24, 104),
        canvas.horizon * rng.uniform(0.24, 0.46),
        rng.uniform(11, 17),
        colour,
    )
    backdrop.mountains(canvas, hue)
    backdrop.ground(canvas, rng.choice(("grass", "sea", "desert", "snow", "grass")))
    text = f"{body} over {hue} mountains"
    if rng.random() < 0.2:
        text = rng.choice((f"{hue} mountains and {body}", f"{body} above {hue} mountains"))
    return with_sky(canvas, text) if rng.random() < 0.6 else text


def moon_over_snowy_mountains(canvas: Canvas) -> str:
    """A moon above white peaks."""
    rng = canvas.rng
    starry = maybe_stars(canvas, 0.5)
    body = backdrop.moon(
        canvas,
        rng.uniform(20, 108),
        canvas.horizon * rng.uniform(0.16, 0.3),
        rng.uniform(9, 14),
        rng.choice(("full moon", "full moon", "moon", "crescent moon")),
    )
    hue = rng.choice(("blue", "grey", "purple"))
    backdrop.peaks(canvas, hue)
    backdrop.ground(canvas, rng.choice(("snow", "snow", "sea", "grass")))
    text = rng.choice(
        (
            "{} over snowy mountains",
            "{} over snowy mountains",
            "{} over mountains with snow",
            "snowy mountains and {}",
        )
    )
    return with_sky(canvas, text.format(body), starry)


def pines_in_the_snow(canvas: Canvas) -> str:
    """Three to five pines."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    body, _ = heavenly_body(canvas, 0.45)
    far = rng.random() < 0.3
    if far:
        backdrop.peaks(canvas, rng.choice(("blue", "grey")))
    backdrop.ground(canvas, "snow")
    places = [14, 40, 64, 90, 114]
    rng.shuffle(places)
    places = places[: rng.randint(3, 5)]
    for x, share in zip(places, sorted(rng.uniform(0.2, 0.7) for _ in places), strict=True):
        nature.pine(
            canvas,
            x + rng.uniform(-7, 7),
            canvas.ground(share),
            rng.uniform(38, 50) * (0.75 + 0.5 * share),
        )
    text = rng.choice(
        (
            "pine trees in the snow",
            "pine trees in the snow",
            "a snowy pine forest",
            "pines in the snow",
            "pine trees on a snowy field",
            "a pine forest in winter",
        )
    )
    return (
        with_sky(canvas, text, starry)
        + also(canvas, body)
        + also(canvas, (far and "snowy mountains") or "")
    )


def cactuses_in_the_desert(canvas: Canvas) -> str:
    """One to three cactuses, mostly under a sun."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    colour = rng.choice(("yellow", "yellow", "orange", "red", "white"))
    body, _ = heavenly_body(canvas, 0.85, colour)
    if rng.random() < 0.3:
        backdrop.mountains(canvas, rng.choice(("brown", "red", "purple")), (18, 30))
    backdrop.ground(canvas, "desert")
    places = [24, 62, 102]
    rng.shuffle(places)
    places = places[: rng.choice((1, 2, 2, 3, 3))]
    for x, share in zip(places, sorted(rng.uniform(0.2, 0.65) for _ in places), strict=True):
        nature.cactus(
            canvas,
            x + rng.uniform(-9, 9),
            canvas.ground(share),
            rng.uniform(34, 46) * (0.8 + 0.4 * share),
        )
    cactus = (
        "a cactus"
        if len(places) == 1
        else rng.choice(("cactuses", "cactuses", "cacti", "green cactuses"))
    )
    text = rng.choice(
        (
            f"a desert with {cactus}",
            f"a desert with {cactus}",
            f"{cactus} in the desert",
            f"{cactus} on sand dunes",
        )
    )
    if body and rng.random() < 0.7:
        text += f" under {body}"
        return with_sky(canvas, text, starry) if rng.random() < 0.5 else text
    return with_sky(canvas, text, starry)


def mountains_under_the_sky(canvas: Canvas) -> str:
    """Nothing but mountains of a named colour."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    hue = rng.choice((*MOUNTAIN_COLOURS, "purple", "purple"))
    body, _ = heavenly_body(canvas, 0.25)
    backdrop.mountains(canvas, hue, (38, 56))
    backdrop.ground(canvas, rng.choice(("grass", "sea", "desert", "snow")))
    text = f"{maybe(canvas, 'tall', 0.15)}{hue} mountains"
    return with_sky(canvas, text, starry) + also(canvas, body)


def field_of_flowers(canvas: Canvas) -> str:
    """Rows of flowers of one colour."""
    rng = canvas.rng
    words = backdrop.clouds(canvas) if rng.random() < 0.2 else ""
    body, _ = heavenly_body(canvas, 0.4)
    if rng.random() < 0.35:
        backdrop.hills(canvas, "green")
    backdrop.ground(canvas, "grass")
    petals = rng.choice(("red", "red", "yellow", "pink", "purple", "white"))
    nature.flower_field(canvas, COLOURS[petals])
    text = rng.choice(
        (
            "a field of {} flowers",
            "a field of {} flowers",
            "{} flowers",
            "a meadow with {} flowers",
            "a field with {} flowers",
        )
    )
    return with_sky(canvas, text.format(petals)) + also(canvas, words or body, 0.5)


def island_with_palms(canvas: Canvas) -> str:
    """One to three palms on sand in the sea."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    body, _ = heavenly_body(canvas, 0.45)
    backdrop.ground(canvas, "sea")
    x, y, width = rng.uniform(50, 78), canvas.ground(rng.uniform(0.35, 0.55)), rng.uniform(34, 46)
    canvas.ellipse(x, y + 3, width, 9, canvas.shade((234, 204, 140)))
    canvas.ellipse(x, y + 1, width * 0.8, 6, canvas.shade((246, 220, 160)))
    count = rng.choice((1, 2, 2, 2, 3))
    stands = {1: (0.0,), 2: (-0.4, 0.4), 3: (-0.55, 0.0, 0.55)}[count]
    for stand in stands:
        lean = stand * 22 + rng.uniform(-3, 3) + (8 if count == 1 else 0)
        nature.palm(canvas, x + stand * width * 0.5, y + 1, rng.uniform(36, 48), lean)
    palms = "a palm tree" if count == 1 else rng.choice(("palm trees", "palm trees", "palms"))
    text = rng.choice(
        (
            f"an island with {palms}",
            f"an island with {palms}",
            f"a small island with {palms}",
            f"{palms} on an island",
        )
    )
    return with_sky(canvas, text + also(canvas, "the sea", 0.2), starry) + also(canvas, body, 0.5)


def aurora(canvas: Canvas) -> str:
    """Northern lights over dark or snowy mountains."""
    rng = canvas.rng
    hue = rng.choice(("green", "green", "purple", "teal"))
    backdrop.aurora(canvas, hue)
    starry = maybe_stars(canvas, 0.4)
    snowy = rng.random() < 0.25
    if snowy:
        backdrop.peaks(canvas, "blue")
    else:
        backdrop.mountains(canvas, "dark", (22, 38))
    backdrop.ground(canvas, rng.choice(("snow", "sea", "grass", "sea")))
    noun = maybe(canvas, hue, 0.45) + rng.choice(("aurora", "aurora", "northern lights"))
    kind = "snowy" if snowy else rng.choice(("dark", "dark", "dark", "black"))
    text = f"{noun} over {kind} mountains"
    return with_sky(canvas, text, starry) if rng.random() < 0.6 else text
