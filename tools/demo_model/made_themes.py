"""Composed demo scenes around man-made objects.

Each function draws one kind of picture on a fresh canvas and returns its caption.
"""

from tools.demo_model import backdrop, landmarks, nature
from tools.demo_model.canvas import Canvas
from tools.demo_model.composing import also, heavenly_body, maybe, maybe_stars, with_sky
from tools.demo_model.palette import COLOURS, MOUNTAIN_COLOURS, with_article

HILL_GREENS = ((96, 160, 76), (84, 148, 70))


def boat_on_the_sea(canvas: Canvas) -> str:
    """A sailing boat, sometimes before mountains."""
    rng = canvas.rng
    starry = maybe_stars(canvas, 0.5)
    body, x = heavenly_body(canvas, 0.75)
    far = rng.random() < 0.2
    hue = rng.choice(MOUNTAIN_COLOURS)
    if far:
        backdrop.mountains(canvas, hue, (20, 32))
    backdrop.ground(canvas, "sea")
    if body:
        backdrop.reflection(
            canvas, x, COLOURS["orange" if canvas.sky.name == "sunset" else "white"]
        )
    sail = rng.choice(("white", "white", "red", "yellow", "blue", "orange"))
    landmarks.sailing_boat(
        canvas,
        rng.uniform(36, 92),
        canvas.ground(rng.uniform(0.3, 0.6)),
        rng.uniform(17, 25),
        COLOURS[sail],
    )
    named = sail + " " if rng.random() < 0.5 else ""
    noun = with_article(named + rng.choice(("sailing boat", "sailing boat", "sailboat", "boat")))
    text = f"{noun} on {rng.choice(('the sea', 'the sea', 'the ocean', 'the water', 'a lake'))}"
    return (
        with_sky(canvas, text, starry)
        + also(canvas, body, 0.5)
        + also(canvas, (far and f"{hue} mountains") or "")
    )


def house_on_a_hill(canvas: Canvas) -> str:
    """A house on top of a round hill."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    body, _ = heavenly_body(canvas, 0.5)
    backdrop.ground(canvas, "grass")
    x, wall = rng.uniform(44, 84), rng.choice(("white", "red", "yellow", "blue"))
    top = backdrop.mound(
        canvas,
        x,
        rng.uniform(20, 32),
        rng.uniform(30, 42),
        rng.choice(HILL_GREENS),
    )
    width = rng.uniform(25, 36)
    landmarks.house(canvas, x, top + 5, width, COLOURS[wall])
    green = maybe(canvas, "green", 0.75)
    size = maybe(canvas, "small", 0.7 if width < 32 else 0.3)
    noun = with_article(size + maybe(canvas, wall) + rng.choice(("house", "house", "cottage")))
    return with_sky(canvas, f"{noun} on a {green}hill", starry) + also(canvas, body, 0.5)


def city(canvas: Canvas) -> str:
    """A skyline, lit in the dark."""
    rng = canvas.rng
    starry = maybe_stars(canvas, 0.6)
    body, _ = heavenly_body(canvas, 0.5)
    lit = canvas.sky.dark or canvas.sky.name == "sunset"
    backdrop.city(canvas, lit)
    backdrop.ground(canvas, rng.choice(("grass", "sea", "sea", "grass")))
    nouns = ["a city", "a city", "a big city", "a city skyline", "city buildings", "tall buildings"]
    text = with_sky(canvas, rng.choice(nouns), starry)
    return text + also(canvas, (lit and "lit windows") or "", 0.25) + also(canvas, body, 0.5)


def lighthouse_by_the_sea(canvas: Canvas) -> str:
    """A lighthouse on its rock."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    body, _ = heavenly_body(canvas, 0.45)
    backdrop.ground(canvas, "sea")
    x, y = rng.uniform(32, 96), canvas.ground(rng.uniform(0.18, 0.4))
    stripe = rng.choice(("red", "red", "red", "blue"))
    landmarks.rock(canvas, x, y, rng.uniform(26, 36))
    landmarks.lighthouse(canvas, x, y, rng.uniform(46, 58), COLOURS[stripe])
    noun = with_article(
        rng.choice(("", "", "", "striped ", f"{stripe} and white ", f"{stripe} ")) + "lighthouse"
    )
    places = ("by the sea", "by the sea", "by the ocean", "on a rock in the sea", "by the water")
    text = f"{noun} {rng.choice(places)}"
    return with_sky(canvas, text, starry) + also(canvas, body, 0.5)


def tent_and_campfire(canvas: Canvas) -> str:
    """A tent, mostly with a fire next to it."""
    rng = canvas.rng
    starry = canvas.sky.dark and rng.random() < 0.85
    if starry:
        backdrop.stars(canvas, rng.randint(18, 30))
    body, _ = heavenly_body(canvas, 0.25)
    if rng.random() < 0.25:
        backdrop.mountains(canvas, rng.choice(("blue", "purple", "grey")), (22, 36))
    backdrop.ground(canvas, "grass")
    side, cloth = rng.choice((-1, 1)), rng.choice(("red", "orange", "blue", "yellow", "green"))
    y, size = canvas.ground(rng.uniform(0.35, 0.6)), rng.uniform(22, 28)
    x = 64 - side * rng.uniform(16, 24)
    landmarks.tent(canvas, x, y, size, COLOURS[cloth])
    fire = rng.random() < 0.85
    if fire:
        nature.campfire(
            canvas,
            x + side * (size + rng.uniform(15, 20)),
            y + rng.uniform(2, 6),
            rng.uniform(11, 14),
        )
    noun = with_article(maybe(canvas, cloth, 0.4) + "tent")
    if fire:
        noun += " " + rng.choice(
            (
                "beside a campfire",
                "beside a campfire",
                "and a campfire",
                "next to a fire",
                "by a campfire",
            )
        )
    return with_sky(canvas, noun, starry) + also(canvas, body, 0.5)


def castle_on_a_hill(canvas: Canvas) -> str:
    """A castle on a broad hill."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    body, _ = heavenly_body(canvas, 0.4)
    backdrop.ground(canvas, rng.choice(("grass", "grass", "sea")))
    x, roof = rng.uniform(52, 76), rng.choice(("red", "blue", "red", "purple"))
    top = backdrop.mound(
        canvas,
        x,
        rng.uniform(12, 22),
        rng.uniform(42, 56),
        rng.choice(HILL_GREENS),
    )
    landmarks.castle(canvas, x, top + 6, rng.uniform(21, 26), COLOURS[roof])
    noun = with_article(rng.choice(("", "", "", "big ", "stone ")) + "castle")
    text = f"{noun} on a {maybe(canvas, 'green', 0.25)}hill"
    return (
        with_sky(canvas, text, starry)
        + also(canvas, body, 0.5)
        + also(canvas, f"{roof} roofs", 0.15)
    )


def balloon_over_hills(canvas: Canvas) -> str:
    """A balloon in the sky over round hills."""
    rng = canvas.rng
    body, _ = heavenly_body(canvas, 0.2)
    words = backdrop.clouds(canvas) if rng.random() < 0.3 else ""
    hue = rng.choice(("green", "green", "green", "yellow", "purple", "blue"))
    backdrop.hills(canvas, hue)
    backdrop.ground(canvas, "grass")
    cloth = rng.choice(("red", "red", "yellow", "blue", "orange", "pink"))
    landmarks.balloon(
        canvas, rng.uniform(34, 94), rng.uniform(28, 40), rng.uniform(16, 22), COLOURS[cloth]
    )
    noun = with_article(
        maybe(canvas, cloth)
        + rng.choice(("hot-air balloon", "hot-air balloon", "hot air balloon", "balloon"))
    )
    text = f"{noun} {rng.choice(('over', 'over', 'above', 'flying over'))} {hue} hills"
    return with_sky(canvas, text) + also(canvas, words or body, 0.5)


def snowman(canvas: Canvas) -> str:
    """A snowman, mostly in front of a house."""
    rng = canvas.rng
    starry = maybe_stars(canvas)
    body, _ = heavenly_body(canvas, 0.3)
    backdrop.ground(canvas, "snow")
    side, wall = rng.choice((-1, 1)), rng.choice(("red", "blue", "yellow", "brown"))
    with_house = rng.random() < 0.75
    if with_house:
        landmarks.house(
            canvas,
            64 + side * rng.uniform(16, 24),
            canvas.ground(rng.uniform(0.12, 0.25)),
            rng.uniform(44, 54),
            COLOURS[wall],
        )
    x = 64 - side * rng.uniform(16, 26) if with_house else rng.uniform(40, 88)
    landmarks.snowman(
        canvas,
        x,
        canvas.ground(rng.uniform(0.6, 0.8)),
        rng.uniform(13, 15.5),
        COLOURS[rng.choice(("red", "blue", "green"))],
    )
    if not with_house:
        return with_sky(
            canvas,
            rng.choice(("a snowman", "a snowman in the snow", "a snowman on a snowy field")),
            starry,
        )
    noun = with_article(maybe(canvas, wall, 0.4) + "house")
    text = (
        f"a snowman {rng.choice(('in front of', 'in front of', 'beside', 'and', 'next to'))} {noun}"
    )
    return with_sky(canvas, text, starry) + also(canvas, body, 0.4)
