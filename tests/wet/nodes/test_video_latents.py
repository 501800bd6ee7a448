"""Latents of videos: sizes, cuts, statistics."""

import pytest
import torch

from engine.errors import NodeError
from nodes import video_latents as nodes


@pytest.mark.parametrize(
    ("make", "given", "shape"),
    [
        (nodes.empty_mochi_latent_video, (848, 480, 25, 1), (1, 12, 5, 60, 106)),
        (nodes.empty_ltxv_latent_video, (768, 512, 97, 1), (1, 128, 13, 16, 24)),
        (nodes.empty_cosmos_latent_video, (1280, 704, 121, 1), (1, 16, 16, 88, 160)),
        (nodes.empty_chroma_radiance_latent_image, (64, 32, 3), (3, 3, 32, 64)),
    ],
)
def test_empty_latents(make, given, shape):
    found = make(*given)["samples"]
    assert found.shape == shape
    assert found.sum() == 0


def test_both_stages():
    found = nodes.stable_cascade_empty_latent_image(1024, 512, 42, 2)
    assert found.stage_c["samples"].shape == (2, 16, 12, 24)
    assert found.stage_b["samples"].shape == (2, 4, 128, 256)


def test_frames_are_left_out_with_their_mask():
    samples = torch.rand(1, 4, 6, 3, 3)
    mask = torch.rand(1, 1, 6, 3, 3)
    found = nodes.trim_video_latent({"samples": samples, "noise_mask": mask, "more": 1}, 2)
    assert torch.equal(found["samples"], samples[:, :, 2:])
    assert torch.equal(found["noise_mask"], mask[:, :, 2:])
    assert found["more"] == 1
    with pytest.raises(NodeError, match="has 6 frames; 6 cannot"):
        nodes.trim_video_latent({"samples": samples}, 6)
    with pytest.raises(NodeError, match="this latent is of pictures"):
        nodes.trim_video_latent({"samples": samples[:, :, 0]}, 1)


def test_the_start_has_the_statistics_of_what_follows():
    samples = torch.randn(2, 3, 9, 8, 8) * 2 + 1
    samples[:, :, :4] = samples[:, :, :4] * 5 - 7
    found = nodes.normalize_video_latent_start({"samples": samples}, 4, 5)["samples"]
    assert torch.equal(found[:, :, 4:], samples[:, :, 4:])
    start, after = found[:, :, :4].flatten(2), samples[:, :, 4:9].flatten(2)
    assert torch.allclose(start.mean(-1), after.mean(-1), atol=1e-4)
    assert torch.allclose(start.std(-1), after.std(-1), atol=1e-4)
    one = {"samples": samples[:, :, :1]}
    assert nodes.normalize_video_latent_start(one) is one
    short = {"samples": samples[:, :, :3]}
    assert nodes.normalize_video_latent_start(short, 4) is short


def test_sizes():
    assert nodes.get_latent_size({"samples": torch.zeros(2, 4, 5, 6)}) == (6, 5, 1, 2)
    assert nodes.get_latent_size({"samples": torch.zeros(1, 4, 3, 5, 6)}) == (6, 5, 3, 1)
