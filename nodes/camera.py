"""A camera around a subject, and what it sees in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.meshes.camera import looking, quaternion_of, turned
from engine.nodekit.contract import node
from engine.nodekit.markers import DynamicCombo, Options, Range, Text
from nodes.sockets import Camera, Image

DISTANCE = 6.0
FIELD = 35
"""Degrees that the camera sees from top to bottom."""
VIEWS = (
    *("front view", "front-right quarter view", "right side view", "back-right quarter view"),
    *("back view", "back-left quarter view", "left side view", "front-left quarter view"),
)
LOWEST, HIGHEST = -30, 60


_Place = Annotated[float, Range(-1000.0, 1000.0)]
_Unit = Annotated[float, Range(-1.0, 1.0)]


class Placed(NamedTuple):
    """A camera for nodes of three dimensions."""

    camera_info: Camera


class Angle(NamedTuple):
    """A camera for nodes of three dimensions, and its view in words."""

    camera_info: Camera
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


class _Orbit(NamedTuple):
    yaw: Annotated[float, Range(-360.0, 360.0)] = 35.0
    pitch: Annotated[float, Range(-89.0, 89.0)] = 30.0
    distance: Annotated[float, Range(0.01, 1000.0)] = 4.0


class _LookAt(NamedTuple):
    position_x: _Place = 4.0
    position_y: _Place = 4.0
    position_z: _Place = 4.0


class _Quaternion(NamedTuple):
    position_x: _Place = 4.0
    position_y: _Place = 4.0
    position_z: _Place = 4.0
    quat_x: _Unit = 0.0
    quat_y: _Unit = 0.0
    quat_z: _Unit = 0.0
    quat_w: _Unit = 1.0


@node("CreateCameraInfo", category="3d", display="Create Camera Info")
def create_camera(
    mode: Annotated[
        Mapping[str, Any],
        DynamicCombo({"orbit": _Orbit, "look_at": _LookAt, "quaternion": _Quaternion}),
    ],
    target_x: _Place = 0.0,
    target_y: _Place = 0.0,
    target_z: _Place = 0.0,
    roll: Annotated[float, Range(-180.0, 180.0)] = 0.0,
    fov: Annotated[float, Range(1.0, 120.0)] = 35.0,
    zoom: Annotated[float, Range(0.01, 100.0)] = 1.0,
    camera_type: Literal["perspective", "orthographic"] = "perspective",
) -> Placed:
    """A camera: around a target, at a place, or at a place with a rotation; y is up.

    Angles are in degrees. A quaternion is the rotation of a camera that looks along -z; the target
    then counts for nothing.
    """
    target = np.array([target_x, target_y, target_z], np.float64)
    if mode["mode"] == "orbit":
        yaw, pitch = math.radians(mode["yaw"]), math.radians(mode["pitch"])
        direction = (
            math.cos(pitch) * math.sin(yaw),
            math.sin(pitch),
            math.cos(pitch) * math.cos(yaw),
        )
        place = target + float(mode["distance"]) * np.array(direction)
    else:
        place = np.array([mode[f"position_{axis}"] for axis in "xyz"], np.float64)
    if mode["mode"] == "quaternion":
        axes = turned([mode[f"quat_{axis}"] for axis in "xyzw"])
        target = place - axes[2]
    else:
        axes = looking(place, target, roll)
    return Placed(
        {
            "position": _named(place),
            "target": _named(target),
            "zoom": zoom,
            "cameraType": camera_type,
            "quaternion": dict(zip("xyzw", quaternion_of(axes), strict=True)),
            "fov": fov,
        }
    )


def _named(place: NDArray[np.float64]) -> dict[str, float]:
    return {axis: float(value) for axis, value in zip("xyz", place, strict=True)}


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
