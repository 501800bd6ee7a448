"""Latents as numbers."""

import pytest
import torch
from torch.nn.functional import interpolate

from engine.errors import NodeError
from nodes.latent import latent_blend
from nodes.latent_arithmetic import (
    latent_add,
    latent_batch_seed_behavior,
    latent_concat,
    latent_cut,
    latent_cut_to_batch,
    latent_interpolate,
    latent_multiply,
    latent_subtract,
)
from nodes.latent_batch import latent_batch


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


FIRST = {"samples": noise(2, 4, 8, 8), "type": "kept"}
SECOND = {"samples": noise(2, 4, 8, 8, seed=1)}


def test_sums():
    a, b = FIRST["samples"], SECOND["samples"]
    torch.testing.assert_close(latent_add(FIRST, SECOND)["samples"], a + b)
    torch.testing.assert_close(latent_subtract(FIRST, SECOND)["samples"], a - b)
    torch.testing.assert_close(latent_multiply(FIRST, -2.5)["samples"], a * -2.5)
    assert latent_add(FIRST, SECOND)["type"] == "kept"


def test_the_second_is_made_to_fit():
    small = noise(1, 4, 4, 4, seed=2)
    expected = FIRST["samples"] + interpolate(small, (8, 8), mode="bilinear")
    torch.testing.assert_close(latent_add(FIRST, {"samples": small})["samples"], expected)
    with pytest.raises(NodeError, match="do not go together"):
        latent_add(FIRST, {"samples": noise(1, 16, 8, 8)})


def test_other_numbers_of_frames_are_refused():
    first, second = {"samples": noise(1, 4, 3, 8, 8)}, {"samples": noise(1, 4, 2, 8, 8)}
    for combine in (latent_add, latent_subtract, latent_interpolate, latent_blend, latent_batch):
        with pytest.raises(NodeError, match="one has 2 frames, the other 3"):
            combine(first, second)


def test_interpolation_keeps_lengths():
    a, b = FIRST["samples"], SECOND["samples"]
    torch.testing.assert_close(latent_interpolate(FIRST, SECOND, 1.0)["samples"], a)
    torch.testing.assert_close(latent_interpolate(FIRST, SECOND, 0.0)["samples"], b)
    between = latent_interpolate(FIRST, SECOND, 0.25)["samples"]
    torch.testing.assert_close(between.norm(dim=1), 0.25 * a.norm(dim=1) + 0.75 * b.norm(dim=1))
    mixed = 0.25 * a / a.norm(dim=1, keepdim=True) + 0.75 * b / b.norm(dim=1, keepdim=True)
    along = (mixed * between).sum(1) / mixed.norm(dim=1) / between.norm(dim=1)
    torch.testing.assert_close(along, torch.ones_like(along))
    empty = latent_interpolate({"samples": torch.zeros(1, 4, 2, 2)}, SECOND, 0.5)["samples"]
    assert empty.isfinite().all()


@pytest.mark.parametrize(("dim", "along"), [("x", -1), ("y", -2), ("t", -3)])
def test_concat(dim, along):
    a, b = noise(1, 4, 3, 8, 8), noise(1, 4, 3, 8, 8, seed=1)
    first, second = {"samples": a}, {"samples": b}
    torch.testing.assert_close(
        latent_concat(first, second, dim)["samples"], torch.cat([a, b], dim=along)
    )
    torch.testing.assert_close(
        latent_concat(first, second, f"-{dim}")["samples"], torch.cat([b, a], dim=along)
    )


def test_concat_of_what_does_not_fit():
    with pytest.raises(NodeError, match="their other sides differ"):
        latent_concat(FIRST, {"samples": noise(2, 4, 4, 8)}, "x")
    single = latent_concat(FIRST, {"samples": noise(1, 4, 8, 3)}, "x")["samples"]
    assert single.shape == (2, 4, 8, 11)


@pytest.mark.parametrize(
    ("index", "amount", "expected"),
    [(2, 3, range(2, 5)), (-3, 2, range(5, 7)), (-3, 99, range(5, 8)), (99, 4, range(7, 8)),
     (-99, 2, range(2))],
)  # fmt: skip
def test_cut(index, amount, expected):
    a = FIRST["samples"]
    torch.testing.assert_close(
        latent_cut(FIRST, "x", index, amount)["samples"], a[..., list(expected)]
    )
    torch.testing.assert_close(
        latent_cut(FIRST, "y", index, amount)["samples"], a[..., list(expected), :]
    )


def test_without_time_t_is_the_channels():
    a, b = FIRST["samples"], SECOND["samples"]
    assert torch.equal(latent_concat(FIRST, SECOND, "t")["samples"], torch.cat([a, b], dim=1))
    assert torch.equal(latent_cut(FIRST, "t", 1, 2)["samples"], a[:, 1:3])
    assert torch.equal(latent_cut_to_batch(FIRST, "t", 2)["samples"], a)


def test_cut_to_batch():
    a = FIRST["samples"]
    found = latent_cut_to_batch(FIRST, "x", 3)["samples"]
    expected = torch.stack([a[0, ..., :3], a[0, ..., 3:6], a[1, ..., :3], a[1, ..., 3:6]])
    torch.testing.assert_close(found, expected)
    assert latent_cut_to_batch(FIRST, "y", 99)["samples"].shape == (2, 4, 8, 8)
    video = noise(2, 4, 6, 8, 8)
    frames = latent_cut_to_batch({"samples": video}, "t", 2)["samples"]
    assert frames.shape == (6, 4, 2, 8, 8)
    torch.testing.assert_close(frames[4], video[1, :, 2:4])


def test_noise_of_a_batch():
    fixed = latent_batch_seed_behavior(FIRST, "fixed")
    assert fixed["batch_index"] == [0, 0]
    numbered = FIRST | {"batch_index": [7, 8]}
    assert latent_batch_seed_behavior(numbered, "fixed")["batch_index"] == [7, 7]
    assert "batch_index" not in latent_batch_seed_behavior(numbered, "random")
