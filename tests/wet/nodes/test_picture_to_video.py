"""The nodes that condition on a picture alone: what they encode, and the latents they begin."""

import math

import pytest
import torch

from engine.inference.vision import ClipVision
from engine.nodekit.context import RunningContext
from engine.residency.handles import LazyWeights
from engine.vision.clip import ClipImageEncoder
from nodes.picture_to_video import (
    stable_zero123_conditioning,
    stable_zero123_conditioning_batched,
    sv3d_conditioning,
    svd_img2vid_conditioning,
)
from nodes.vision import unclip_conditioning
from tests.wet.conftest import fill_by_name
from tests.wet.picture_checkpoints import EYE, WIDTH

SIZE = {"width": 32, "height": 24}


@pytest.fixture
def given(files, tiny_vae):
    kind = ClipImageEncoder()
    module = fill_by_name(lambda: kind.build(EYE))
    vision = ClipVision(kind, EYE, LazyWeights("tiny", 1, lambda: module))
    picture = torch.rand(1, 40, 60, 3, generator=torch.Generator().manual_seed(1))
    context = RunningContext("1", files)
    return {"clip_vision": vision, "init_image": picture, "vae": tiny_vae, "ctx": context}


def test_a_video_begins_with_the_picture(given):
    found = svd_img2vid_conditioning(**given, **SIZE, video_frames=5, motion_bucket_id=9, fps=7)
    [[seen, extras]], [[none, others]] = found.positive, found.negative
    assert seen.shape == (1, 1, WIDTH)
    assert seen.any()
    assert not none.any()
    assert extras["concat_latent_image"].shape == (1, 4, 3, 4)
    assert not others["concat_latent_image"].any()
    numbers = {"motion_bucket_id": 9, "fps": 7, "augmentation_level": 0.0}
    assert {key: extras[key] for key in numbers} == numbers
    assert {key: others[key] for key in numbers} == numbers
    assert found.latent["samples"].shape == (5, 4, 3, 4)


def test_noise_on_the_picture_is_always_the_same(given):
    plain, noised, again = (
        svd_img2vid_conditioning(**given, **SIZE, augmentation_level=level).positive[0][1]
        for level in (0.0, 0.2, 0.2)
    )
    key = "concat_latent_image"
    assert torch.equal(noised[key], again[key])
    assert not torch.allclose(noised[key], plain[key], atol=1e-3)


def test_views_go_once_around(given):
    found = sv3d_conditioning(**given, **SIZE, video_frames=4, elevation=12.0)
    extras = found.positive[0][1]
    assert extras["elevation"] == [12.0] * 4
    assert extras["azimuth"] == pytest.approx([0, 120, 240, 360])
    alone = sv3d_conditioning(**given, **SIZE, video_frames=1)
    assert alone.positive[0][1]["azimuth"] == [0.0]


def test_a_view_has_a_camera_and_the_negative_has_none(given):
    found = stable_zero123_conditioning(
        **given, **SIZE, batch_size=2, elevation=-15.0, azimuth=90.0
    )
    [[view, extras]], [[none, _]] = found.positive, found.negative
    assert view.shape == (1, 1, WIDTH + 4)
    camera = [math.radians(15), 1.0, 0.0, math.pi / 2]
    assert view[0, 0, WIDTH:].tolist() == pytest.approx(camera, abs=1e-6)
    assert none.shape == (1, 1, WIDTH)
    assert extras["concat_latent_image"].shape == (1, 4, 3, 4)
    assert found.latent["samples"].shape == (2, 4, 3, 4)
    assert "batch_index" not in found.latent


def test_a_batch_of_views_has_one_noise(given):
    found = stable_zero123_conditioning_batched(
        **given,
        **SIZE,
        batch_size=3,
        azimuth=10.0,
        azimuth_batch_increment=40.0,
        elevation_batch_increment=5.0,
    )
    [[views, _]] = found.positive
    assert views.shape == (3, 1, WIDTH + 4)
    around = [math.sin(math.radians(angle)) for angle in (10, 50, 90)]
    assert views[:, 0, WIDTH + 1].tolist() == pytest.approx(around, abs=1e-6)
    up = [-math.radians(angle) for angle in (0, 5, 10)]
    assert views[:, 0, WIDTH].tolist() == pytest.approx(up, abs=1e-6)
    assert found.latent["batch_index"] == [0, 0, 0]


def test_pictures_are_added_to_a_prompt():
    prompt = [[torch.zeros(1, 2, 3), {"pooled_output": None}]]
    one = unclip_conditioning(prompt, "seen", 0.5, 0.1)
    two = unclip_conditioning(one, "other", -1.0, 0.0)
    first = {"clip_vision_output": "seen", "strength": 0.5, "noise_augmentation": 0.1}
    other = {"clip_vision_output": "other", "strength": -1.0, "noise_augmentation": 0.0}
    assert one[0][1]["unclip_conditioning"] == [first]
    assert two[0][1]["unclip_conditioning"] == [first, other]
    assert "unclip_conditioning" not in prompt[0][1]
    assert unclip_conditioning(prompt, "seen", 0.0) is prompt
