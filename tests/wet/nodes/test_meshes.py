"""Nodes of meshes, voxels and files of models."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import FilesError, NodeError
from engine.meshes.values import File3D, Mesh, Voxel
from engine.nodekit.context import RunningContext
from nodes.camera import create_camera
from nodes.load_3d import load_3d, load_advanced, load_animation
from nodes.mesh_files import (
    components,
    mesh_to_file,
    preview_3d,
    preview_advanced,
    save_advanced,
    save_glb,
)
from nodes.meshes import (
    apply_texture,
    mesh_info,
    render_mesh,
    render_uv_atlas,
    smooth_normals,
    voxel_to_mesh,
    voxel_to_mesh_basic,
)

PROMPT = {"9": {"class_type": "SaveGLB", "inputs": {}}}
CAMERA = {"position": {"x": 0, "y": 0, "z": 6}, "target": {"x": 0, "y": 0, "z": 0}, "fov": 35}


@pytest.fixture
def ctx(files):
    return RunningContext("9", files, prompt=PROMPT, extra={"workflow": {"nodes": []}})


def balls(*radii, size=24):
    axis = (torch.arange(size) + 0.5) * 2 / size - 1
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    return Voxel(torch.stack([radius - (x * x + y * y + z * z).sqrt() for radius in radii]))


def square():
    """A square of two triangles, with coordinates."""
    corners = [[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]
    return Mesh(
        torch.tensor([corners]),
        torch.tensor([[[0, 1, 2], [0, 2, 3]]]),
        uvs=torch.tensor([[[0.0, 1], [1, 1], [1, 0], [0, 0]]]),
    )


def put(files, name, content):
    path = files.folders("input")[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def model(files, name="3d/ball.glb"):
    return put(files, name, mesh_to_file(voxel_to_mesh(balls(0.5), "surface net", 0.0)).get_bytes())


def head_of(content):
    return json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])


def test_voxels_of_different_balls_become_a_filled_up_batch():
    mesh = voxel_to_mesh(balls(0.7, 0.4), "surface net", 0.0)
    large, small = mesh.surfaces()
    assert mesh.vertices.shape[0] == mesh.faces.shape[0] == 2
    assert mesh.vertex_counts.tolist() == [len(large.vertices), len(small.vertices)]
    for surface, radius in ((large, 0.7), (small, 0.4)):
        assert np.linalg.norm(surface.vertices, axis=1).mean() == pytest.approx(radius, abs=0.01)
    same = voxel_to_mesh_basic(balls(0.4), 0.0)
    assert same.vertex_counts is None
    assert torch.equal(voxel_to_mesh(balls(0.4), "basic", 0.0).vertices, same.vertices)


def test_nothing_above_the_threshold_says_the_highest_value():
    with pytest.raises(NodeError, match=r"threshold 0\.9; the highest value is 0\.4"):
        voxel_to_mesh(balls(0.5), "surface net", 0.9)
    with pytest.raises(NodeError, match="must have the shape"):
        voxel_to_mesh_basic(Voxel(torch.zeros(2, 2)), 0.5)


def test_a_batch_is_saved_as_files_with_the_workflow(ctx, files):
    save_glb(voxel_to_mesh(balls(0.7, 0.4), "basic", 0.0), ctx)
    assert [each["filename"] for each in ctx.shown["3d"]] == [
        "ComfyUI_00001_.glb",
        "ComfyUI_00002_.glb",
    ]
    path = files.folders("output")[0] / "3d" / "ComfyUI_00001_.glb"
    extras = head_of(path.read_bytes())["asset"]["extras"]
    assert json.loads(extras["prompt"]) == PROMPT
    assert json.loads(extras["workflow"]) == {"nodes": []}


def test_files_are_saved_in_their_format(ctx, files):
    save_glb(File3D(b"solid a", "stl"), ctx)
    save_glb(mesh_to_file(square()), ctx)
    one, other = ctx.shown["3d"]
    folder = files.folders("output")[0] / "3d"
    assert (folder / one["filename"]).read_bytes() == b"solid a"
    assert one["filename"].endswith(".stl")
    assert "prompt" in head_of((folder / other["filename"]).read_bytes())["asset"]["extras"]
    with pytest.raises(NodeError, match="cannot be saved"):
        save_glb(File3D(b"x", "../x"), ctx)
    with pytest.raises(NodeError, match="int arrived"):
        save_glb(5, ctx)


def test_a_mesh_survives_a_file():
    given = apply_texture(square(), torch.rand(1, 4, 4, 3), roughness=torch.rand(1, 2, 2, 3))
    found = components(mesh_to_file(given))
    assert torch.equal(found.vertices, given.vertices)
    assert torch.equal(found.uvs, given.uvs)
    assert found.texture == pytest.approx(given.texture)
    assert found.metallic_roughness.shape == (1, 2, 2, 3)
    assert found.metallic_roughness[0, 0, 0, 2] == 0  # no metal
    assert found.metallic_roughness[0, 0, 0, 0] == 1  # no occlusion


def test_textures_need_coordinates_and_a_normal_map_brings_normals():
    mesh = apply_texture(square(), torch.ones(1, 4, 4, 3), normal_map=torch.ones(1, 4, 4, 3))
    assert mesh.normals[0, 0].tolist() == [0, 0, 1]
    assert mesh.tangents[0, 0].tolist() == [1, 0, 0, 1]
    with pytest.raises(NodeError, match="no texture coordinates"):
        apply_texture(voxel_to_mesh(balls(0.5), "basic", 0.0), torch.ones(1, 4, 4, 3))


def test_the_facts_of_a_mesh_are_shown_and_handed_on(ctx):
    mesh = smooth_normals(square())
    found = mesh_info(mesh, ctx)
    assert found.mesh is mesh
    assert found.info == "vertices: 4\nfaces: 2\nattributes: uvs, normals"
    assert ctx.shown["text"] == [found.info]
    many = mesh_info(voxel_to_mesh(balls(0.9, 0.8, size=48), "surface net", 0.0), ctx)
    assert many.info.startswith("meshes: 2\nvertices: ")
    assert "K)" in many.info


def test_a_mesh_is_drawn_where_the_camera_sees_it(ctx):
    image, mask = render_mesh(square(), "solid", ctx, 128, 64, "#00ff00", None, CAMERA)
    assert image.shape == (1, 64, 128, 3)
    side = 2 / (2 * 6 * math.tan(math.radians(17.5))) * 64
    assert mask.sum().sqrt() == pytest.approx(side, abs=1.5)
    assert image[0, 0, 0].tolist() == [0, 1, 0]
    assert image[0, 32, 64].min() > 0.8
    red = torch.zeros(1, 2, 2, 3)
    red[..., 0] = 1
    image, _ = render_mesh(apply_texture(square(), red), "auto", ctx, 64, 64, "#000", None, CAMERA)
    assert image[0, 32, 32].tolist() == pytest.approx([1, 0, 0])


def test_a_placement_moves_turns_and_scales(ctx):
    turned = {
        "position": {"x": 1, "y": 0, "z": 0},
        "rotation": {"x": 0, "y": 0, "z": math.pi / 4},
        "scale": {"x": 0.5, "y": 0.5, "z": 0.5},
    }
    _, mask = render_mesh(square(), "solid", ctx, 256, 256, "#000000", [turned], CAMERA)
    rows, columns = np.nonzero(mask[0].numpy())
    unit = 256 / (2 * 6 * math.tan(math.radians(17.5)))
    assert columns.mean() == pytest.approx(128 + unit, abs=1)
    assert np.ptp(rows) == pytest.approx(math.sqrt(2) * unit, abs=3)  # it stands on a corner
    with pytest.raises(NodeError, match="placement"):
        render_mesh(square(), "solid", ctx, 64, 64, "#000000", [3], CAMERA)
    with pytest.raises(NodeError, match="camera cannot be read"):
        render_mesh(square(), "solid", ctx, 64, 64, "#000000", None, {"position": 1})


def test_the_layout_of_a_texture_is_drawn(ctx):
    picture = render_uv_atlas(square(), ctx, 64)
    assert picture.shape == (1, 64, 64, 3)
    assert picture[0, 0].sum() == 0  # its border
    assert picture[0, 20, 40].max() > 0.5
    with pytest.raises(NodeError, match="no texture coordinates"):
        render_uv_atlas(voxel_to_mesh(balls(0.5), "basic", 0.0), ctx, 64)


def test_pictures_that_the_editor_drew_are_loaded(ctx, files):
    path = model(files)
    for name, color in (("scene.png", (255, 0, 0)), ("normal.png", (128, 128, 255))):
        Image.new("RGB", (8, 4), color).save(files.folders("input")[0] / name)
    drawn = Image.new("L", (8, 4))
    drawn.paste(255, (0, 0, 4, 4))
    drawn.save(files.folders("input")[0] / "mask.png")
    view = {"image": "scene.png", "mask": "mask.png", "normal": "normal.png", "camera_info": CAMERA}
    found = load_3d("3d/ball.glb", view, ctx, 8, 4)
    assert found.image[0, 0, 0].tolist() == [1, 0, 0]
    assert found.mask[0].sum(1).tolist() == [4, 4, 4, 4]
    assert found.normal.shape == (1, 4, 8, 3)
    assert found.camera_info == CAMERA
    assert found.mesh_path == str(path)
    assert found.recording_video is None
    assert found.model_3d.format == "glb"
    assert load_animation("3d/ball.glb", view, ctx, 8, 4).camera_info == CAMERA


def test_without_pictures_they_are_drawn(ctx, files):
    model(files)
    found = load_3d("3d/ball.glb", "", ctx, 96, 64)
    assert found.image.shape == (1, 64, 96, 3)
    assert found.normal.shape == (1, 64, 96, 3)
    middle = found.normal[0, 32, 48]
    assert middle.tolist() == pytest.approx([0.5, 0.5, 1], abs=0.06)
    assert 0.1 < found.mask.mean() < 0.5
    again = load_3d("3d/ball.glb", {"camera_info": CAMERA}, ctx, 96, 64)
    assert again.camera_info == CAMERA
    assert again.mask.mean() < found.mask.mean()


def test_a_format_that_cannot_be_drawn_says_what_to_do(ctx, files):
    put(files, "3d/a.fbx", b"Kaydara FBX Binary")
    with pytest.raises(NodeError, match=r"a\.fbx.*FBX.*run it there"):
        load_3d("3d/a.fbx", "", ctx)
    with pytest.raises(FilesError, match="leads out"):
        load_3d("../a.glb", "", ctx)


def test_the_cache_follows_the_model_and_its_pictures(ctx, files):
    model(files)
    picture = files.folders("input")[0] / "scene.png"
    Image.new("RGB", (8, 4)).save(picture)
    given = {"model_file": "3d/ball.glb", "image": {"image": "scene.png"}}
    before = load_3d.fingerprint_of(given, ctx)
    Image.new("RGB", (8, 4), "red").save(picture)
    assert load_3d.fingerprint_of(given, ctx) != before


def test_the_view_of_an_advanced_node_is_handed_on(ctx, files):
    model(files)
    placement = [{"position": {"x": 1, "y": 2, "z": 3}}]
    view = {"camera_info": CAMERA, "model_3d_info": placement}
    found = load_advanced(ctx, "3d/ball.glb", view, 640, 480)
    assert found[1:] == (placement, CAMERA, 640, 480)
    assert load_advanced(ctx, "none", "") == (None, [], None, 1024, 1024)
    shown = preview_advanced(found.model_3d, ctx, view)
    assert shown.camera_info == CAMERA
    name, camera, where = ctx.shown["result"]
    assert name.startswith("preview3d_advanced_")
    assert name.endswith("_00001_.glb [temp]")
    assert (camera, where) == (CAMERA, placement)
    assert files.find_annotated(name).read_bytes() == found.model_3d.get_bytes()
    other = {**CAMERA, "zoom": 2}
    saved = save_advanced(found.model_3d, ctx, "3d/a", view, None, other)
    assert (saved.camera_info, saved.model_3d_info) == (other, placement)
    assert ctx.shown["3d"][0]["filename"] == "a_00001_.glb"
    assert ctx.shown["result"][3] == "3d/a_00001_.glb"


def test_a_preview_takes_a_name_a_path_or_a_file(ctx, files):
    path = model(files)
    output = files.folders("output")[0] / "b.glb"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(path.read_bytes())
    for given, shown in (
        ("b.glb", "b.glb"),
        ("3d/ball.glb [input]", "3d/ball.glb [input]"),
        (str(output), "b.glb"),
        (str(path), "3d/ball.glb [input]"),
    ):
        ctx.shown.clear()
        preview_3d(ctx, given, CAMERA)
        assert ctx.shown["result"] == [shown, CAMERA, None]
    ctx.shown.clear()
    preview_3d(ctx, File3D(path), None, torch.zeros(1, 4, 4, 3))
    name, camera, behind = ctx.shown["result"]
    assert name.endswith(".glb [temp]")
    assert camera is None
    assert behind.startswith("temp/preview_")
    for bad in ("/etc/passwd", "absent.glb", "../b.glb", ""):
        with pytest.raises((NodeError, FilesError)):
            preview_3d(ctx, bad)


@pytest.mark.parametrize(
    ("mode", "place"),
    [
        ({"mode": "orbit", "yaw": 90, "pitch": 0, "distance": 2}, (3, 1, 1)),
        ({"mode": "orbit", "yaw": 0, "pitch": 30, "distance": 2}, (1, 2, 1 + 3**0.5)),
        ({"mode": "look_at", "position_x": 1, "position_y": 2, "position_z": 3}, (1, 2, 3)),
    ],
)
def test_a_camera_is_made(mode, place):
    camera = create_camera(mode, 1.0, 1.0, 1.0).camera_info
    assert tuple(camera["position"].values()) == pytest.approx(place)
    assert camera["target"] == {"x": 1, "y": 1, "z": 1}


def test_a_camera_with_a_rotation_looks_along_it():
    half = 0.5**0.5
    mode = {"mode": "quaternion", "position_x": 0, "position_y": 0, "position_z": 0}
    mode |= {"quat_x": 0, "quat_y": 2 * half, "quat_z": 0, "quat_w": 2 * half}
    camera = create_camera(mode).camera_info
    assert tuple(camera["target"].values()) == pytest.approx((-1, 0, 0))
    assert tuple(camera["quaternion"].values()) == pytest.approx((0, half, 0, half))
