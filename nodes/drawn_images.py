"""Images that the user makes in the editor: painted, or taken with a camera."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.files import file_identity
from engine.media import modes
from engine.media.pictures import read_frames
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Options, Range, Socket, Text
from nodes.colors import read_color
from nodes.image_files import file_exists
from nodes.image_scaling import scale, size_in_proportion, with_channels
from nodes.pixels import from_picture
from nodes.sockets import Image, Mask

RGB = 3
PaintedFile = Annotated[str, Text(), Options(widgetType="PAINTER", socketless=True)]
Side = Annotated[int, Range(64, 4096, step=64)]
Color = Annotated[str, Socket("COLOR"), Options(default="#000000")]
Pixels = Annotated[int, Range(0, 16384, step=1)]


class Painted(NamedTuple):
    """An image with what was painted on it, and where that is."""

    IMAGE: Image
    MASK: Mask


@node("Painter", category="image", checks=("mask",))
def painter(
    ctx: Context,
    mask: PaintedFile = "",
    width: Side = 512,
    height: Side = 512,
    bg_color: Color = "#000000",
    image: Image | None = None,
) -> Painted:
    """Paint on an image, or on an empty one of that size and colour.

    `mask` names the file of what was painted, which is transparent elsewhere; the editor fills it
    in. The mask is white where something was painted. A painting of another size than the image is
    scaled to it.
    """
    if image is None:
        image = torch.tensor(read_color(bg_color)[:RGB]).expand(1, height, width, RGB)
    rows, columns = image.shape[1:3]
    if not mask:
        return Painted(image, torch.zeros(1, rows, columns))
    paint = scale(_painting(mask, ctx), columns, rows)
    opacity = paint[..., RGB:]
    base = with_channels(image, max(RGB, image.shape[-1]))
    mixed = base[..., :RGB] * (1.0 - opacity) + paint[..., :RGB] * opacity
    if base.shape[-1] > RGB:
        alpha = opacity + base[..., RGB:] * (1.0 - opacity)
        mixed = torch.cat((mixed, alpha), dim=-1)
    return Painted(mixed, opacity[..., 0])


@painter.check
def _(mask: str | None, ctx: Context) -> bool | str:
    return not mask or file_exists(mask, ctx, place="input")


@painter.fingerprint
def _(mask: str | None, ctx: Context) -> object:
    return mask and file_identity(ctx.files.find_annotated(mask))


def _painting(name: str, ctx: Context) -> Tensor:
    """A painted file [1, H, W, 4]."""
    frames = read_frames(ctx.files.find_annotated(name))
    return from_picture(modes.rgba(next(iter(frames))))[None]


@node("WebcamCapture", category="image", display="Webcam Capture", checks=("image",))
def webcam_capture(
    image: Annotated[str, Socket("WEBCAM")],
    ctx: Context,
    width: Pixels = 0,
    height: Pixels = 0,
    capture_on_queue: bool = True,
) -> Image:
    """Take a picture with the camera of the computer that shows the editor.

    `image` names the file of the picture, which the editor fills in: at each run with
    `capture_on_queue`, else when the button is pressed. A width or height of 0 follows the other
    one in proportion; both leave the size of the camera.
    """
    del capture_on_queue
    if not image:
        raise NodeError(NO_PICTURE)
    frames = read_frames(ctx.files.find_annotated(image))
    taken = from_picture(modes.rgb(next(iter(frames))))[None]
    rows, columns = taken.shape[1:3]
    if not width and not height:
        return taken
    wide = width or round(columns * height / rows)
    tall = height or round(rows * width / columns)
    return scale(taken, *size_in_proportion(wide, tall, of=(columns, rows)))


NO_PICTURE = (
    "no picture was taken yet; press the camera button of the field in the editor, or give the "
    "name of a file in the input folder"
)


@webcam_capture.check
def _(image: str | None, ctx: Context) -> bool | str:
    if image is None:
        return True
    return file_exists(image, ctx, place="input") if image else NO_PICTURE


@webcam_capture.fingerprint
def _(image: str | None, ctx: Context) -> object:
    return image and file_identity(ctx.files.find_annotated(image))
