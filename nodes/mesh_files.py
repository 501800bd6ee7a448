"""Nodes that save and show meshes, and that convert between meshes and files."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from engine.errors import NodeError
from engine.folder_kinds import MODEL_3D_SUFFIXES
from engine.media.metadata import metadata_texts
from engine.meshes.glb import glb_bytes, with_texts
from engine.meshes.values import File3D as File
from engine.meshes.values import Mesh as Value
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Options, Range, Socket, Text
from nodes.image_files import OneLinePrefix, temporary_pictures
from nodes.mesh_pictures import encode_texture, surface_of
from nodes.sockets import FILES_3D, AnyFile3D, Camera, File3D, Glb, Image, Mesh, Placement

MeshOrFile = Annotated[
    Any,
    Socket(
        "MESH,FILE_3D_GLB,FILE_3D_GLTF,FILE_3D_OBJ,FILE_3D_FBX,FILE_3D_STL,FILE_3D_USDZ,"
        "FILE_3D_PLY,FILE_3D_SPLAT,FILE_3D_SPZ,FILE_3D_KSPLAT,FILE_3D_SPLAT_ANY,"
        "FILE_3D_POINT_CLOUD_ANY,FILE_3D"
    ),
]
NameOrFile = Annotated[
    Any, Socket(f"STRING,{FILES_3D}"), Text(multiline=False), Options(widgetType="STRING")
]
ViewportState = Annotated[Any, Socket("LOAD_3D"), Options(widgetType="LOAD_3D")]
Side = Annotated[int, Range(1, 4096, step=1)]
_SUFFIX_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LOGGER = logging.getLogger(__name__)


class Viewed(NamedTuple):
    """A file, where its model and the camera are, and the size of the picture."""

    model_3d: File3D
    model_3d_info: Placement
    camera_info: Camera
    width: int
    height: int


@node(
    "SaveGLB",
    category="3d",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_glb(mesh: MeshOrFile, ctx: Context, filename_prefix: OneLinePrefix = "3d/ComfyUI") -> None:
    """Save meshes as GLB files with the workflow, or a file as it is.

    Each mesh of a batch is a file; empty ones are left out. GLB files that come as files get the
    workflow too.
    """
    ctx.show(**{"3d": _saved(mesh, ctx, filename_prefix)})


@node("MeshToFile3D", category="3d", display="Mesh to File 3D", output_names=("model_3d",))
def mesh_to_file(mesh: Mesh) -> Glb:
    """A mesh as a GLB file; the first one of a batch."""
    surfaces = mesh.surfaces()
    if len(surfaces) > 1:
        _LOGGER.warning("a file holds one mesh: the first of %d is taken", len(surfaces))
    if not surfaces or surfaces[0].is_empty:
        raise NodeError("the mesh has no triangles; there is nothing to put into a file")
    return File(glb_bytes(surfaces[0], encode_texture), "glb")


@node(
    "Get3DComponents",
    category="3d",
    display="Get 3D Components",
    output_names=("mesh",),
    experimental=True,
)
def components(model_3d: AnyFile3D) -> Mesh:
    """The mesh in a GLB, glTF, OBJ or STL file: all its parts as one.

    Textures and material are those of the first part. FBX and USDZ are not read.
    """
    return Value.of([surface_of(checked_file(model_3d))])


@node(
    "Save3DAdvanced",
    category="3d",
    display="Save 3D (Advanced)",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_advanced(
    model_3d: AnyFile3D,
    ctx: Context,
    filename_prefix: OneLinePrefix = "3d/ComfyUI",
    viewport_state: ViewportState = "",
    model_3d_info: Placement | None = None,
    camera_info: Camera | None = None,
    width: Side = 1024,
    height: Side = 1024,
) -> Viewed:
    """Save a file of a model to the output folder, show it, and pass it on.

    Without a camera and a placement, those of the view on the node are passed on.
    """
    file = checked_file(model_3d)
    found = _viewed(file, viewport_state, model_3d_info, camera_info, width, height)
    shown = _saved(file, ctx, filename_prefix)
    ctx.show(**{"3d": shown}, result=[_name(shown[0]), found.camera_info, found.model_3d_info])
    return found


@node("Preview3DAdvanced", category="3d", display="Preview 3D (Advanced)", output=True)
def preview_advanced(
    model_3d: AnyFile3D,
    ctx: Context,
    viewport_state: ViewportState = "",
    model_3d_info: Placement | None = None,
    camera_info: Camera | None = None,
    width: Side = 1024,
    height: Side = 1024,
) -> Viewed:
    """Show a file of a model on the node, and pass it on; the file that is shown is temporary.

    Without a camera and a placement, those of the view on the node are passed on.
    """
    file = checked_file(model_3d)
    found = _viewed(file, viewport_state, model_3d_info, camera_info, width, height)
    name = _temporary(file, ctx, "preview3d_advanced")
    ctx.show(result=[name, found.camera_info, found.model_3d_info])
    return found


@node(
    "Preview3D",
    category="3d",
    display="Preview 3D & Animation",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
    experimental=True,
)
def preview_3d(
    ctx: Context,
    model_file: NameOrFile = "",
    camera_info: Camera | None = None,
    bg_image: Image | None = None,
) -> None:
    """Show a model on the node: a file, or the name of one in the output folder.

    The name may say another folder: `a.glb [input]`.
    """
    _preview(ctx, model_file, camera_info, bg_image)


@node(
    "Preview3DAnimation",
    category="3d",
    display="Preview 3D - Animation",
    output=True,
    deprecated=True,
    experimental=True,
)
def preview_animation(
    ctx: Context,
    model_file: NameOrFile = "",
    camera_info: Camera | None = None,
    bg_image: Image | None = None,
) -> None:
    """Show a model on the node, like Preview 3D; for workflows from before that showed both."""
    _preview(ctx, model_file, camera_info, bg_image)


def checked_file(value: Any) -> File:
    """A FILE_3D value.

    Raises:
        NodeError: it is none.
    """
    if isinstance(value, File):
        return value
    if value is None:
        raise NodeError("no file of a model arrives; choose one in the node before")
    read = getattr(value, "get_data", None)
    kind = getattr(value, "format", "")
    if callable(read):  # an object of a plugin's own, with the same names
        return File(read(), kind if isinstance(kind, str) else "")  # pyright: ignore[reportArgumentType]
    raise NodeError(f"a file of a model was expected, and {type(value).__name__} arrived")


def _preview(ctx: Context, model: Any, camera: Any, background: Any) -> None:
    behind: str | None = None
    if background is not None:
        [saved] = temporary_pictures(background[:1], ctx)
        behind = f"temp/{saved['filename']}"
    if isinstance(model, str):
        name = _named(model, ctx)
    else:
        name = _temporary(checked_file(model), ctx, "preview3d")
    ctx.show(result=[name, camera, behind])


def _named(name: str, ctx: Context) -> str:
    """The name of a file in the user's folders, as the editor requests it.

    Raises:
        NodeError: there is no such file, or it is elsewhere.
        FilesError: the same.
    """
    if not name.strip():
        raise NodeError("no model is chosen; write the name of a file in the output folder")
    path = Path(name)
    if not path.is_absolute():
        ctx.files.find_annotated(name, place="output")
        return name
    for place in ("output", "input", "temp"):
        for folder in ctx.files.folders(place):
            if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
                inner = path.resolve().relative_to(folder.resolve()).as_posix()
                return inner if place == "output" else f"{inner} [{place}]"
    raise NodeError(
        f"{name} is not in the output, input or temp folder, so the editor cannot show it; "
        "save it there first"
    )


def _viewed(file: File, state: Any, placement: Any, camera: Any, width: int, height: int) -> Viewed:
    view: Mapping[str, Any] = state if isinstance(state, Mapping) else {}
    return Viewed(
        file,
        placement if placement is not None else view.get("model_3d_info") or [],
        camera if camera is not None else view.get("camera_info"),  # pyright: ignore[reportArgumentType]
        width,
        height,
    )


def _saved(value: Any, ctx: Context, prefix: str) -> list[dict[str, str]]:
    """Save a mesh or a file, and say where."""
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    if not isinstance(value, Value) and not hasattr(value, "vertices"):
        file = checked_file(value)
        content = _content(file)
        if file.format == "glb":
            content = with_texts(content, texts)
        return [_write(content, ctx, prefix, _suffix(file), "output")]
    shown: list[dict[str, str]] = []
    mesh = value if isinstance(value, Value) else Value(**vars(value))
    for index, surface in enumerate(mesh.surfaces()):
        ctx.checkpoint()
        if surface.is_empty:
            _LOGGER.warning("mesh %d of the batch has no triangles and is not saved", index)
            continue
        name = prefix.replace("%batch_num%", str(index))
        content = glb_bytes(surface, encode_texture, texts)
        shown.append(_write(content, ctx, name, ".glb", "output"))
    if not shown:
        raise NodeError("the mesh has no triangles; there is nothing to save")
    return shown


def _temporary(file: File, ctx: Context, prefix: str) -> str:
    """A copy of a file in the temporary folder; its name as the editor requests it."""
    name = f"{prefix}_{secrets.token_hex(6)}"
    return _name(_write(_content(file), ctx, name, _suffix(file), "temp"))


def _content(file: File) -> bytes:
    try:
        return file.get_bytes()
    except OSError as error:
        raise NodeError(f"{file.path} cannot be read: {error.strerror}") from error


def _suffix(file: File) -> str:
    if not file.format or not set(file.format) <= _SUFFIX_CHARACTERS:
        known = ", ".join(sorted(each[1:] for each in MODEL_3D_SUFFIXES))
        raise NodeError(
            f"a file of the format {file.format!r} cannot be saved; the formats are such as {known}"
        )
    return f".{file.format}"


def _write(content: bytes, ctx: Context, prefix: str, suffix: str, place: str) -> dict[str, str]:
    new = ctx.files.new_output(prefix, suffix, place=place)
    ctx.files.write(new, content)
    return new.shown()


def _name(shown: Mapping[str, str]) -> str:
    path = "/".join(part for part in (shown["subfolder"], shown["filename"]) if part)
    return path if shown["type"] == "output" else f"{path} [{shown['type']}]"
