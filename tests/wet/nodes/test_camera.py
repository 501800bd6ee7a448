"""Where a camera stands, and the words for it."""

import math

import pytest

from nodes.camera import camera_angle


@pytest.mark.parametrize(
    ("around", "above", "zoom", "words"),
    [
        (0, 0, 5.0, "front view eye-level shot medium shot"),
        (22, -16, 1.9, "front view low-angle shot wide shot"),
        (23, -15, 2.0, "front-right quarter view eye-level shot medium shot"),
        (90, 15, 6.0, "right side view elevated shot close-up"),
        (180, 45, 10.0, "back view high-angle shot close-up"),
        (333, 17, 5.0, "front-left quarter view elevated shot medium shot"),
        (360, 90, 20.0, "front view high-angle shot close-up"),
        (270, 0, -1.0, "left side view eye-level shot wide shot"),
    ],
)
def test_words(around, above, zoom, words):
    assert camera_angle(None, around, above, zoom).prompt == words


def test_the_camera_stands_six_units_away():
    camera = camera_angle(None, 90, 30, 10.0).camera_info
    place = camera["position"]
    assert math.dist(place.values(), (0, 0, 0)) == pytest.approx(6)
    assert place["x"] == pytest.approx(6 * math.cos(math.pi / 6))
    assert place["y"] == pytest.approx(3)
    assert place["z"] == pytest.approx(0, abs=1e-9)
    assert (camera["zoom"], camera["fov"]) == (1.875, 35)
