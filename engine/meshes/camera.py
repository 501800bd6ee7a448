"""Cameras: LOAD3D_CAMERA values as matrices.

The value is a dictionary of the incumbent's editor: `position` and `target` with x, y and z, y up;
`zoom`; `fov`, the degrees from top to bottom; `cameraType`, `perspective` or `orthographic`; and
maybe `quaternion`, the camera's rotation, which looks along its negative z axis; `frustum` with
`top` and `bottom` of an orthographic one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Matrix = NDArray[np.float64]
FIELD = 35.0
"""Degrees that a camera sees from top to bottom, where it does not say."""


@dataclass(frozen=True, slots=True)
class View:
    """A camera that takes a picture.

    Attributes:
        world_to_camera: [4, 4]; the camera looks along its negative z axis.
        orthographic: whether lines stay parallel.
        half_height: half of what it sees from bottom to top, at a distance of 1 if it is not
            orthographic.
    """

    world_to_camera: Matrix
    orthographic: bool
    half_height: float


def view_of(info: Mapping[str, Any]) -> View:
    """The camera of a LOAD3D_CAMERA value.

    Raises:
        ValueError: a part of it is missing, or is no finite number.
        TypeError: a part of it has no coordinates.
    """
    place = _vector(info.get("position"), "position")
    zoom = _number(info.get("zoom", 1.0), "zoom") or 1.0
    turn = info.get("quaternion")
    if isinstance(turn, Mapping):
        axes = turned([_number(turn.get(name), f"quaternion.{name}") for name in "xyzw"])
    else:
        axes = looking(place, _vector(info.get("target", {"x": 0, "y": 0, "z": 0}), "target"))
    matrix = np.eye(4)
    matrix[:3, :3] = axes
    matrix[:3, 3] = -axes @ place
    field = min(max(_number(info.get("fov", FIELD), "fov"), 1.0), 179.0)
    half = math.tan(math.radians(field) / 2)
    if info.get("cameraType") != "orthographic":
        return View(matrix, orthographic=False, half_height=half / zoom)
    frustum = info.get("frustum")
    if isinstance(frustum, Mapping):
        top, bottom = (_number(frustum.get(name), f"frustum.{name}") for name in ("top", "bottom"))
        return View(matrix, orthographic=True, half_height=abs(top - bottom) / 2 / zoom)
    target = _vector(info.get("target", {"x": 0, "y": 0, "z": 0}), "target")
    distance = float(np.linalg.norm(place - target)) or 1.0
    return View(matrix, orthographic=True, half_height=half * distance / zoom)


def framing(low: NDArray[Any], high: NDArray[Any], aspect: float = 1.0) -> dict[str, Any]:
    """A camera in front of a box that shows all of it.

    Args:
        low: [3], the corner of the box with the lowest coordinates.
        high: [3], the other one.
        aspect: width of the picture by its height.
    """
    middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2 or 1.0
    field = math.radians(FIELD) / 2
    if aspect < 1:
        field = math.atan(math.tan(field) * aspect)
    distance = radius / math.sin(field) * 1.05
    x, y, z = (float(each) for each in middle)
    return {
        "position": {"x": x, "y": y, "z": z + distance},
        "target": {"x": x, "y": y, "z": z},
        "zoom": 1.0,
        "cameraType": "perspective",
        "fov": FIELD,
    }


def looking(place: Matrix, target: Matrix, roll: float = 0.0) -> Matrix:
    """The axes of a camera as rows: right, up, backwards.

    Args:
        place: [3], where it is.
        target: [3], what it looks at.
        roll: degrees around the line of sight, to the left as the camera sees it.
    """
    back = place - target
    back = back / (np.linalg.norm(back) or 1.0)
    if not back.any():
        back = np.array([0.0, 0.0, 1.0])
    up = np.array([0.0, 1.0, 0.0])
    if abs(back @ up) > 1 - 1e-9:
        up = np.array([0.0, 0.0, -math.copysign(1.0, back[1])])
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    angle = math.radians(roll)
    return np.stack(
        [
            right * math.cos(angle) + up * math.sin(angle),
            up * math.cos(angle) - right * math.sin(angle),
            back,
        ]
    )


def turned(quaternion: Sequence[float]) -> Matrix:
    """The axes of a camera as rows, of its rotation x, y, z and w, of any length."""
    x, y, z, w = np.array(quaternion) / (np.linalg.norm(quaternion) or 1.0)
    columns = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return columns.T


def quaternion_of(axes: Matrix) -> tuple[float, float, float, float]:
    """The rotation x, y, z and w of a camera with these axes as rows; w is not negative."""
    x, y, z, w = Rotation.from_matrix(axes.T).as_quat(canonical=True)
    return float(x), float(y), float(z), float(w)


def _vector(value: Any, name: str) -> Matrix:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} should be an object with x, y and z, and is {value!r}")
    return np.array([_number(value.get(axis), f"{name}.{axis}") for axis in "xyz"])


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} should be a number, and is {value!r}")
    return float(value)
