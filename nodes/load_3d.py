"""Nodes that load files of models in three dimensions, with pictures of them.

The editor draws the pictures before a run and uploads them; the value of the node's view names
them. Where it names none, as in a prompt from elsewhere, they are drawn here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from engine.audiovisual.video import VideoFromFile
from engine.errors import MediaError, NodeError
from engine.files import file_identity
from engine.meshes.camera import framing
from engine.meshes.shading import bounds
from engine.meshes.values import File3D as File
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Options, Socket
from nodes.image_files import file_exists, load_image
from nodes.mesh_files import Side, Viewed, ViewportState
from nodes.mesh_pictures import automatic_mode, picture_of, placed, surface_of
from nodes.sockets import Camera, File3D, Image, Mask, Video

ModelFile = Annotated[str, FileChoice("input_3d", upload="file_upload")]
NONE = "none"
BACKGROUND = (0x28 / 255, 0x28 / 255, 0x28 / 255)
"""The colour behind a model that is drawn here; that of the editor's view."""


class Loaded(NamedTuple):
    """Pictures of a model, its path, its camera, and the file itself."""

    image: Image
    mask: Mask
    mesh_path: str
    normal: Image
    camera_info: Camera
    recording_video: Video
    model_3d: File3D


class LoadedAnimation(NamedTuple):
    """The same without the file."""

    image: Image
    mask: Mask
    mesh_path: str
    normal: Image
    camera_info: Camera
    recording_video: Video


@node(
    "Load3D",
    category="3d",
    display="Load 3D & Animation",
    experimental=True,
    checks=("model_file",),
)
def load_3d(
    model_file: ModelFile,
    image: ViewportState,
    ctx: Context,
    width: Side = 1024,
    height: Side = 1024,
) -> Loaded:
    """Load a model from the input folder, with pictures of it as the view on the node shows it.

    The mask is white where the model is seen; the colours of `normal` are the directions of the
    surface, as the camera sees them. `recording_video` is empty unless the view was recorded.
    """
    return _load(model_file, image, ctx, (height, width))


@load_3d.check
def _(model_file: str | None, ctx: Context) -> bool | str:
    return file_exists(model_file, ctx, place="input")


@load_3d.fingerprint
def _(model_file: str | None, image: Any, ctx: Context) -> object:
    return _fingerprint(model_file, image, ctx)


@node(
    "Load3DAnimation",
    category="3d",
    display="Load 3D - Animation",
    deprecated=True,
    experimental=True,
    checks=("model_file",),
)
def load_animation(
    model_file: ModelFile,
    image: Annotated[Any, Socket("LOAD_3D_ANIMATION"), Options(widgetType="LOAD_3D_ANIMATION")],
    ctx: Context,
    width: Side = 1024,
    height: Side = 1024,
) -> LoadedAnimation:
    """Load a model from the input folder, like Load 3D; for workflows from before that did both."""
    return LoadedAnimation(*_load(model_file, image, ctx, (height, width))[:-1])


@load_animation.check
def _(model_file: str | None, ctx: Context) -> bool | str:
    return file_exists(model_file, ctx, place="input")


@load_animation.fingerprint
def _(model_file: str | None, image: Any, ctx: Context) -> object:
    return _fingerprint(model_file, image, ctx)


@node(
    "Load3DAdvanced",
    category="3d",
    display="Load 3D (Advanced)",
    experimental=True,
    checks=("model_file",),
)
def load_advanced(
    ctx: Context,
    model_file: Annotated[str, FileChoice("input_3d", upload="file_upload", also=(NONE,))] = NONE,
    viewport_state: ViewportState = "",
    width: Side = 1024,
    height: Side = 1024,
) -> Viewed:
    """Load a model from the input folder, with the camera and placement of the view on the node."""
    view: Mapping[str, Any] = viewport_state if isinstance(viewport_state, Mapping) else {}
    file = None if model_file == NONE else File(ctx.files.find_annotated(model_file))
    info = view.get("model_3d_info")
    return Viewed(
        file,  # pyright: ignore[reportArgumentType] - nothing, as the incumbent hands on
        info if isinstance(info, list) else [],
        view.get("camera_info"),  # pyright: ignore[reportArgumentType]
        width,
        height,
    )


@load_advanced.check
def _(model_file: str | None, ctx: Context) -> bool | str:
    return model_file == NONE or file_exists(model_file, ctx, place="input")


@load_advanced.fingerprint
def _(model_file: str | None, ctx: Context) -> object:
    if not model_file or model_file == NONE:
        return None
    return file_identity(ctx.files.find_annotated(model_file))


def _load(name: str, view: Any, ctx: Context, size: tuple[int, int]) -> Loaded:
    path = ctx.files.find_annotated(name)
    file = File(path)
    given: Mapping[str, Any] = view if isinstance(view, Mapping) else {}
    recorded = _text(given, "recording")
    video = VideoFromFile(ctx.files.find_annotated(recorded)) if recorded else None
    camera = given.get("camera_info") or None
    if _text(given, "image"):
        image, mask, normal = _uploaded(given, ctx)
    else:
        image, mask, normal, camera = _drawn(file, given, ctx, size)
    return Loaded(image, mask, str(path), normal, camera, video, file)  # pyright: ignore[reportArgumentType]


def _uploaded(given: Mapping[str, Any], ctx: Context) -> tuple[Image, Mask, Image]:
    """The pictures that the editor drew."""
    image, _ = load_image(_text(given, "image"), ctx)
    pictures, opaque = load_image(_text(given, "mask") or _text(given, "image"), ctx)
    # A mask in the alpha channel counts as everywhere; a picture without one is white on black.
    mask = opaque if opaque.any() else pictures[..., 0]
    normal = load_image(name, ctx)[0] if (name := _text(given, "normal")) else image
    return image, mask, normal


def _drawn(
    file: File, given: Mapping[str, Any], ctx: Context, size: tuple[int, int]
) -> tuple[Image, Mask, Image, Mapping[str, Any]]:
    """Pictures drawn here, and the camera that took them."""
    try:
        surface = placed(surface_of(file), given.get("model_3d_info"))
    except MediaError as error:
        raise NodeError(
            f"{error}. The prompt names no pictures of the model, so they would be drawn here; "
            "open the workflow in the editor and run it there, which draws them"
        ) from error
    camera: Mapping[str, Any] = given.get("camera_info") or framing(
        *bounds(surface), size[1] / size[0]
    )
    image, mask = picture_of(surface, camera, size, automatic_mode(surface), BACKGROUND, ctx)
    normal, _ = picture_of(surface, camera, size, "normal", (0.0, 0.0, 0.0), ctx)
    return image, mask, normal, camera


def _text(given: Mapping[str, Any], name: str) -> str:
    found = given.get(name)
    return found if isinstance(found, str) else ""


def _fingerprint(name: str | None, view: Any, ctx: Context) -> object:
    names = [name or ""]
    if isinstance(view, Mapping):
        names += [_text(view, each) for each in ("image", "mask", "normal", "recording")]
    return [file_identity(ctx.files.find_annotated(each)) for each in names if each]
