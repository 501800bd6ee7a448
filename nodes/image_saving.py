"""Saves images in one of several formats, with up to 32 bits per channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import torch

from engine.audiovisual.deep_pictures import deep_picture_bytes, encoded, linear
from engine.errors import NodeError
from engine.media.encoding import avif_bytes, jpeg_bytes, png_bytes, png_with_texts, webp_bytes
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import DynamicCombo, Range
from nodes.image_files import OneLinePrefix
from nodes.pixels import to_pictures
from nodes.sockets import Image

_Space = Literal["sRGB", "linear"]
_Quality = Annotated[int, Range(1, 100)]


class _Png(NamedTuple):
    bit_depth: Literal["8-bit", "16-bit"] = "8-bit"
    input_color_space: _Space = "sRGB"


class _Tiff(NamedTuple):
    bit_depth: Literal["16-bit"] = "16-bit"
    input_color_space: _Space = "sRGB"


class _Exr(NamedTuple):
    bit_depth: Literal["16-bit float", "32-bit float"] = "16-bit float"
    input_color_space: _Space = "sRGB"


class _Lossy(NamedTuple):
    quality: _Quality = 90


class _WebP(NamedTuple):
    quality: _Quality = 90
    lossless: bool = False


Format = Annotated[
    Mapping[str, Any],
    DynamicCombo(
        {"png": _Png, "jpeg": _Lossy, "webp": _WebP, "avif": _Lossy, "tiff": _Tiff, "exr": _Exr}
    ),
]
_SUFFIXES: Mapping[str, str] = {"jpeg": ".jpg"}


@node(
    "SaveImageAdvanced",
    category="image",
    display="Save Image (Advanced)",
    output_names=("images",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_image_advanced(
    images: Image,
    ctx: Context,
    filename_prefix: OneLinePrefix = "ComfyUI",
    *,
    format: Format,  # noqa: A002
) -> Image:
    """Save images as PNG (8 or 16 bits), JPEG, WebP, AVIF, TIFF or OpenEXR, and pass them on.

    `input_color_space` says what the images hold: sRGB, or linear light. PNG and TIFF are written
    as sRGB, OpenEXR as linear light. All but TIFF and OpenEXR carry the workflow.
    """
    if not len(images):
        raise NodeError("there are no images in the batch to save")
    kind: str = format["format"]
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    write = _writer(kind, format, texts)
    shown: list[dict[str, str]] = []
    for index, image in enumerate(images):
        ctx.checkpoint()
        height, width = image.shape[:2]
        new = ctx.files.new_output(
            filename_prefix.replace("%batch_num%", str(index)),
            _SUFFIXES.get(kind, f".{kind}"),
            width=width,
            height=height,
        )
        ctx.files.fill(new, lambda stream, image=image: stream.write(write(image)))
        shown.append(new.shown())
    ctx.show(images=shown)
    return images


def _writer(
    kind: str, chosen: Mapping[str, Any], texts: Mapping[str, str]
) -> Callable[[torch.Tensor], bytes]:
    """A function from one image [H, W, C] to the bytes of its file."""
    is_linear = chosen.get("input_color_space") == "linear"
    depth: str = chosen.get("bit_depth", "8-bit")

    def shown(image: torch.Tensor) -> torch.Tensor:
        return encoded(image) if is_linear else image

    def picture(image: torch.Tensor) -> Any:
        return next(iter(to_pictures(shown(image)[None])))

    match kind:
        case "png" if depth == "8-bit":
            return lambda image: png_bytes(picture(image), texts=texts)
        case "png":
            return lambda image: png_with_texts(deep_picture_bytes(shown(image), "png"), texts)
        case "tiff":
            return lambda image: deep_picture_bytes(shown(image), "tiff")
        case "exr":
            form = "exr half" if depth.startswith("16") else "exr float"
            return lambda image: deep_picture_bytes(image if is_linear else linear(image), form)
        case "webp":
            how = {"quality": chosen["quality"], "lossless": chosen["lossless"]}
            return lambda image: webp_bytes(picture(image), texts=texts, **how)
        case "jpeg":
            return lambda image: jpeg_bytes(picture(image), texts=texts, quality=chosen["quality"])
        case "avif":
            return lambda image: avif_bytes(picture(image), texts=texts, quality=chosen["quality"])
        case unknown:
            raise NodeError(f"there is no format {unknown[:40]!r} to save images in")
