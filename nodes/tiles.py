"""Images cut into tiles and put together again, and padded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import torch

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import DynamicCombo, ListOutput, Options, Range, Socket
from nodes.colors import read_color
from nodes.sockets import Image

Tile = Annotated[int, Range(64, 1_048_576, step=64)]
Overlap = Annotated[int, Range(0, 4096)]
MOST_TILES = 16384
MOST_SIDE = 16384
Amount = Annotated[int, Range(0, MOST_SIDE)]


def starts(whole: int, tile: int, overlap: int) -> list[int]:
    """Where tiles of that length begin; the last one ends at the end of the whole.

    Raises:
        NodeError: the overlap leaves nothing to advance by.
    """
    if whole <= tile:
        return [0]
    step = tile - overlap
    if step < 1:
        raise NodeError(f"tiles of {tile} pixels cannot overlap by {overlap}; choose less")
    return [*range(0, whole - tile, step), whole - tile]


@node(
    "SplitImageToTileList",
    category="image/batch",
    display="Split Image into List of Tiles",
    output_names=("image",),
)
def split_image_to_tile_list(
    image: Image, tile_width: Tile = 1024, tile_height: Tile = 1024, overlap: Overlap = 128
) -> Annotated[list[Any], Socket("IMAGE"), ListOutput()]:
    """Cut an image into tiles that overlap, row by row; the last ones end at its borders."""
    rows = starts(image.shape[1], tile_height, overlap)
    columns = starts(image.shape[2], tile_width, overlap)
    if len(rows) * len(columns) > MOST_TILES:
        raise NodeError(
            f"that makes {len(rows) * len(columns):,} tiles, at most {MOST_TILES:,} are cut; "
            "choose larger tiles or less overlap"
        )
    return [
        image[:, top : top + tile_height, left : left + tile_width].clone()
        for top in rows
        for left in columns
    ]


@node(
    "ImageMergeTileList",
    category="image/batch",
    display="Merge List of Tiles to Image",
    input_is_list=True,
    output_names=("image",),
)
def image_merge_tile_list(
    image_list: Annotated[Sequence[Any], Socket("IMAGE")],
    final_width: Annotated[Sequence[int], Range(64, 32768)] = (1024,),
    final_height: Annotated[Sequence[int], Range(64, 32768)] = (1024,),
    overlap: Annotated[Sequence[int], Range(0, 4096)] = (128,),
) -> Image:
    """Put tiles together as Split Image into List of Tiles cut them, blended where they overlap.

    The first tile says how large they are, and tiles of another size are refused.
    """
    width, height, shared = final_width[0], final_height[0], overlap[0]
    first = image_list[0]
    tall, wide = first.shape[1:3]
    rows, columns = starts(height, tall, shared), starts(width, wide, shared)
    if len(image_list) < len(rows) * len(columns):
        raise NodeError(
            f"{width} x {height} pixels take {len(rows)} x {len(columns)} tiles "
            f"of {wide} x {tall}; "
            f"there are {len(image_list)}"
        )
    whole = first.new_zeros(first.shape[0], height, width, first.shape[3])
    total = first.new_zeros(height, width, 1)
    weight = (_ramp(tall, shared)[:, None] * _ramp(wide, shared))[..., None].to(first)
    tiles = iter(image_list)
    for top in rows:
        for left in columns:
            tile = next(tiles)
            if tile.shape != first.shape:
                raise NodeError(
                    f"a tile has the shape {list(tile.shape)}, the first {list(first.shape)}"
                )
            place = slice(top, top + tall), slice(left, left + wide)
            there = whole[:, place[0], place[1]]
            part = weight[: there.shape[1], : there.shape[2]]
            there += tile[:, : there.shape[1], : there.shape[2]] * part
            total[place] += part
    return whole / total


def _ramp(length: int, overlap: int) -> torch.Tensor:
    """Weights [length] that rise over the overlap, and fall over it again; never 0."""
    places = torch.arange(1, length + 1, dtype=torch.float32)
    rising = torch.minimum(places, places.flip(0))
    return (rising / max(min(overlap, length), 1)).clamp(max=1.0)


class Dimensions(NamedTuple):
    """Pixels added on each side."""

    left: Amount = 0
    top: Amount = 0
    right: Amount = 0
    bottom: Amount = 0


class Multiplier(NamedTuple):
    """How many times as large the image becomes."""

    multiplier: Annotated[float, Range(1.0, 8.0, step=0.01)] = 1.0


class Multiple(NamedTuple):
    """What both sides become a multiple of."""

    multiple: Annotated[int, Range(1, MOST_SIDE)] = 32


class Colored(NamedTuple):
    """One colour, and how wide the image fades into it."""

    color: Annotated[str, Socket("COLOR"), Options(default="#000000")] = "#000000"
    feathering: Amount = 0


class Mirrored(NamedTuple):
    """The image's own borders, mirrored."""


PADDING: Mapping[str, type] = {
    "pad dimensions": Dimensions,
    "pad by multiplier": Multiplier,
    "pad to multiple": Multiple,
}


@node("PadImageNode", category="image/transform", display="Pad Image", output_names=("image",))
def pad_image(
    image: Image,
    padding_type: Annotated[Mapping[str, Any], DynamicCombo(PADDING)],
    padding_style: Annotated[
        Mapping[str, Any], DynamicCombo({"color": Colored, "mirror image": Mirrored})
    ],
) -> Image:
    """Add pixels around images: of one colour, or their borders mirrored."""
    height, width = image.shape[1:3]
    left, top, right, bottom = _amounts(padding_type, width, height)
    if not (left or top or right or bottom):
        return image
    sides = height + top + bottom, width + left + right
    if max(sides) > 2 * MOST_SIDE:
        raise NodeError(
            f"the image would become {sides[1]:,} x {sides[0]:,} pixels, at most "
            f"{2 * MOST_SIDE:,} a side"
        )
    if padding_style["padding_style"] == "mirror image":
        rows = _mirrored(torch.arange(-top, height + bottom), height)
        columns = _mirrored(torch.arange(-left, width + right), width)
        return image[:, rows][:, :, columns]
    color = torch.tensor([*read_color(padding_style["color"])[:3], 1.0]).to(image)
    whole = color[: image.shape[-1]].expand(len(image), *sides, -1).clone()
    fade = int(padding_style.get("feathering", 0))
    keep = (
        _fade(height, fade if top else 0, fade if bottom else 0)[:, None]
        * _fade(width, fade if left else 0, fade if right else 0)
    )[..., None].to(image)
    inner = whole[:, top : top + height, left : left + width]
    inner.copy_(image * keep + inner * (1 - keep))
    return whole


def _amounts(kind: Mapping[str, Any], width: int, height: int) -> tuple[int, int, int, int]:
    """Pixels at the left, the top, the right and the bottom."""
    if kind["padding_type"] == "pad dimensions":
        return int(kind["left"]), int(kind["top"]), int(kind["right"]), int(kind["bottom"])
    if kind["padding_type"] == "pad by multiplier":
        across, down = (round(side * kind["multiplier"]) - side for side in (width, height))
    else:
        across, down = (-side % int(kind["multiple"]) for side in (width, height))
    return across // 2, down // 2, across - across // 2, down - down // 2


def _mirrored(places: torch.Tensor, length: int) -> torch.Tensor:
    """Places outside of 0 ... length - 1 reflected inside; the border is not repeated."""
    if length == 1:
        return torch.zeros_like(places)
    turn = places.remainder(2 * (length - 1))
    return torch.minimum(turn, 2 * (length - 1) - turn)


def _fade(length: int, before: int, after: int) -> torch.Tensor:
    """How much of the image is left at each place: rising over `before`, falling over `after`."""
    places = torch.arange(length, dtype=torch.float32)
    kept = torch.ones(length)
    if before:
        kept = torch.minimum(kept, (places + 1) / (before + 1))
    if after:
        kept = torch.minimum(kept, (length - places) / (after + 1))
    return kept.clamp(0.0, 1.0)
