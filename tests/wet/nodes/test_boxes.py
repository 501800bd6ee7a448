"""Boxes: what they are read from, crops against slices, drawn pixels."""

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from engine.errors import NodeError
from nodes.boxes import (
    create_bounding_boxes,
    crop_by_bboxes,
    draw_bboxes,
    image_crop_v2,
    primitive_bounding_box,
)

IMAGE = torch.rand(2, 20, 30, 3, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((5, 4, 10, 8), slice(4, 12), slice(5, 15)),
        ((25, 15, 100, 100), slice(15, 20), slice(25, 30)),
        ((500, 500, 5, 5), slice(19, 20), slice(29, 30)),
        ((0, 0, 1, 1), slice(0, 1), slice(0, 1)),
    ],
)
def test_a_crop_is_a_slice(channels, box, rows, columns):
    image = torch.rand(2, 20, 30, channels)
    given = primitive_bounding_box(*box)
    assert torch.equal(image_crop_v2(image, given), image[:, rows, columns])
    assert torch.equal(image_crop_v2(image, [given]), image[:, rows, columns])


def test_what_is_no_box_is_said():
    for wrong in ({"x": 1}, {"x": "a", "y": 0, "width": 1, "height": 1}):
        with pytest.raises(NodeError, match="is no bounding box; one has x, y, width and height"):
            image_crop_v2(IMAGE, wrong)
    with pytest.raises(NodeError, match="no list of bounding boxes"):
        draw_bboxes("box", IMAGE)
    with pytest.raises(NodeError, match="boxes for 3 images, but 2 images"):
        draw_bboxes([[], [], []], IMAGE)


def box(x, y, width, height, **more):
    return {"x": x, "y": y, "width": width, "height": height, **more}


def test_boxes_are_drawn_on_their_images_only():
    image = torch.zeros(2, 40, 60, 4)
    found = draw_bboxes([[box(10, 5, 20, 12)], []], image)
    assert found.shape == (2, 40, 60, 3)
    assert found[1].sum() == 0
    drawn = (found[0].sum(-1) > 0).numpy()
    expected = np.zeros((40, 60), dtype=bool)
    expected[5:17, 10:30] = True
    expected[6:16, 11:29] = False
    assert (drawn == expected).all()


def test_without_an_image_the_canvas_holds_all_boxes():
    assert draw_bboxes(box(1, 2, 3, 4)).shape == (1, 640, 640, 3)
    assert draw_bboxes([box(700, 2, 100, 4)]).shape == (1, 640, 801, 3)
    assert draw_bboxes([[box(0, 0, 9, 9)], [box(0, 0, 9, 9, label="cat", score=0.5)]]).shape[0] == 2
    assert draw_bboxes([]).sum() == 0
    with pytest.raises(NodeError, match="at most 16,384"):
        draw_bboxes(box(0, 0, 20_000, 1))


def test_labels_are_written():
    plain = draw_bboxes(box(10, 30, 20, 12), torch.zeros(1, 80, 120, 3))
    named = draw_bboxes(box(10, 30, 20, 12, label="cat", score=0.9), torch.zeros(1, 80, 120, 3))
    above = (named - plain).abs()[0, :30].sum()
    assert above > 0


def test_crops_of_boxes_have_one_size():
    found = crop_by_bboxes(IMAGE, [[box(2, 3, 6, 4), box(10, 3, 4, 8)], []], 64, 64)
    assert found.shape == (2, 64, 64, 3)
    part = IMAGE[:1, 3:11, 2:14]
    expected = torch.nn.functional.interpolate(part.movedim(-1, 1), (64, 64), mode="bilinear")
    assert torch.allclose(found[:1], expected.movedim(1, -1))
    # without a box: the square in the middle of the upper edge
    square = torch.nn.functional.interpolate(
        IMAGE[1:, :20, 5:25].movedim(-1, 1), (64, 64), mode="bilinear"
    )
    assert torch.allclose(found[1:], square.movedim(1, -1))
    padded = crop_by_bboxes(IMAGE, box(0, 0, 20, 10), 64, 64, keep_aspect="pad")
    assert padded[:, :16].sum() == padded[:, 48:].sum() == 0
    assert padded[:, 16:48].sum() > 0


def test_drawn_boxes_become_elements():
    drawn = [box(128, 256, 512, 256, metadata={"type": "text", "text": "A", "desc": "d"})]
    found = create_bounding_boxes(width=1024, height=512, editor_state=drawn)
    assert found.preview.shape == (1, 512, 1024, 3)
    assert found.bboxes == [box(128, 256, 512, 256)]
    [element] = found.elements
    assert element == {
        "type": "text",
        "bbox": [125, 500, 625, 1000],
        "text": "A",
        "desc": "d",
        "color_palette": [],
    }


def test_joined_boxes_count_until_the_drawing_began_with_them():
    joined, drawn = [box(0, 0, 64, 64)], [box(64, 64, 64, 64)]
    assert create_bounding_boxes(bboxes=joined, editor_state=drawn).bboxes == joined
    kept = create_bounding_boxes(bboxes=joined, editor_state=drawn, last_incoming=joined)
    assert kept.bboxes == drawn
    text = '[{"x": 1, "y": 2, "width": 3, "height": 4}]'
    assert create_bounding_boxes(bboxes=text).bboxes == [box(1, 2, 3, 4)]
    with pytest.raises(NodeError, match="bboxes is no JSON"):
        create_bounding_boxes(bboxes="{")
    assert create_bounding_boxes(bboxes="", background=IMAGE).elements == []


def test_a_palette_colours_its_box():
    drawn = [box(0, 0, 32, 32, metadata={"palette": ["#00ff00"]})]
    found = create_bounding_boxes(width=64, height=64, editor_state=drawn)
    assert found.preview[0, 0, 0].tolist() == [0.0, 1.0, 0.0]
    assert Pillow.new("RGB", (1, 1), "#00ff00").getpixel((0, 0)) == (0, 255, 0)
