"""Normals, tangents, cameras and pictures of shapes that are known."""

import numpy as np
import pytest

from engine.meshes.camera import framing, looking, quaternion_of, turned, view_of
from engine.meshes.drawing import draw, look, mask
from engine.meshes.extraction import blocks, surface_net
from engine.meshes.shading import bounds, smoothed, with_tangents
from tests.wet.meshes.shapes import ball, cube, textured_cube

FRONT = {
    "position": {"x": 0, "y": 0, "z": 5},
    "target": {"x": 0, "y": 0, "z": 0},
    "zoom": 1,
    "fov": 53.13010235415598,  # sees one unit up and down at a distance of two
    "cameraType": "perspective",
}
BLACK = np.zeros(3, np.float32)


def seen(surface, camera, size=(64, 64)):
    view = view_of(camera)
    return look(surface, view, size, lambda: None), view


def test_normals_of_a_ball_point_outwards():
    found = smoothed(surface_net(ball(0.7), 0.0))
    outwards = found.vertices / np.linalg.norm(found.vertices, axis=1, keepdims=True)
    assert (found.normals * outwards).sum(1).min() > 0.99


def test_hard_edges_split_vertices():
    block = blocks(np.ones((1, 1, 1), np.float32), 0.5)
    soft = smoothed(block)
    assert len(soft.vertices) == 8
    assert np.abs(soft.normals) == pytest.approx(np.full((8, 3), 3**-0.5), abs=1e-6)
    hard = smoothed(block, 30)
    assert len(hard.vertices) == 24
    assert sorted(set(map(tuple, hard.normals.round(3).tolist()))) == [
        (-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, 1), (0, 1, 0), (1, 0, 0),
    ]  # fmt: skip


def test_seams_of_coordinates_do_not_show():
    found = smoothed(cube())  # each corner is three vertices at one place
    assert np.abs(found.normals) == pytest.approx(np.full((24, 3), 3**-0.5), abs=1e-6)


def test_tangents_follow_u_and_stand_on_normals():
    found = with_tangents(smoothed(cube(), 30))
    assert np.abs((found.tangents[:, :3] * found.normals).sum(1)).max() < 1e-6
    triangle = found.faces[0]
    sides = found.vertices[triangle[1:]] - found.vertices[triangle[0]]
    steps = found.uvs[triangle[1:]] - found.uvs[triangle[0]]
    along = np.linalg.solve(steps, sides)[0]
    assert found.tangents[triangle[0], :3] == pytest.approx(along / np.linalg.norm(along), abs=1e-5)


def test_a_square_covers_the_pixels_that_perspective_says():
    # The front of the cube is 4 away, where the camera sees 2 up and down: half of the picture.
    found, _ = seen(cube(), FRONT)
    assert mask(found).sum() == 32 * 32
    assert mask(found)[16:48, 16:48].all()
    assert found.depths == pytest.approx(np.full(32 * 32, 4.0))


def test_zoom_and_parallel_projection():
    assert mask(seen(cube(), {**FRONT, "zoom": 1.5})[0]).sum() == 48 * 48
    parallel = {**FRONT, "cameraType": "orthographic", "frustum": {"top": 4, "bottom": -4}}
    assert mask(seen(cube(), parallel)[0]).sum() == 16 * 16


def test_depth_normals_and_texture():
    found, view = seen(textured_cube(), FRONT)
    normal = draw(textured_cube(), found, view, "normal", BLACK)
    assert normal[32, 32] == pytest.approx([0.5, 0.5, 1])
    assert normal[0, 0].tolist() == [0, 0, 0]
    picture = draw(textured_cube(), found, view, "texture", BLACK)
    # The front's u goes right and v up in `cube`, so the texture stands on its head.
    assert picture[44, 20] == pytest.approx([1, 0, 0], abs=0.01)
    assert picture[20, 20] == pytest.approx([0, 0, 1], abs=0.01)
    assert picture[44, 44] == pytest.approx([0, 1, 0], abs=0.01)
    tilted = {**FRONT, "position": {"x": 3, "y": 3, "z": 3}}
    found, view = seen(cube(), tilted)
    depth = draw(cube(), found, view, "depth", BLACK)
    assert depth.max() == 1
    assert depth[32, 32, 0] == pytest.approx(1, abs=0.05)  # the corner is nearest


def test_interpolation_is_straight_in_space():
    # The right half of a side that leads away takes fewer pixels.
    camera = {**FRONT, "position": {"x": -5, "y": 0, "z": 1.5}, "target": {"x": 0, "y": 0, "z": 1}}
    found, _ = seen(cube(), camera, (128, 128))
    places = (cube().vertices[cube().faces[found.faces]] * found.shares[..., None]).sum(1)
    view = view_of(camera)
    back = places @ view.world_to_camera[:3, :3].T + view.world_to_camera[:3, 3]
    x = 64 + back[:, 0] / -back[:, 2] * 64 / view.half_height
    assert x == pytest.approx(found.columns + 0.5, abs=1e-3)


def test_what_is_behind_the_camera_is_not_seen():
    camera = {**FRONT, "position": {"x": 0, "y": 0, "z": -9}, "target": {"x": 0, "y": 0, "z": -20}}
    assert not len(seen(cube(), camera)[0].faces)


def test_a_rotation_is_the_same_as_a_target():
    place = np.array([2.0, 3.0, 4.0])
    axes = looking(place, np.zeros(3), 20)
    assert turned(quaternion_of(axes)) == pytest.approx(axes)
    one = view_of({**FRONT, "position": dict(zip("xyz", place.tolist(), strict=True))})
    axes = looking(place, np.zeros(3))
    quaternion = dict(zip("xyzw", quaternion_of(axes), strict=True))
    other = view_of(
        {"position": dict(zip("xyz", place.tolist(), strict=True)), "quaternion": quaternion}
    )
    assert one.world_to_camera == pytest.approx(other.world_to_camera)


def test_framing_shows_all_of_a_surface():
    for size in ((64, 64), (32, 96), (96, 32)):
        low, high = bounds(cube())
        found, _ = seen(cube(), framing(low, high, size[1] / size[0]), size)
        shown = mask(found)
        assert shown.any()
        edges = shown[0].sum() + shown[-1].sum() + shown[:, 0].sum() + shown[:, -1].sum()
        assert edges == 0


@pytest.mark.parametrize(
    "camera",
    [{}, {"position": 3}, {"position": {"x": "a", "y": 0, "z": 0}},
     {"position": {"x": float("nan"), "y": 0, "z": 0}}, {**FRONT, "zoom": "large"}],
)  # fmt: skip
def test_a_camera_that_is_none(camera):
    with pytest.raises((ValueError, TypeError), match="should be"):
        view_of(camera)
