"""Batches of latents, and the noise of each row."""

import pytest
import torch

from engine.errors import NodeError
from engine.inference.values import RandomNoise
from nodes.latent_batch import (
    batch_latents,
    latent_batch,
    latent_from_batch,
    rebatch_latents,
    repeat_latent_batch,
    replace_video_latent_frames,
)


def latent(count=1, side=8, start=0, **more):
    """Each row filled with its number."""
    numbers = torch.arange(start, start + count, dtype=torch.float32)
    return {"samples": numbers.reshape(-1, 1, 1, 1).expand(count, 4, side, side).clone(), **more}


def rows(found):
    return found["samples"][:, 0, 0, 0].tolist()


def test_batch_of_several():
    found = batch_latents({"latent0": latent(2, type="kept"), "latent1": latent(1, 16, 7)})
    assert found["samples"].shape == (3, 4, 8, 8)
    assert rows(found) == [0, 1, 7]
    assert found["batch_index"] == [0, 1, 0]
    assert found["type"] == "kept"
    numbered = latent_batch(latent(2, batch_index=[5, 6]), latent(2))
    assert numbered["batch_index"] == [5, 6, 0, 1]
    with pytest.raises(NodeError, match="no latents"):
        batch_latents({})


@pytest.mark.parametrize(
    ("first", "length", "expected"),
    [(0, 1, [0]), (1, 2, [1, 2]), (3, 9, [3]), (63, 64, [3]), (0, 64, [0, 1, 2, 3])],
)
def test_rows_out_of_a_batch(first, length, expected):
    found = latent_from_batch(latent(4), first, length)
    assert rows(found) == expected
    assert found["batch_index"] == expected
    again = latent_from_batch(latent(4, batch_index=[9, 8, 7, 6]), first, length)
    assert again["batch_index"] == [9 - each for each in expected]


def test_masks_follow_their_rows():
    masks = torch.arange(4.0).reshape(4, 1, 1, 1).expand(4, 1, 2, 2)
    taken = latent_from_batch(latent(4, noise_mask=masks), 1, 2)["noise_mask"]
    assert taken[:, 0, 0, 0].tolist() == [1, 2]
    fewer = latent_from_batch(latent(4, noise_mask=masks[:2]), 1, 2)["noise_mask"]
    assert fewer[:, 0, 0, 0].tolist() == [1, 0]
    single = latent_from_batch(latent(4, noise_mask=masks[3:]), 1, 2)["noise_mask"]
    assert single[:, 0, 0, 0].tolist() == [3]
    twice = repeat_latent_batch(latent(4, noise_mask=masks), 2)["noise_mask"]
    assert twice[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_a_row_alone_has_the_noise_it_had_in_the_batch():
    together = RandomNoise(3).generate_noise(latent(4))
    alone = RandomNoise(3).generate_noise(latent_from_batch(latent(4), 2, 1))
    torch.testing.assert_close(alone, together[2:3], rtol=0, atol=0)


def test_repeat():
    found = repeat_latent_batch(latent(2), 3)
    assert rows(found) == [0, 1, 0, 1, 0, 1]
    assert "batch_index" not in found
    numbered = repeat_latent_batch(latent(2, batch_index=[4, 6]), 3)
    assert numbered["batch_index"] == [4, 6, 7, 9, 10, 12]


def test_rebatch():
    found = rebatch_latents([latent(3), latent(2, start=3)], [2])
    assert [rows(each) for each in found] == [[0, 1], [2, 3], [4]]
    assert [each["batch_index"] for each in found] == [[0, 1], [2, 3], [4]]
    assert all("noise_mask" not in each for each in found)


def test_rebatch_keeps_sizes_apart():
    found = rebatch_latents([latent(1), latent(2, 16), latent(1)], [10])
    assert [tuple(each["samples"].shape) for each in found] == [
        (1, 4, 8, 8),
        (2, 4, 16, 16),
        (1, 4, 8, 8),
    ]


def test_rebatch_keeps_masks_and_numbers():
    masked = latent(2, batch_index=[8, 9], noise_mask=torch.zeros(1, 1, 32, 32))
    found = rebatch_latents([masked, latent(1)], [3])
    assert len(found) == 1
    assert found[0]["batch_index"] == [8, 9, 2]
    assert found[0]["noise_mask"].shape == (3, 1, 32, 32)
    assert found[0]["noise_mask"].amax(dim=(1, 2, 3)).tolist() == [0, 0, 1]
    flat = masked | {"noise_mask": torch.zeros(1, 32, 32)}
    assert rebatch_latents([flat, latent(1)], [3])[0]["noise_mask"].shape == (3, 1, 32, 32)
    other = latent(1, noise_mask=torch.zeros(1, 1, 4, 4))
    assert rebatch_latents([masked, other], [3])[0]["noise_mask"].shape == (3, 1, 64, 64)


def test_frames_are_replaced(caplog):
    video = {"samples": torch.zeros(1, 4, 5, 2, 2)}
    two = {"samples": torch.ones(1, 4, 2, 2, 2)}

    def frames(index):
        return replace_video_latent_frames(video, index, two)["samples"][0, 0, :, 0, 0].tolist()

    assert frames(1) == [0, 1, 1, 0, 0]
    assert frames(-2) == [0, 0, 0, 1, 1]
    assert replace_video_latent_frames(video, 1) is video
    for index in (4, -6, 99, -99):
        assert frames(index) == [0, 0, 0, 0, 0]
        assert "2 frames do not fit" in caplog.text
        caplog.clear()
    with pytest.raises(NodeError, match="have frames"):
        replace_video_latent_frames(latent(), 0, two)
