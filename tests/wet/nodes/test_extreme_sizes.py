"""Derived sizes: at least one row and one column remain, and none gets too long."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NodeError
from nodes.image import batch_images_node, image_batch
from nodes.image_batch import rebatch_images
from nodes.image_postprocessing import image_blend
from nodes.image_scaling import MOST_SIDE, crop_to_proportions
from nodes.image_transform import image_stitch, resize_and_pad_image
from nodes.image_upscaling import (
    image_scale,
    image_scale_by,
    image_scale_to_max_dimension,
    image_scale_to_total_pixels,
)
from nodes.latent import latent_blend, latent_upscale, latent_upscale_by
from nodes.latent_arithmetic import latent_add, latent_interpolate
from nodes.latent_batch import batch_latents, replace_video_latent_frames
from nodes.mask import batch_masks_node
from nodes.mask_compositing import porter_duff_image_composite

WIDE, HIGH, SMALL = (1, 512), (512, 1), (64, 64)
Sides = st.integers(1, 40)


def image(size: tuple[int, int]) -> torch.Tensor:
    return torch.full((1, *size, 3), 0.5)


def mask(size: tuple[int, int]) -> torch.Tensor:
    return torch.zeros(1, *size)


def latent(size: tuple[int, int]) -> dict[str, torch.Tensor]:
    return {"samples": torch.ones(1, 4, *size)}


@given(Sides, Sides, st.integers(1, 5000), st.integers(1, 5000))
def test_a_centred_cut_leaves_something(rows: int, columns: int, width: int, height: int):
    cut = crop_to_proportions(torch.zeros(1, rows, columns, 1), width, height)
    assert min(cut.shape) >= 1
    assert cut.shape[1] == rows or cut.shape[2] == columns


@pytest.mark.parametrize("first", [WIDE, HIGH])
@pytest.mark.parametrize("second", [WIDE, HIGH, SMALL])
def test_nodes_that_fit_one_to_another(first: tuple[int, int], second: tuple[int, int]):
    images, masks, latents = ([make(first), make(second)] for make in (image, mask, latent))
    assert image_batch(*images).shape[1:3] == first
    assert batch_images_node({"image0": images[0], "image1": images[1]}).shape[1:3] == first
    assert rebatch_images(images, [2])[0].shape[1:3] == first
    assert image_blend(*images, 0.5, blend_mode="screen").shape[1:3] == first
    assert batch_masks_node({"mask0": masks[0], "mask1": masks[1]}).shape[1:] == first
    for direction in ("right", "down"):
        stitched = image_stitch(images[0], direction, match_image_size=False, image2=images[1])
        assert min(stitched.shape) >= 1
    assert image_stitch(images[0], "right", image2=image((200, 1))).shape[1] == first[0]
    composed, _ = porter_duff_image_composite(images[0], masks[1], images[1], masks[0], "XOR")
    assert composed.shape[1:3] == second
    assert latent_add(*latents)["samples"].shape[2:] == first
    for combine in (latent_blend, latent_interpolate):
        assert combine(*latents, 0.5)["samples"].shape[2:] == first
    assert (
        batch_latents({"latent0": latents[0], "latent1": latents[1]})["samples"].shape[2:] == first
    )
    videos = [{"samples": each["samples"].unsqueeze(2)} for each in latents]
    replaced = replace_video_latent_frames(videos[0], 0, videos[1])
    assert replaced["samples"].shape[-2:] == first


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
def test_images_keep_a_pixel(method: str):
    for size in (WIDE, HIGH, SMALL):
        for width, height in ((1, 4096), (4096, 1)):
            scaled = image_scale(image(size), method, width, height, crop="center")
            assert scaled.shape[1:3] == (height, width)
        assert min(image_scale_by(image(size), method, 0.01).shape) >= 1
        assert max(image_scale_to_max_dimension(image(size), method, 3).shape[1:3]) == 3
        assert min(image_scale_to_total_pixels(image(size), method, 0.01).shape) >= 1
        padded = resize_and_pad_image(
            image(size), 8, 8, padding_color="white", interpolation=method
        )
        assert padded.shape[1:3] == (8, 8)
    assert image_scale(image(WIDE), method, 8, 0, crop="disabled").shape[1:3] == (1, 8)
    steps = image_scale_to_total_pixels(image((1, 100)), method, 0.01, 64)
    assert steps.shape[1:3] == (64, 1024)


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "bislerp"])
def test_latents_keep_a_cell(method: str):
    for size in (WIDE, HIGH, (8, 8)):
        for width, height in ((16384, 64), (64, 16384)):
            scaled = latent_upscale(latent(size), method, width, height, crop="center")["samples"]
            assert scaled.shape[2:] == (height // 8, width // 8)
        assert min(latent_upscale_by(latent(size), method, 0.01)["samples"].shape) >= 1


def test_a_side_that_follows_is_bounded():
    narrow = image((1, 16384))
    for grow in (
        lambda: image_scale(narrow, "area", 0, 16384, crop="disabled"),
        lambda: image_scale_by(narrow, "area", 8.0),
        lambda: image_stitch(image((16384, 1)), "right", image2=narrow),
    ):
        with pytest.raises(NodeError, match=f"no side may be longer than {MOST_SIDE}"):
            grow()
    with pytest.raises(NodeError, match="no side may be longer"):
        latent_upscale(latent((1, 2048)), "area", 0, 16384, crop="disabled")
