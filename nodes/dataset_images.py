"""Nodes for the pictures of a training set: crop, scale, sort: the category `dataset/image`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, NamedTuple

import torch
from torch.nn.functional import interpolate

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text
from nodes.image_scaling import scale, size_in_proportion
from nodes.sockets import Image

Line = Annotated[str, Text(multiline=False)]
Side = Annotated[int, Range(1, 8192)]
Factor = Annotated[float, Range(0.0, 2.0)]
Seed = Annotated[int, Range(0, 0xFFFFFFFFFFFFFFFF)]
_image_node = partial(node, category="dataset/image", output_names=("images",), experimental=True)
_HASH_SIDE = 8


class ShuffledPairs(NamedTuple):
    """Pictures and texts in one new order."""

    images: list[Image]
    texts: list[str]


def single_images(batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Batches [B, H, W, C] as a list of images [1, H, W, C]."""
    return [image for batch in batches for image in batch.split(1)]


@_image_node("AdjustBrightness", display="Adjust Brightness")
def adjust_brightness(images: Image, factor: Factor = 1.0) -> Image:
    """Multiply colours by a factor, clipped at white; transparency is unchanged."""
    return _with_colours(images, images[..., :3] * factor)


@_image_node("AdjustContrast", display="Adjust Contrast")
def adjust_contrast(images: Image, factor: Factor = 1.0) -> Image:
    """Move colours away from middle grey by a factor, or towards it; transparency is unchanged."""
    return _with_colours(images, (images[..., :3] - 0.5) * factor + 0.5)


def _with_colours(images: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    return torch.cat((colours.clamp(0.0, 1.0), images[..., 3:]), -1)


@_image_node("NormalizeImages", display="Normalize Images")
def normalize_images(
    images: Image,
    mean: Annotated[float, Range(0.0, 1.0)] = 0.5,
    std: Annotated[float, Range(0.001, 1.0)] = 0.5,
) -> Image:
    """(value - mean) / std: with 0.5 and 0.5 the range 0 to 1 becomes -1 to 1."""
    return (images - mean) / std


@_image_node("CenterCropImages", display="Center Crop Images")
def center_crop(images: Image, width: Side = 512, height: Side = 512) -> Image:
    """Crop the middle of pictures; a side shorter than requested is kept whole."""
    return _window(images, width, height, 0.5, 0.5)


@_image_node("RandomCropImages", display="Random Crop Images")
def random_crop(images: Image, width: Side = 512, height: Side = 512, seed: Seed = 0) -> Image:
    """Crop a random part of each picture, by seed; a side shorter than requested is kept whole."""
    generator = torch.Generator().manual_seed(seed % 2**63)
    places = torch.rand(len(images), 2, generator=generator).tolist()
    cut = [
        _window(image, width, height, x, y)
        for image, (x, y) in zip(images.split(1), places, strict=True)
    ]
    return torch.cat(cut)


def _window(
    images: torch.Tensor, width: int, height: int, right: float, down: float
) -> torch.Tensor:
    """A part of images; `right` and `down` say where, 0 at the first edge and 1 at the last."""
    x = int(max(images.shape[2] - width, 0) * right)
    y = int(max(images.shape[1] - height, 0) * down)
    return images[:, y : y + height, x : x + width].clone()


@_image_node("ResizeImagesByLongerEdge", display="Resize Images by Longer Edge")
def resize_by_longer_edge(images: Image, longer_edge: Side = 1024) -> Image:
    """Scale pictures (Lanczos) so that the longer side has that many pixels."""
    return _with_edge(images, longer_edge / max(images.shape[1:3]))


@_image_node("ResizeImagesByShorterEdge", display="Resize Images by Shorter Edge")
def resize_by_shorter_edge(images: Image, shorter_edge: Side = 512) -> Image:
    """Scale pictures (Lanczos) so that the shorter side has that many pixels."""
    return _with_edge(images, shorter_edge / min(images.shape[1:3]))


def _with_edge(images: torch.Tensor, factor: float) -> torch.Tensor:
    height, width = images.shape[1:3]
    wide, high = round(width * factor), round(height * factor)
    return scale(images, *size_in_proportion(wide, high, of=(width, height)), method="lanczos")


@_image_node("ImageDeduplication", display="Image Deduplication", input_is_list=True)
def deduplicate(
    images: Sequence[Image],
    similarity_threshold: Sequence[Annotated[float, Range(0.0, 1.0)]] = (0.95,),
) -> list[Image]:
    """Remove pictures that look like an earlier one.

    Compares which parts of an 8 x 8 grid, in each colour, are brighter than the picture's mean; the
    threshold is the share of parts that must be equal.
    """
    kept: list[torch.Tensor] = []
    marks: list[torch.Tensor] = []
    for image in single_images(images):
        mark = _mark_of(image)
        alike = [float((mark == other).float().mean()) for other in marks]
        if max(alike, default=-1.0) < similarity_threshold[0]:
            kept.append(image)
            marks.append(mark)
    return kept


def _mark_of(image: torch.Tensor) -> torch.Tensor:
    """What of an image [1, H, W, C] survives scaling and small changes: 192 times yes or no."""
    small = interpolate(image[..., :3].movedim(-1, 1), (_HASH_SIDE, _HASH_SIDE), mode="area")
    return (small > small.mean()).flatten()


@_image_node("ImageGrid", display="Image Grid", input_is_list=True)
def image_grid(
    images: Sequence[Image],
    columns: Sequence[Annotated[int, Range(1, 20)]] = (4,),
    cell_width: Sequence[Annotated[int, Range(32, 2048)]] = (256,),
    cell_height: Sequence[Annotated[int, Range(32, 2048)]] = (256,),
    padding: Sequence[Annotated[int, Range(0, 50)]] = (4,),
) -> Image:
    """Arrange all pictures in a grid, row by row on black, each scaled to the size of a cell."""
    singles = single_images(images)
    if not singles:
        raise NodeError("there is no image for the grid; connect at least one")
    wide, high, gap = cell_width[0], cell_height[0], padding[0]
    rows = -(-len(singles) // columns[0])
    width = columns[0] * (wide + gap) - gap
    height = rows * (high + gap) - gap
    size_in_proportion(width, height, of=(wide, high))
    grid = torch.zeros(1, height, width, 3)
    for number, image in enumerate(singles):
        row, column = divmod(number, columns[0])
        y, x = row * (high + gap), column * (wide + gap)
        cell = scale(image, wide, high, method="lanczos")
        grid[:, y : y + high, x : x + wide] = cell[..., :3]
    return grid


@_image_node("MergeImageLists", display="Merge Image Lists", input_is_list=True)
def merge_images(images: Sequence[Image]) -> list[Image]:
    """Join several lists of pictures."""
    return list(images)


@_image_node("ShuffleDataset", display="Shuffle Image Dataset", input_is_list=True)
def shuffle_images(images: Sequence[Image], seed: Sequence[Seed] = (0,)) -> list[Image]:
    """Shuffle pictures by seed."""
    singles = single_images(images)
    return [singles[index] for index in _order(len(singles), seed[0])]


@node(
    "ShuffleImageTextDataset",
    category="dataset/image",
    display="Shuffle Image-Text Dataset",
    experimental=True,
    input_is_list=True,
)
def shuffle_pairs(
    images: Sequence[Image], texts: Sequence[Line], seed: Sequence[Seed] = (0,)
) -> ShuffledPairs:
    """Shuffle pictures and their texts together, by seed."""
    singles = single_images(images)
    if len(singles) != len(texts):
        raise NodeError(
            f"there are {len(singles)} pictures and {len(texts)} texts; give one text for each"
        )
    order = _order(len(singles), seed[0])
    return ShuffledPairs([singles[index] for index in order], [texts[index] for index in order])


def _order(count: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed % 2**63)
    return torch.randperm(count, generator=generator).tolist()
