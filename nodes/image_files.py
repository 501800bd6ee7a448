"""Nodes that load, save and show pictures."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

import torch
from PIL import Image as Pillow

from engine.decoding.containers import Growth, check_room
from engine.errors import FilesError, NodeError
from engine.files import file_identity
from engine.media import modes
from engine.media.animations import animated_png_bytes, animated_webp_bytes
from engine.media.encoding import png_bytes
from engine.media.metadata import metadata_texts
from engine.media.pictures import read_frames
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Options, Range, Text
from nodes.image_scaling import as_masks
from nodes.pixels import from_picture, stacked, to_pictures
from nodes.sockets import Image, Mask

InputFile = Annotated[str, FileChoice("input", upload="image_upload")]
OutputFile = Annotated[
    str,
    FileChoice("output", upload="image_upload"),
    Options(
        image_folder="output",
        remote={
            "route": "/internal/files/output",
            "refresh_button": True,
            "control_after_refresh": "first",
        },
    ),
]
Prefix = Annotated[str, Text(multiline=None)]
OneLinePrefix = Annotated[str, Text(multiline=False)]
FramesPerSecond = Annotated[float, Range(0.01, 1000.0, step=0.01)]
_BYTES = 4 + 4 * 4
"""Of a pixel that is loaded: as it is stored, and as float32 with its mask."""
_FEWER = "choose fewer frames, or smaller ones"
NO_MASK_SIDE = 64
"""The side of the empty mask that stands for "nothing is transparent"."""
_WEBP_METHODS: Mapping[str, int] = {"default": 4, "fastest": 0, "slowest": 6}


@node("LoadImage", category="image", display="Load Image", checks=("image",))
def load_image(image: InputFile, ctx: Context) -> tuple[Image, Mask]:
    """Load a picture from the input folder, or another: `x.png [output]`, `x.png [temp]`.

    All frames of an animation, upright, with colours as stored. The mask is white where the picture
    is transparent; 64 x 64 and black if it has no transparency.
    """
    return _load(image, ctx, place="input")


@load_image.check
def _(image: str | None, ctx: Context) -> bool | str:
    return file_exists(image, ctx, place="input")


@load_image.fingerprint
def _(image: str | None, ctx: Context) -> object:
    return image and file_identity(ctx.files.find_annotated(image))


@node(
    "LoadImageOutput",
    category="image",
    display="Load Image (from Outputs)",
    experimental=True,
    checks=("image",),
)
def load_image_output(image: OutputFile, ctx: Context) -> tuple[Image, Mask]:
    """Load a picture from the output folder, like Load Image."""
    return _load(image, ctx, place="output")


@load_image_output.check
def _(image: str | None, ctx: Context) -> bool | str:
    return file_exists(image, ctx, place="output")


@load_image_output.fingerprint
def _(image: str | None, ctx: Context) -> object:
    return image and file_identity(ctx.files.find_annotated(image, place="output"))


@node("LoadImageMask", category="mask", display="Load Image (as Mask)", checks=("image",))
def load_image_mask(
    image: InputFile, channel: Literal["alpha", "red", "green", "blue"], ctx: Context
) -> Mask:
    """Load one channel of a picture's first frame as a mask; alpha is inverted.

    A single colour marked as transparent in the file counts as transparent.
    """
    pixels = from_picture(modes.rgba(next(_frames(image, ctx))))
    mask = pixels[None, ..., ("red", "green", "blue", "alpha").index(channel)]
    return 1.0 - mask if channel == "alpha" else mask.clone()


@load_image_mask.check
def _(image: str | None, ctx: Context) -> bool | str:
    return file_exists(image, ctx, place="input")


@load_image_mask.fingerprint
def _(image: str | None, ctx: Context) -> object:
    return image and file_identity(ctx.files.find_annotated(image))


def file_exists(name: str | None, ctx: Context, *, place: str) -> bool | str:
    """Whether there is such a file, or why not. A name that comes over a link is checked later."""
    if name is None:
        return True
    try:
        ctx.files.find_annotated(name, place=place)
    except FilesError as error:
        return str(error)
    return True


def _load(name: str, ctx: Context, *, place: str) -> tuple[torch.Tensor, torch.Tensor]:
    """All frames of a picture [B, H, W, 3] and its masks [B, H, W]."""
    images: list[torch.Tensor] = []
    masks: list[torch.Tensor | None] = []
    growth = Growth(f"{name} as a batch of images", _FEWER)
    for frame in _frames(name, ctx, place=place):
        ctx.checkpoint()
        # An image and its mask; twice, as they are stacked.
        taken = frame.width * frame.height * 4 * 4
        growth.add(taken, taken)
        images.append(from_picture(modes.rgb(frame)))
        opaque = modes.alpha(frame)
        masks.append(None if opaque is None else 1.0 - from_picture(opaque)[..., 0])
    if all(mask is None for mask in masks):
        return stacked(images), torch.zeros(len(images), NO_MASK_SIDE, NO_MASK_SIDE)
    nothing = torch.zeros(images[0].shape[:2])
    return stacked(images), stacked([nothing if mask is None else mask for mask in masks])


def _frames(name: str, ctx: Context, *, place: str = "input") -> Iterator[Pillow.Image]:
    """The frames of a picture; grey that is cut to 8 bits is named in the log."""
    path = ctx.files.find_annotated(name, place=place)

    def begin(pixels: int) -> None:
        check_room(pixels * _BYTES, f"{name}: a picture of {pixels:,} pixels", _FEWER)

    for number, frame in enumerate(read_frames(path, begin=begin)):
        if number == 0 and modes.is_deep_grey(frame):
            logging.getLogger(__name__).warning(
                "%s: grey of more than 8 bits; as in ComfyUI its values are not scaled, and those "
                "above 255 are white. Save it with 8 bits, or as RGB, to keep its shades.",
                path.name,
            )
        yield frame


@node(
    "SaveImage",
    category="image",
    display="Save Image",
    output_names=("images",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_image(images: Image, ctx: Context, filename_prefix: Prefix = "ComfyUI") -> Image:
    """Save images as PNG to the output folder, with the workflow, and pass them on.

    The prefix may contain subfolders and placeholders such as `%date%`, `%width%` and
    `%batch_num%`; no file is overwritten.
    """
    ctx.show(images=_save_pngs(images, ctx, filename_prefix, place="output", compress_level=4))
    return images


@node(
    "PreviewImage",
    category="image",
    display="Preview Image",
    output_names=("images",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def preview_image(images: Image, ctx: Context) -> Image:
    """Show images under the node, and pass them on; the files are temporary."""
    _preview(images, ctx)
    return images


@node(
    "MaskPreview",
    category="mask",
    display="Preview Mask",
    output_names=("mask",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def mask_preview(mask: Mask, ctx: Context) -> Mask:
    """Show masks under the node, and pass them on; the files are temporary."""
    _preview(as_masks(mask).unsqueeze(-1).expand(-1, -1, -1, 3), ctx)
    return mask


@node(
    "ImageCompare",
    category="image",
    display="Compare Images",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def image_compare(ctx: Context, image_a: Image | None = None, image_b: Image | None = None) -> None:
    """Show two batches of images against each other; the files are temporary."""
    if image_a is None and image_b is None:
        raise NodeError("there is nothing to compare; join images to image_a and image_b")
    shown = {
        key: _save_pngs(images, ctx, _preview_prefix(), place="temp", compress_level=1)
        for key, images in (("a_images", image_a), ("b_images", image_b))
        if images is not None
    }
    ctx.show(**shown)


def _preview(images: torch.Tensor, ctx: Context) -> None:
    ctx.show(images=temporary_pictures(images, ctx))


def temporary_pictures(images: torch.Tensor, ctx: Context) -> list[dict[str, str]]:
    """Write images to temporary files, and say where."""
    return _save_pngs(images, ctx, _preview_prefix(), place="temp", compress_level=1)


def _preview_prefix() -> str:
    # The folder is emptied at a start and browsers remember pictures by address, so no two
    # sessions may use the same name.
    return f"preview_{secrets.token_hex(3)}"


def _save_pngs(
    images: torch.Tensor, ctx: Context, prefix: str, *, place: str, compress_level: int
) -> list[dict[str, str]]:
    """Write a file for each image, and say where."""
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    shown: list[dict[str, str]] = []
    for index, picture in enumerate(_pictures(images, ctx)):
        content = png_bytes(picture, texts=texts, compress_level=compress_level)
        name = prefix.replace("%batch_num%", str(index))
        shown.append(_write(content, ctx, name, ".png", picture.size, place=place))
    return shown


def _pictures(images: torch.Tensor, ctx: Context) -> Iterator[Pillow.Image]:
    if not images.shape[0]:
        raise NodeError("there are no images in the batch to save")
    for picture in to_pictures(images):
        ctx.checkpoint()
        yield picture


def _write(
    content: bytes, ctx: Context, prefix: str, suffix: str, size: tuple[int, int], *, place: str
) -> dict[str, str]:
    """Write a new file and say where, as a node shows it."""
    new = ctx.files.new_output(prefix, suffix, place=place, width=size[0], height=size[1])
    ctx.files.write(new, content)
    return new.shown()


@node(
    "SaveAnimatedPNG",
    category="image/animation",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_animated_png(
    images: Image,
    ctx: Context,
    filename_prefix: OneLinePrefix = "ComfyUI",
    fps: FramesPerSecond = 6.0,
    compress_level: Annotated[int, Range(0, 9)] = 4,
) -> None:
    """Save a batch of images as one animated PNG, with the workflow."""
    _save_animation(
        images, ctx, filename_prefix, ".png", fps, animated_png_bytes, compress_level=compress_level
    )


@node(
    "SaveAnimatedWEBP",
    category="image/animation",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_animated_webp(
    images: Image,
    ctx: Context,
    filename_prefix: OneLinePrefix = "ComfyUI",
    fps: FramesPerSecond = 6.0,
    lossless: bool = True,
    quality: Annotated[int, Range(0, 100)] = 80,
    *,
    method: Literal["default", "fastest", "slowest"],
) -> None:
    """Save a batch of images as one animated WebP, with the workflow."""
    _save_animation(
        images,
        ctx,
        filename_prefix,
        ".webp",
        fps,
        animated_webp_bytes,
        lossless=lossless,
        quality=quality,
        method=_WEBP_METHODS[method],
    )


def _save_animation(
    images: torch.Tensor,
    ctx: Context,
    prefix: str,
    suffix: str,
    fps: float,
    encode: Callable[..., bytes],
    **options: Any,
) -> None:
    frames = list(_pictures(images, ctx))
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    content = encode(frames, milliseconds=1000.0 / fps, texts=texts, **options)
    shown = _write(content, ctx, prefix, suffix, frames[0].size, place="output")
    ctx.show(images=[shown], animated=[True])
