"""Paintings against Pillow's compositing, and pictures of the camera."""

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import FilesError, NodeError
from engine.nodekit.context import RunningContext
from nodes.drawn_images import painter, webcam_capture


@pytest.fixture
def ctx(files):
    return RunningContext("1", files)


@pytest.fixture
def painting(files):
    """An RGBA file with all opacities."""
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, 256, (48, 64, 4), dtype=np.uint8)
    pixels[:8, :, 3] = 0
    made = Image.fromarray(pixels, "RGBA")
    made.save(files.folders("input")[0] / "p.png")
    return made


def test_a_painting_is_laid_over_the_image_as_pillow_does(ctx, painting):
    base = torch.rand(2, 48, 64, 3, generator=torch.Generator().manual_seed(1))
    found, mask = painter(ctx, "p.png [input]", image=base)
    assert torch.equal(mask, torch.from_numpy(np.asarray(painting)[None, ..., 3] / 255.0).float())
    for image, made in zip(base, found, strict=True):
        under = Image.fromarray((image.numpy() * 255).round().astype(np.uint8)).convert("RGBA")
        expected = np.asarray(Image.alpha_composite(under, painting))[..., :3]
        assert np.abs(made.numpy() * 255 - expected).max() <= 1.5
    assert torch.equal(found[:, :8], base[:, :8])


def test_a_transparent_image_is_opaque_where_something_was_painted(ctx, painting):
    base = torch.rand(1, 48, 64, 4, generator=torch.Generator().manual_seed(1))
    found, _ = painter(ctx, "p.png", image=base)
    under = Image.fromarray((base[0].numpy() * 255).round().astype(np.uint8), "RGBA")
    expected = np.asarray(Image.alpha_composite(under, painting))[..., 3]
    assert np.abs(found[0, ..., 3].numpy() * 255 - expected).max() <= 1.5


def test_without_an_image_the_canvas_has_the_size_and_the_colour(ctx, painting):
    found, mask = painter(ctx, "", 128, 64, "#ff8000")
    assert found.shape == (1, 64, 128, 3)
    assert torch.allclose(found[0, 3, 5], torch.tensor([1.0, 128 / 255, 0.0]))
    assert mask.shape == (1, 64, 128)
    assert not mask.any()
    scaled, mask = painter(ctx, "p.png", 128, 64, "#ffffff")
    assert scaled.shape == (1, 64, 128, 3)
    assert 0.0 < mask.mean() < 1.0


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (3, 1, 300, 1), (2, 7, 5, 4)])
def test_odd_sizes(ctx, painting, shape):
    found, mask = painter(ctx, "p.png", image=torch.rand(*shape))
    assert found.shape == (*shape[:3], max(3, shape[-1]))
    assert mask.shape == (1, *shape[1:3])


def test_a_missing_file_is_named_before_the_run_and_in_it(ctx):
    assert "gone.png" in painter.complaint({"mask": "gone.png"}, {}, ctx)
    assert painter.complaint({"mask": ""}, {}, ctx) is None
    with pytest.raises(FilesError, match=r"gone\.png"):
        painter(ctx, "gone.png")
    with pytest.raises(FilesError, match="leads out"):
        painter(ctx, "../../x.png")


def test_a_picture_of_the_camera(ctx, files, painting):
    painting.convert("RGB").save(files.folders("temp")[0] / "w.png")
    plain = webcam_capture("w.png [temp]", ctx)
    assert np.array_equal((plain[0].numpy() * 255).round(), np.asarray(painting.convert("RGB")))
    assert webcam_capture("w.png [temp]", ctx, 32).shape == (1, 24, 32, 3)
    assert webcam_capture("w.png [temp]", ctx, 0, 96).shape == (1, 96, 128, 3)
    assert webcam_capture("w.png [temp]", ctx, 10, 90).shape == (1, 90, 10, 3)


def test_no_picture_was_taken_yet(ctx):
    said = webcam_capture.complaint({"image": ""}, {}, ctx)
    assert said.startswith("no picture was taken yet")
    with pytest.raises(NodeError, match="press the camera button"):
        webcam_capture("", ctx)
