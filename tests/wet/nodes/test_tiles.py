"""Tiles and padding against slices, numpy's padding and the image itself."""

import numpy as np
import pytest
import torch

from engine.errors import NodeError
from nodes.tiles import image_merge_tile_list, pad_image, split_image_to_tile_list

RANDOM = torch.Generator().manual_seed(8)
COLOR = {"padding_style": "color", "color": "#ff0000", "feathering": 0}


@pytest.mark.parametrize(
    ("size", "tile", "overlap", "count"),
    [((100, 150), (64, 64), 16, 6), ((64, 64), (64, 64), 0, 1), ((30, 200), (64, 64), 32, 6)],
)
def test_tiles_make_the_image_again(size, tile, overlap, count):
    image = torch.rand(2, *size, 4, generator=RANDOM)
    tiles = split_image_to_tile_list(image, tile[1], tile[0], overlap)
    assert len(tiles) == count
    assert torch.equal(tiles[0], image[:, : tile[0], : tile[1]])
    assert torch.equal(tiles[-1], image[:, -tile[0] :, -tile[1] :])
    found = image_merge_tile_list(tiles, [size[1]], [size[0]], [overlap])
    assert torch.allclose(found, image, atol=1e-6)


def test_seams_are_blended():
    tiles = [torch.zeros(1, 64, 64, 3), torch.ones(1, 64, 64, 3)]
    row = image_merge_tile_list(tiles, [112], [64], [16])[0, 0, :, 0]
    assert row[:48].sum() == 0
    assert row[64:].min() == 1
    assert bool((row[48:64].diff() > 0).all())


def test_tiles_that_do_not_fit_are_refused():
    image = torch.rand(1, 100, 100, 3)
    with pytest.raises(NodeError, match="cannot overlap by 64"):
        split_image_to_tile_list(image, 64, 64, 64)
    with pytest.raises(NodeError, match="there are 1"):
        image_merge_tile_list([image], [300], [100], [0])
    with pytest.raises(NodeError, match="a tile has the shape"):
        image_merge_tile_list([image, image[:, :50]], [200], [100], [0])


def padded(image, kind, style=COLOR):
    return pad_image(image, kind, style)


def dimensions(left, top, right, bottom):
    return {
        "padding_type": "pad dimensions",
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
    }


@pytest.mark.parametrize("amounts", [(2, 3, 4, 5), (0, 0, 9, 0), (30, 40, 50, 60)])
def test_borders_are_mirrored_as_numpy_does_it(amounts):
    image = torch.rand(2, 6, 7, 3, generator=RANDOM)
    left, top, right, bottom = amounts
    expected = np.pad(image.numpy(), ((0, 0), (top, bottom), (left, right), (0, 0)), mode="reflect")
    found = padded(image, dimensions(*amounts), {"padding_style": "mirror image"})
    assert np.array_equal(found.numpy(), expected)
    single = padded(image[:, :1, :1], dimensions(1, 1, 1, 1), {"padding_style": "mirror image"})
    assert torch.equal(single, image[:, :1, :1].expand(2, 3, 3, 3))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_colour_stands_around_the_image(channels):
    image = torch.rand(1, 5, 6, channels, generator=RANDOM)
    found = padded(image, dimensions(1, 2, 3, 4))
    assert found.shape == (1, 11, 10, channels)
    assert torch.equal(found[:, 2:7, 1:7], image)
    assert found[0, 0, 0].tolist() == [1.0, 0.0, 0.0, 1.0][:channels]


def test_sizes():
    image = torch.rand(1, 50, 61, 3)
    many = padded(image, {"padding_type": "pad to multiple", "multiple": 32})
    assert many.shape == (1, 64, 64, 3)
    assert torch.equal(many[:, 7:57, 1:62], image)
    larger = padded(image, {"padding_type": "pad by multiplier", "multiplier": 1.5})
    assert larger.shape == (1, 75, 92, 3)
    assert padded(image, dimensions(0, 0, 0, 0)) is image
    with pytest.raises(NodeError, match="at most"):
        padded(image, {"padding_type": "pad to multiple", "multiple": 40_000})


def test_feathering_fades_on_padded_sides_only():
    image = torch.zeros(1, 10, 10, 3)
    found = padded(image, dimensions(5, 0, 0, 0), {**COLOR, "feathering": 4})[0, 5, :, 0]
    assert bool((found[5:9].diff() < 0).all())
    assert found[9:].sum() == 0
    assert found[:5].tolist() == [1.0] * 5
