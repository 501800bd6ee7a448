"""Freely mixed demo scenes: any sky, far layer, ground and a few objects.

Their captions list the objects.  They make words independent of each other: a house may be in the
desert, a tree in the snow.
"""

from collections.abc import Mapping

from tools.demo_model import backdrop, landmarks, nature
from tools.demo_model.canvas import UNITS, Canvas
from tools.demo_model.composing import heavenly_body
from tools.demo_model.palette import COLOURS, MOUNTAIN_COLOURS, STAR_TAGS, with_article

SKIES: Mapping[str, int] = {"day": 4, "sunset": 3, "dusk": 2, "night": 3, "dawn": 2, "pink": 1}
OPENINGS = ("a picture of ", "a landscape with ", "a painting of ", "an illustration of ")


def far_layer(canvas: Canvas) -> str:
    """Mountains, hills or nothing."""
    rng = canvas.rng
    kind = rng.choices(("mountains", "peaks", "hills", ""), (4, 1, 2, 3))[0]
    if kind == "mountains":
        name, snowy = rng.choice(MOUNTAIN_COLOURS), rng.random() < 0.3
        backdrop.mountains(canvas, name, snowy=snowy)
        words = rng.choice((f"{name} mountains", f"{name} mountains", f"tall {name} mountains"))
        return (
            rng.choice((f"snowy {words}", f"{words} with snow", "snowy mountains"))
            if snowy
            else words
        )
    if kind == "peaks":
        name = rng.choice(("blue", "grey", "purple"))
        backdrop.peaks(canvas, name)
        return rng.choice(("snowy mountains", f"snowy {name} mountains"))
    if kind == "hills":
        name = rng.choice(("green", "yellow", "purple", "blue"))
        backdrop.hills(canvas, name)
        return f"{name} hills"
    return ""


def plant(canvas: Canvas, x: float) -> str:
    """A tree or some pines; the second place is anywhere."""
    rng = canvas.rng
    if rng.random() < 0.55:
        count = rng.choice((1, 2, 4))
        for share in sorted(rng.uniform(0.15, 0.6) for _ in range(count)):
            place = x if count == 1 else rng.random() * UNITS
            nature.pine(
                canvas, place, canvas.ground(share), rng.uniform(32, 44) * (0.75 + 0.5 * share)
            )
        return "a pine tree" if count == 1 else rng.choice(("pine trees", "a pine forest", "pines"))
    name, leaves = rng.choice(
        (
            ("", (84, 150, 74)),
            ("", (84, 150, 74)),
            ("orange ", (222, 132, 50)),
            ("pink ", (238, 150, 176)),
        )
    )
    nature.tree(canvas, x, canvas.ground(rng.uniform(0.15, 0.55)), rng.uniform(38, 52), leaves)
    return with_article((name or rng.choice(("", "green "))) + "tree")


def land_objects(canvas: Canvas, kind: str) -> list[str]:
    """A house, a plant, both or neither."""
    rng, words = canvas.rng, []
    places = [31.0, 97.0]  # two places, so that objects rarely cover each other
    rng.shuffle(places)
    if rng.random() < 0.5:
        wall = rng.choice(("red", "white", "blue", "yellow"))
        x, y = places.pop() + rng.uniform(-15, 15), canvas.ground(rng.uniform(0.25, 0.6))
        landmarks.house(canvas, x, y, rng.uniform(26, 38), COLOURS[wall])
        words.append(
            with_article(
                (wall + " " if rng.random() < 0.85 else "")
                + rng.choice(("house", "house", "cottage"))
            )
        )
    if rng.random() < 0.65:
        x = places.pop() + rng.uniform(-15, 15)
        if kind == "desert":
            nature.cactus(canvas, x, canvas.ground(rng.uniform(0.2, 0.6)), rng.uniform(30, 44))
            words.append("a cactus")
        else:
            words.append(plant(canvas, x))
    return words


def sea_objects(canvas: Canvas) -> list[str]:
    """A boat, a lighthouse or nothing."""
    rng = canvas.rng
    x = rng.uniform(26, 102)
    if rng.random() < 0.65:
        sail = rng.choice(("red", "white", "blue", "yellow", "orange"))
        landmarks.sailing_boat(
            canvas, x, canvas.ground(rng.uniform(0.25, 0.6)), rng.uniform(14, 21), COLOURS[sail]
        )
        return [
            rng.choice(
                (
                    f"a {sail} sailboat",
                    f"a sailboat with {sail} sails",
                    f"a {sail} boat",
                    f"a {sail} sailing boat",
                )
            )
        ]
    if rng.random() < 0.5:
        y = canvas.ground(0.25)
        landmarks.rock(canvas, x, y, 26)
        landmarks.lighthouse(canvas, x, y, rng.uniform(42, 52), COLOURS["red"])
        return ["a lighthouse"]
    return []


def caption(
    canvas: Canvas, body: str, far: str, objects: list[str], ground: str, sky: str, extra: str
) -> str:
    """Everything, or a part, or a single thing, in any order."""
    rng = canvas.rng
    parts = [part for part in (body, far) if part]
    if len(parts) == 2 and rng.random() < 0.5:
        parts = [" over ".join(parts)]
    parts += objects
    parts += [
        part
        for part, chance in ((ground, 0.75), (sky, 0.8), (extra, 0.7))
        if part and rng.random() < chance
    ]
    draw = rng.random()
    if draw < 0.4:
        rng.shuffle(parts)
    if draw > 0.9:
        parts = [rng.choice(parts or [sky])]
    text = ", ".join(parts or [ground, sky])
    return rng.choice(OPENINGS) + text if rng.random() < 0.15 else text


def free_scene(canvas: Canvas) -> str:
    """Draw layer by layer, then list what was drawn."""
    rng, sky = canvas.rng, canvas.sky
    sky_word, extra = rng.choice(sky.tags + sky.phrases[:1]), ""
    if sky.name == "night" and rng.random() < 0.6:
        backdrop.stars(canvas)
        sky_word = rng.choice(STAR_TAGS)
    body, x = heavenly_body(canvas, 0.8)
    if sky.name != "night" and rng.random() < 0.3:
        extra = backdrop.clouds(canvas)
    far = far_layer(canvas)
    kind = rng.choices(tuple(backdrop.GROUND_COLOURS), (4, 4, 2, 3))[0]
    backdrop.ground(canvas, kind)
    if kind == "sea" and body:
        backdrop.reflection(canvas, x, COLOURS["white"])
    objects = sea_objects(canvas) if kind == "sea" else land_objects(canvas, kind)
    if rng.random() < 0.06:
        cloth = rng.choice(("red", "yellow", "blue", "orange", "pink"))
        landmarks.balloon(
            canvas, rng.uniform(26, 102), rng.uniform(22, 34), rng.uniform(12, 16), COLOURS[cloth]
        )
        objects.append(
            with_article(f"{cloth} {rng.choice(('hot-air balloon', 'hot air balloon', 'balloon'))}")
        )
    return caption(
        canvas, body, far, objects, rng.choice(backdrop.GROUND_WORDS[kind]), sky_word, extra
    )
