"""Bounding boxes: made, drawn, and images cropped to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import torch
from PIL import Image as Pillow
from PIL import ImageDraw

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, InOptionalSection, Options, Range, Socket
from nodes.image_scaling import scale
from nodes.pixels import from_picture, to_pictures
from nodes.sockets import Image

Boxes = Annotated[Any, Socket("BOUNDING_BOX"), Options(forceInput=True)]
Drawn = Annotated[list[Any] | None, Socket("BOUNDING_BOXES"), Options(widgetType="BOUNDING_BOXES")]
Offset = Annotated[int, Range(0, 16384)]
Side = Annotated[int, Range(1, 16384)]
SMALLEST_CANVAS = 640
"""Pixels of a side of what boxes are drawn on without an image."""
PALETTE = (
    *("#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6"),
    *("#bcf60c", "#fabebe"),
)
GRID = 1000
"""Places in elements are counted in so many parts of a side."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box in pixels, and what is known of it."""

    x: float
    y: float
    width: float
    height: float
    said: Mapping[str, Any]


def read_box(value: Any) -> Box:
    """A box as nodes hand it on, a dictionary.

    Raises:
        NodeError: it is none.
    """
    try:
        numbers = [float(value[name]) for name in ("x", "y", "width", "height")]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise NodeError(
            f"{str(value)[:60]!r} is no bounding box; one has x, y, width and height"
        ) from error
    if not all(abs(number) < 2**31 for number in numbers):
        raise NodeError("a bounding box has sides and places below 2,147,483,648 pixels")
    return Box(*numbers, said=value)


def per_image(boxes: Any, count: int) -> list[list[Box]]:
    """The boxes of each of `count` images: one box or one list is that of every image.

    Raises:
        NodeError: there are lists for another number of images.
    """
    if isinstance(boxes, Mapping):
        boxes = [boxes]
    if not isinstance(boxes, Sequence) or isinstance(boxes, str):
        raise NodeError(f"{str(boxes)[:60]!r} is no list of bounding boxes")
    nested = [each for each in boxes if not isinstance(each, Mapping)]
    if not nested:
        return [[read_box(each) for each in boxes]] * count
    if len(nested) != len(boxes) or len(boxes) not in (1, count):
        raise NodeError(f"there are boxes for {len(boxes)} images, but {count} images")
    found = [[read_box(each) for each in inner] for inner in boxes]
    return found * count if len(found) == 1 else found


@node(
    "PrimitiveBoundingBox",
    category="utils/primitive",
    display="Bounding Box",
    output_names=("bounding_box",),
)
def primitive_bounding_box(
    x: Offset = 0, y: Offset = 0, width: Side = 512, height: Side = 512
) -> Boxes:
    """A box by its upper left corner and its size, in pixels."""
    return {"x": x, "y": y, "width": width, "height": height}


def _whole() -> dict[str, int]:
    return {"x": 0, "y": 0, "width": 512, "height": 512}


@node("ImageCropV2", category="image/transform", display="Crop Image")
def image_crop_v2(
    image: Image,
    crop_region: Annotated[Any, Socket("BOUNDING_BOX"), Options(default=_whole())],
) -> Image:
    """Crop images to a box; what of it lies outside is left out."""
    [box] = per_image(crop_region, 1)[0][:1] or [read_box(_whole())]
    height, width = image.shape[1:3]
    x, y = (min(max(round(at), 0), most - 1) for at, most in ((box.x, width), (box.y, height)))
    right = min(x + max(round(box.width), 1), width)
    bottom = min(y + max(round(box.height), 1), height)
    return image[:, y:bottom, x:right].clone()


@node("CropByBBoxes", category="image/transform", display="Crop by Bounding Boxes")
def crop_by_bboxes(
    image: Image,
    bboxes: Boxes,
    output_width: Annotated[int, Range(64, 4096, step=8), InOptionalSection()] = 512,
    output_height: Annotated[int, Range(64, 4096, step=8), InOptionalSection()] = 512,
    padding: Annotated[int, Range(0, 1024), InOptionalSection()] = 0,
    keep_aspect: Annotated[str, Choice("stretch", "pad"), InOptionalSection()] = "stretch",
) -> Image:
    """The part of each image that holds all of its boxes, at one size.

    An image without a box inside it gives the square in the middle of its upper edge.
    """
    rows = [
        _fitted(
            _around(each[None], boxes, padding),
            output_width,
            output_height,
            padded=keep_aspect == "pad",
        )
        for each, boxes in zip(image, per_image(bboxes, len(image)), strict=True)
    ]
    return torch.cat(rows)


def _around(image: torch.Tensor, boxes: list[Box], padding: int) -> torch.Tensor:
    height, width = image.shape[1:3]
    if boxes:
        left = max(round(min(box.x for box in boxes)) - padding, 0)
        top = max(round(min(box.y for box in boxes)) - padding, 0)
        right = min(round(max(box.x + box.width for box in boxes)) + padding, width)
        bottom = min(round(max(box.y + box.height for box in boxes)) + padding, height)
        if left < right and top < bottom:
            return image[:, top:bottom, left:right]
    side = min(height, width)
    left = (width - side) // 2
    return image[:, :side, left : left + side]


def _fitted(image: torch.Tensor, width: int, height: int, *, padded: bool) -> torch.Tensor:
    if not padded:
        return scale(image, width, height)
    factor = min(width / image.shape[2], height / image.shape[1])
    inner = scale(
        image, max(round(image.shape[2] * factor), 1), max(round(image.shape[1] * factor), 1)
    )
    inner = inner[:, :height, :width]
    whole = image.new_zeros(1, height, width, image.shape[3])
    top, left = (height - inner.shape[1]) // 2, (width - inner.shape[2]) // 2
    whole[:, top : top + inner.shape[1], left : left + inner.shape[2]] = inner
    return whole


@node("DrawBBoxes", category="image/draw", display="Draw BBoxes", output_names=("out_image",))
def draw_bboxes(bboxes: Boxes, image: Image | None = None) -> Image:
    """Draw boxes with their labels and scores onto images, or onto black without one."""
    if image is None:
        several = isinstance(bboxes, Sequence) and bboxes and not isinstance(bboxes[0], Mapping)
        found = per_image(bboxes, len(bboxes) if several else 1)
        every = [box for boxes in found for box in boxes]
        width = max(SMALLEST_CANVAS, *(round(box.x + box.width) + 1 for box in every or [_EMPTY]))
        height = max(SMALLEST_CANVAS, *(round(box.y + box.height) + 1 for box in every or [_EMPTY]))
        if max(width, height) > MOST_CANVAS:
            raise NodeError(
                f"the boxes reach {width:,} x {height:,} pixels; without an image at most "
                f"{MOST_CANVAS:,} are drawn"
            )
        image = torch.zeros(len(found), height, width, 3)
    else:
        found = per_image(bboxes, len(image))
    drawn = [
        from_picture(_with_boxes(picture.convert("RGB"), boxes))
        for picture, boxes in zip(to_pictures(image), found, strict=True)
    ]
    return torch.stack(drawn)


_EMPTY = Box(0, 0, 0, 0, said={})
MOST_CANVAS = 16384


def _with_boxes(picture: Pillow.Image, boxes: Sequence[Box]) -> Pillow.Image:
    draw = ImageDraw.Draw(picture)
    line = max(round(min(picture.size) / 320), 1)
    for number, box in enumerate(boxes):
        color = _color(box, number)
        corner = box.x, box.y, box.x + max(box.width - 1, 0), box.y + max(box.height - 1, 0)
        draw.rectangle(_ordered(corner), outline=color, width=line)
        text = " ".join(_label(box))
        if text:
            _write(draw, (box.x, box.y), text, color, picture.size)
    return picture


def _ordered(corner: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = corner
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def _color(box: Box, number: int) -> str:
    palette = _metadata(box).get("palette")
    if isinstance(palette, list) and palette and isinstance(palette[0], str):
        try:
            Pillow.new("RGB", (1, 1), palette[0])
        except ValueError:
            pass
        else:
            return palette[0]
    return PALETTE[number % len(PALETTE)]


def _metadata(box: Box) -> Mapping[str, Any]:
    found = box.said.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _label(box: Box) -> Iterator[str]:
    told = _metadata(box)
    label = box.said.get("label") or told.get("text") or told.get("desc")
    if label not in (None, ""):
        yield str(label)[:80]
    score = box.said.get("score")
    if isinstance(score, int | float):
        yield f"{score:.2f}"


def _write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    color: str,
    size: tuple[int, int],
) -> None:
    """Text on a ground of the box's colour, above the place if there is space."""
    height = max(min(size) // 40, 10)
    left, top, right, bottom = draw.textbbox((0, 0), text, font_size=height)
    x = min(max(place[0], 0), max(size[0] - (right - left), 0))
    y = place[1] - (bottom - top) - 2
    y = y if y >= 0 else max(place[1], 0)
    draw.rectangle((x, y, x + right - left + 2, y + bottom - top + 2), fill=color)
    draw.text((x + 1 - left, y + 1 - top), text, fill="black", font_size=height)


class Created(NamedTuple):
    """What was drawn, as an image, as boxes and as elements of a prompt."""

    preview: Image
    bboxes: Boxes
    elements: Annotated[list[Any], Socket("ARRAY")]


@node("CreateBoundingBoxes", category="utils", display="Create Bounding Boxes")
def create_bounding_boxes(
    *,
    background: Image | None = None,
    bboxes: Annotated[
        Any, Socket("BOUNDING_BOX,ARRAY,STRING"), Options(forceInput=True), InOptionalSection()
    ] = None,
    width: Annotated[int, Range(64, 16384, step=16)] = 1024,
    height: Annotated[int, Range(64, 16384, step=16)] = 1024,
    editor_state: Drawn = None,
    last_incoming: Drawn = None,
) -> Created:
    """Boxes drawn on the node, each with a kind, a text, a description and colours.

    Joined boxes count instead of the drawn ones while they differ from those that the drawing began
    with. Elements have places from 0 to 1000: left, top, right, bottom.
    """
    incoming = _incoming(bboxes)
    chosen = editor_state or []
    if incoming and incoming != (last_incoming or []):
        chosen = incoming
    boxes = per_image(chosen, 1)[0]
    if background is None:
        canvas = torch.zeros(1, height, width, 3)
    else:
        canvas = scale(background[:1, ..., :3], width, height)
    preview = from_picture(_with_boxes(next(to_pictures(canvas)).convert("RGB"), boxes))[None]
    plain = [{"x": box.x, "y": box.y, "width": box.width, "height": box.height} for box in boxes]
    whole = [{name: round(value) for name, value in each.items()} for each in plain]
    return Created(preview, whole, [_element(box, width, height) for box in boxes])


def _incoming(value: Any) -> list[Any]:
    """Joined boxes, elements or their JSON as a list of boxes."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else []
        except (ValueError, RecursionError) as error:
            raise NodeError(f"bboxes is no JSON: {str(error)[:100]}") from error
    if value is None:
        return []
    return [value] if isinstance(value, Mapping) else list(value)


def _element(box: Box, width: int, height: int) -> dict[str, Any]:
    told = _metadata(box)
    kind = str(told.get("type", "obj"))
    places = (
        box.x / width,
        box.y / height,
        (box.x + box.width) / width,
        (box.y + box.height) / height,
    )
    element: dict[str, Any] = {
        "type": kind,
        "bbox": [min(max(round(place * GRID), 0), GRID) for place in places],
    }
    if kind == "text":
        element["text"] = str(told.get("text", ""))
    element["desc"] = str(told.get("desc", ""))
    element["color_palette"] = list(told.get("palette") or [])
    return element
