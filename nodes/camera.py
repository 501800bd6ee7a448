"""A camera around a subject, and what it sees in words."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

from engine.nodekit.contract import node
from engine.nodekit.markers import Options, Range, Socket, Text
from nodes.sockets import Image

CAMERA = Annotated[dict[str, Any], Socket("LOAD3D_CAMERA")]
DISTANCE = 6.0
FIELD = 35
"""Degrees that the camera sees from top to bottom."""
VIEWS = (
    *("front view", "front-right quarter view", "right side view", "back-right quarter view"),
    *("back view", "back-left quarter view", "left side view", "front-left quarter view"),
)
LOWEST, HIGHEST = -30, 60


class Angle(NamedTuple):
    """A camera for nodes of three dimensions, and its view in words."""

    camera_info: CAMERA
    prompt: str


@node("CameraAngle", category="conditioning", display="Compose Camera Angle Prompt")
def camera_angle(
    image: Image | None = None,
    horizontal_angle: Annotated[int, Range(0, 360, display="slider")] = 0,
    vertical_angle: Annotated[int, Range(LOWEST, HIGHEST, display="slider")] = 0,
    zoom: Annotated[float, Range(0.0, 10.0, step=0.1, display="slider")] = 5.0,
    view: Annotated[str, Text(multiline=False), Options(advanced=True)] = "camera",
) -> Angle:
    """A view of a subject as a camera, and in the words that image models were trained with.

    The subject is at the origin. Horizontally 0 degrees are its front and 90 its right side;
    vertically negative angles look up. `image` and `view` change nothing.
    """
    del image, view
    around = min(max(horizontal_angle, 0), 360)
    above = min(max(vertical_angle, LOWEST), HIGHEST)
    near = min(max(zoom, 0.0), 10.0)
    azimuth, elevation = math.radians(around), math.radians(above)
    camera = {
        "position": {
            "x": DISTANCE * math.cos(elevation) * math.sin(azimuth),
            "y": DISTANCE * math.sin(elevation),
            "z": DISTANCE * math.cos(elevation) * math.cos(azimuth),
        },
        "target": {"x": 0.0, "y": 0.0, "z": 0.0},
        "zoom": 1.0 + 0.875 * near / 10,
        "cameraType": "perspective",
        "fov": FIELD,
    }
    words = (VIEWS[int((around + 22.5) % 360 // 45)], _height(above), _nearness(near))
    return Angle(camera, " ".join(words))


def _height(degrees: float) -> str:
    if degrees < -15:
        return "low-angle shot"
    if degrees < 15:
        return "eye-level shot"
    return "elevated shot" if degrees < 45 else "high-angle shot"


def _nearness(zoom: float) -> str:
    if zoom < 2:
        return "wide shot"
    return "medium shot" if zoom < 6 else "close-up"
