"""The composed demo scenes, with the skies and horizons that each may have.

The compositions are loose enough for variety and tight enough for a very small network.  Freely
mixed scenes are in free.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tools.demo_model import made_themes, wild_themes
from tools.demo_model.canvas import Canvas


@dataclass(frozen=True)
class Theme:
    """A way to draw one kind of picture, and the skies and horizons it is drawn with."""

    name: str
    draw: Callable[[Canvas], str]
    skies: dict[str, int]  # name of the sky, weight
    horizon: tuple[float, float] = (66, 82)
    weight: int = 1


ANY: Mapping[str, int] = {"day": 4, "sunset": 3, "dusk": 2, "night": 3, "dawn": 2, "pink": 1}
LIGHT: Mapping[str, int] = {"day": 4, "sunset": 3, "dawn": 2, "pink": 1}
THEMES: tuple[Theme, ...] = (
    Theme("sun over mountains", wild_themes.sun_over_mountains, LIGHT, weight=2),
    Theme("moon over snowy mountains", wild_themes.moon_over_snowy_mountains, {"night": 1}),
    Theme("boat", made_themes.boat_on_the_sea, ANY | {"sunset": 6}, weight=2),
    Theme("house on a hill", made_themes.house_on_a_hill, ANY),
    Theme("pines in the snow", wild_themes.pines_in_the_snow, ANY),
    Theme(
        "cactuses",
        wild_themes.cactuses_in_the_desert,
        {"day": 6, "sunset": 3, "dawn": 1, "night": 1},
    ),
    Theme("city", made_themes.city, {"night": 6, "dusk": 2, "sunset": 1, "day": 1}, (84, 96)),
    Theme("lighthouse", made_themes.lighthouse_by_the_sea, ANY, (80, 92)),
    Theme("tent", made_themes.tent_and_campfire, {"night": 6, "dusk": 2, "day": 1}),
    Theme("castle", made_themes.castle_on_a_hill, ANY | {"dusk": 5}, (78, 90)),
    Theme("balloon", made_themes.balloon_over_hills, LIGHT, (78, 92)),
    Theme("mountains", wild_themes.mountains_under_the_sky, ANY | {"pink": 6}, weight=2),
    Theme("flowers", wild_themes.field_of_flowers, LIGHT, (52, 66)),
    Theme("island", wild_themes.island_with_palms, ANY, (72, 84)),
    Theme("snowman", made_themes.snowman, ANY, (64, 76)),
    Theme("aurora", wild_themes.aurora, {"night": 1}, (76, 90)),
)
