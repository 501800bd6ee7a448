"""Made things of the demo scenes: houses, boats, lighthouses, tents, castles, balloons, snowmen.

Each function draws one object standing at (x, y) in canvas units; none of them chooses words.
"""

from tools.demo_model.canvas import Canvas
from tools.demo_model.palette import COLOURS, LAMPLIGHT, SNOW, Colour

GLASS: Colour = (172, 214, 238)
ROOFS: tuple[Colour, ...] = ((150, 60, 50), (96, 70, 60), (64, 70, 92))


def window_colour(canvas: Canvas) -> Colour:
    """Lit when it is dark outside."""
    return LAMPLIGHT if canvas.sky.dark or canvas.sky.name == "sunset" else canvas.shade(GLASS)


def house(canvas: Canvas, x: float, y: float, width: float, wall: Colour) -> None:
    """Walls, a roof (white in snow), a door and two windows."""
    height, roof = width * 0.66, SNOW if canvas.snowy else canvas.rng.choice(ROOFS)
    top = y - height
    canvas.box(x - width * 0.5, top, x + width * 0.5, y, canvas.shade(wall))
    canvas.polygon(
        [(x - width * 0.64, top), (x + width * 0.64, top), (x, top - width * 0.5)],
        canvas.shade(roof),
    )
    canvas.box(x - width * 0.1, y - height * 0.6, x + width * 0.1, y, canvas.shade((84, 58, 44)))
    for side in (-0.32, 0.32):
        middle = x + side * width
        canvas.box(
            middle - 0.1 * width,
            y - height * 0.75,
            middle + 0.1 * width,
            y - height * 0.4,
            window_colour(canvas),
        )


def sailing_boat(canvas: Canvas, x: float, y: float, size: float, sail: Colour) -> None:
    """Size is half the hull's length; the mast is twice as tall."""
    hull = [
        (x - size, y),
        (x + size, y),
        (x + size * 0.65, y + size * 0.45),
        (x - size * 0.65, y + size * 0.45),
    ]
    canvas.polygon(hull, canvas.shade(COLOURS["brown"]))
    foot = y - size * 0.12
    canvas.box(x - 0.8, y - size * 1.95, x + 0.8, y, canvas.shade((92, 62, 44)))
    canvas.polygon(
        [(x + 1.2, foot), (x + 1.2, y - size * 1.9), (x + size * 0.98, foot)], canvas.shade(sail)
    )
    canvas.polygon(
        [(x - 1.2, foot), (x - 1.2, y - size * 1.5), (x - size * 0.8, foot)],
        canvas.shade(sail, 0.86),
    )


def lighthouse(canvas: Canvas, x: float, y: float, height: float, stripe: Colour) -> None:
    """A striped tower; y is its foot, height does not count the lantern."""
    width = height * 0.16
    for tier in range(5):
        low, high = width * (1 - 0.08 * tier), width * (1 - 0.08 * (tier + 1))
        bottom, top = y - height * tier / 5, y - height * (tier + 1) / 5
        colour = canvas.shade(stripe if tier % 2 == 0 else COLOURS["white"])
        canvas.polygon(
            [(x - low, bottom), (x + low, bottom), (x + high, top), (x - high, top)], colour
        )
    canvas.box(
        x - width * 0.85,
        y - height * 1.04,
        x + width * 0.85,
        y - height,
        canvas.shade((60, 62, 76)),
    )
    light = (
        LAMPLIGHT
        if canvas.sky.dark or canvas.sky.name == "sunset"
        else canvas.shade((250, 236, 160))
    )
    canvas.box(x - width * 0.5, y - height * 1.18, x + width * 0.5, y - height * 1.04, light)
    top = y - height * 1.18
    canvas.polygon(
        [(x - width * 0.8, top), (x + width * 0.8, top), (x, top - height * 0.17)],
        canvas.shade(stripe),
    )


def rock(canvas: Canvas, x: float, y: float, width: float) -> None:
    """A low island of stone around (x, y)."""
    colour = (112, 100, 94)
    canvas.polygon(
        [
            (x - width, y + 9),
            (x - width * 0.75, y),
            (x - width * 0.3, y - 3),
            (x + width * 0.35, y - 3),
            (x + width * 0.8, y + 1),
            (x + width, y + 9),
        ],
        canvas.shade(colour),
    )
    canvas.ellipse(x, y + 9, width, 3.5, canvas.shade(colour, 0.82))


def tent(canvas: Canvas, x: float, y: float, size: float, cloth: Colour) -> None:
    """Size is half the width; the tent is open in the middle, and lit from inside in the dark."""
    top = y - size * 1.15
    canvas.polygon([(x - size, y), (x + size, y), (x, top)], canvas.shade(cloth))
    canvas.polygon([(x, top), (x + size, y), (x + size * 0.4, y)], canvas.shade(cloth, 0.78))
    inside: Colour = (255, 206, 110) if canvas.sky.dark else (72, 54, 50)
    canvas.polygon([(x - size * 0.3, y), (x + size * 0.3, y), (x, y - size * 0.8)], inside)


def castle(canvas: Canvas, x: float, y: float, size: float, roof: Colour) -> None:
    """Two towers, a keep and a gate; size is half the distance of the towers."""
    stone, wall = canvas.shade((176, 170, 172)), canvas.shade((150, 144, 150))
    canvas.box(x - size, y - size * 0.8, x + size, y, wall)
    for tooth in (-0.55, -0.15, 0.25, 0.65):
        canvas.box(
            x + (tooth - 0.1) * size, y - size, x + (tooth + 0.1) * size, y - size * 0.75, wall
        )
    for side, tall, half in ((0, 1.45, 0.3), (-1, 1.2, 0.27), (1, 1.2, 0.27)):
        middle, top = x + side * size, y - size * tall
        canvas.box(
            middle - size * half,
            top,
            middle + size * half,
            y - (size * 0.7 if side == 0 else 0),
            stone,
        )
        tip = (middle, top - size * 0.62)
        canvas.polygon(
            [(middle - size * (half + 0.1), top), (middle + size * (half + 0.1), top), tip],
            canvas.shade(roof),
        )
        canvas.box(
            middle - size * 0.09,
            top + size * 0.15,
            middle + size * 0.09,
            top + size * 0.42,
            window_colour(canvas),
        )
    gate = canvas.shade((74, 52, 44))
    canvas.ellipse(x, y - size * 0.34, size * 0.2, size * 0.2, gate)
    canvas.box(x - size * 0.2, y - size * 0.34, x + size * 0.2, y, gate)


def balloon(canvas: Canvas, x: float, y: float, radius: float, cloth: Colour) -> None:
    """A striped hot-air balloon; (x, y) is the middle of the envelope."""
    colour = canvas.shade(cloth)
    canvas.polygon(
        [
            (x - radius * 0.86, y + radius * 0.5),
            (x + radius * 0.86, y + radius * 0.5),
            (x + radius * 0.24, y + radius * 1.4),
            (x - radius * 0.24, y + radius * 1.4),
        ],
        colour,
    )
    canvas.disc(x, y, radius, colour)
    canvas.ellipse(x, y, radius * 0.42, radius, canvas.shade(COLOURS["white"]))
    canvas.polygon(
        [
            (x - radius * 0.38, y + radius * 0.4),
            (x + radius * 0.38, y + radius * 0.4),
            (x + radius * 0.1, y + radius * 1.4),
            (x - radius * 0.1, y + radius * 1.4),
        ],
        canvas.shade(COLOURS["white"]),
    )
    canvas.box(
        x - radius * 0.28,
        y + radius * 1.55,
        x + radius * 0.28,
        y + radius * 2.0,
        canvas.shade(COLOURS["brown"]),
    )


def snowman(canvas: Canvas, x: float, y: float, size: float, scarf: Colour) -> None:
    """Three balls, hat, scarf and carrot.

    Size is the radius of the lowest ball; the whole is about 4.6 times as tall.
    """
    white, dark = canvas.shade((252, 252, 255)), canvas.shade((44, 44, 54))
    shadow, bottom = canvas.shade((206, 214, 232)), y
    middles = []
    for share in (1.0, 0.78, 0.6):
        radius = size * share
        canvas.disc(x, bottom - radius, radius, shadow)
        canvas.disc(x - radius * 0.1, bottom - radius * 1.08, radius * 0.9, white)
        middles.append(bottom - radius)
        bottom -= 1.7 * radius
    _, chest, head = middles
    canvas.box(
        x - size * 0.6,
        (chest + head) / 2 - size * 0.12,
        x + size * 0.6,
        (chest + head) / 2 + size * 0.16,
        canvas.shade(scarf),
    )
    brim = head - size * 0.42
    canvas.box(x - size * 0.72, brim - size * 0.16, x + size * 0.72, brim, dark)
    canvas.box(x - size * 0.44, brim - size * 0.75, x + size * 0.44, brim, dark)
    canvas.polygon(
        [(x, head - size * 0.02), (x + size * 0.75, head + size * 0.14), (x, head + size * 0.26)],
        canvas.shade(COLOURS["orange"]),
    )
    for side in (-0.22, 0.22):
        canvas.disc(x + side * size, head - size * 0.16, size * 0.1, dark)
    for button in (-0.3, 0.2):
        canvas.disc(x, chest + button * size, size * 0.11, dark)
