"""Nodes that make, change and draw meshes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch

from engine.errors import NodeError
from engine.meshes.drawing import Mode
from engine.meshes.extraction import blocks, surface_net
from engine.meshes.shading import smoothed, with_tangents
from engine.meshes.surface import BASE_COLOR, NORMAL_MAP, ORM, Pixels, Surface
from engine.meshes.uv_layout import draw_layout, within_square
from engine.meshes.values import Mesh as Value
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Socket
from nodes.image_scaling import scale
from nodes.mesh_pictures import automatic_mode, picture_of, placed
from nodes.sockets import Camera, Image, Mask, Mesh, Placement, Voxel

Threshold = Annotated[float, Range(-1.0, 1.0, step=0.01)]
Pictured = Annotated[int, Range(64, 4096, step=8)]
_ALGORITHMS: Mapping[str, Callable[..., Surface]] = {"surface net": surface_net, "basic": blocks}
_ATTRIBUTES = (
    *("uvs", "vertex_colors", "normals", "tangents"),
    *("texture", "metallic_roughness", "normal_map"),
)


class Described(NamedTuple):
    """A mesh, and what it has."""

    mesh: Mesh
    info: str


@node("VoxelToMesh", category="3d")
def voxel_to_mesh(
    voxel: Voxel,
    algorithm: Literal["surface net", "basic"],
    threshold: Threshold = 0.6,
) -> Mesh:
    """The surface of what exceeds the threshold: smooth, or `basic`, as the sides of cells.

    The longest side of the grid spans -1 to 1.
    """
    return _extracted(voxel, _ALGORITHMS[algorithm], threshold)


@node("VoxelToMeshBasic", category="3d")
def voxel_to_mesh_basic(voxel: Voxel, threshold: Threshold = 0.6) -> Mesh:
    """The surface of what exceeds the threshold, as the sides of cells."""
    return _extracted(voxel, blocks, threshold)


@node("GetMeshInfo", category="3d", display="Get Mesh Info", output=True)
def mesh_info(mesh: Mesh, ctx: Context) -> Described:
    """How many vertices and faces a mesh has, and what else it holds; shown, and passed on."""
    surfaces = mesh.surfaces()
    found = [name for name in _ATTRIBUTES if getattr(mesh, name, None) is not None]
    vertices, faces = (
        sum(len(getattr(each, name)) for each in surfaces) for name in ("vertices", "faces")
    )
    lines = [
        f"vertices: {_count(vertices)}",
        f"faces: {_count(faces)}",
        f"attributes: {', '.join(found) or 'none'}",
    ]
    if len(surfaces) > 1:
        lines.insert(0, f"meshes: {len(surfaces)}")
        lines += [
            f"[{index}] vertices: {_count(len(each.vertices))}, faces: {_count(len(each.faces))}"
            for index, each in enumerate(surfaces)
        ]
    text = "\n".join(lines)
    ctx.show(text=[text])
    return Described(mesh, text)


@node("MeshSmoothNormals", category="3d", display="Mesh Smooth Normals", output_names=("mesh",))
def smooth_normals(
    mesh: Mesh, crease_angle: Annotated[float, Range(0.0, 180.0, step=1.0)] = 180.0
) -> Mesh:
    """A mesh that is shaded smoothly. Edges sharper than the angle stay hard; at 180 none do."""
    return _each(mesh, lambda surface: smoothed(surface, crease_angle))


@node(
    "ApplyTextureToMesh",
    category="3d",
    display="Apply Texture to Mesh",
    output_names=("mesh",),
)
def apply_texture(
    mesh: Mesh,
    base_color: Image,
    metallic: Image | None = None,
    roughness: Image | None = None,
    occlusion: Image | None = None,
    normal_map: Image | None = None,
) -> Mesh:
    """A mesh with these textures on its coordinates; its smooth normals with a normal map."""
    textures = {BASE_COLOR: _pixels(base_color)}
    packed = _packed(occlusion, roughness, metallic)
    if packed is not None:
        textures[ORM] = packed
    if normal_map is not None:
        textures[NORMAL_MAP] = _pixels(normal_map)

    def textured(surface: Surface) -> Surface:
        if surface.uvs is None:
            raise NodeError(
                "the mesh has no texture coordinates (UVs); join one that is unwrapped, the same "
                "that the textures were made for"
            )
        found = replace(surface, uvs=within_square(surface.uvs), textures=textures)
        material = replace(surface.material, occlusion=occlusion is not None)
        if packed is not None:
            # The texture says it; factors are multiplied with it.
            material = replace(material, metallic=1.0, roughness=1.0)
        found = replace(found, material=material)
        return found if normal_map is None else with_tangents(smoothed(found))

    return _each(mesh, textured)


@node("RenderUVAtlas", category="3d", display="Render UV Atlas", output_names=("image",))
def render_uv_atlas(
    mesh: Mesh, ctx: Context, resolution: Annotated[int, Range(64, 4096, step=64)] = 1024
) -> Image:
    """The texture coordinates of a mesh as a picture: a colour for each connected part."""
    surface = _first(mesh)
    if surface.uvs is None:
        raise NodeError("the mesh has no texture coordinates (UVs) to show; unwrap it first")
    picture = draw_layout(surface, resolution, ctx.checkpoint)
    return torch.from_numpy(picture)[None]


@node("RenderMesh", category="3d", display="Render Mesh", output_names=("image", "mask"))
def render_mesh(
    mesh: Mesh,
    mode: Literal["auto", "texture", "vertex colors", "solid", "normal", "depth"],
    ctx: Context,
    width: Pictured = 1024,
    height: Pictured = 1024,
    background: Annotated[str, Socket("COLOR")] = "#000000",
    model_3d_info: Placement | None = None,
    camera_info: Camera | None = None,
) -> tuple[Image, Mask]:
    """A picture of a mesh and the mask of where it is; the first mesh of a batch.

    Without a camera it is seen from the front. `auto` shows its texture, else its colours, else
    light on clay; what a mesh lacks is shown as clay. In `depth` the nearest is white.
    """
    surface = placed(_first(mesh), model_3d_info)
    shown: Mode = automatic_mode(surface) if mode == "auto" else mode
    return picture_of(surface, camera_info, (height, width), shown, _color(background), ctx)


def _extracted(voxel: Voxel, extract: Callable[..., Surface], threshold: float) -> Value:
    data = voxel.data
    if data.ndim == 3:
        data = data[None]
    if data.ndim != 4 or not min(data.shape):
        raise NodeError(
            f"a voxel grid must have the shape [batch, depth, height, width], this one has "
            f"{list(data.shape)}"
        )
    grids = data.detach().cpu().float().numpy()
    surfaces = [extract(grid, threshold) for grid in grids]
    if all(each.is_empty for each in surfaces):
        raise NodeError(
            f"no cell exceeds the threshold {threshold:g}; the highest value is "
            f"{np.nanmax(grids):.4g}. Choose a lower threshold"
        )
    return Value.of(surfaces)


def _each(mesh: Value, change: Callable[[Surface], Surface]) -> Value:
    """A mesh whose surfaces are changed; empty ones stay as they are."""
    surfaces = [each if each.is_empty else change(each) for each in mesh.surfaces()]
    if all(each.is_empty for each in surfaces):
        raise NodeError("the mesh has no triangles")
    return Value.of(surfaces)


def _first(mesh: Value) -> Surface:
    surfaces = mesh.surfaces()
    if not surfaces or surfaces[0].is_empty:
        raise NodeError("the mesh has no triangles; there is nothing to show")
    return surfaces[0]


def _pixels(image: torch.Tensor) -> Pixels:
    values = image[0, ..., :3].detach().cpu().float().clamp(0, 1)
    return (values * 255).round().byte().numpy()


def _packed(*channels: torch.Tensor | None) -> Pixels | None:
    """Occlusion, roughness and metal as red, green and blue of one texture."""
    given = [each[:1, ..., :1] for each in channels if each is not None]
    if not given:
        return None
    height = max(each.shape[1] for each in given)
    width = max(each.shape[2] for each in given)
    planes = [
        torch.full((1, height, width, 1), filler)
        if each is None
        else scale(each[:1, ..., :1], width, height)
        for each, filler in zip(channels, (1.0, 1.0, 0.0), strict=True)
    ]
    return _pixels(torch.cat(planes, -1))


def _color(text: str) -> tuple[float, float, float]:
    digits = text.strip().removeprefix("#")
    if len(digits) == 3:
        digits = "".join(each * 2 for each in digits)
    try:
        red, green, blue = bytes.fromhex(digits[:6])
    except ValueError as error:
        raise NodeError(f"{text!r} is no colour; write one such as #336699") from error
    return red / 255, green / 255, blue / 255


def _count(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if number >= size:
            return f"{number:,} ({number / size:.2f}{letter})"
    return f"{number:,}"
