"""Noise by seed: equal to the incumbent's, bit by bit; a Brownian path adds up."""

import pytest
import torch
from safetensors.torch import load_file

from engine.diffusion.noise import initial_noise, no_noise, step_noise

SHAPE = (1, 4, 16, 16)


@pytest.fixture(scope="module")
def noise_reference(reference_folder):
    return load_file(reference_folder / "noise.safetensors")


@pytest.fixture(scope="module")
def brownian_reference(reference_folder):
    return load_file(reference_folder / "brownian.safetensors")


@pytest.mark.parametrize(
    ("name", "shape", "batch_index"),
    [
        ("noise_seed42_1x4x16x16", SHAPE, None),
        ("noise_seed42_3x4x16x16", (3, *SHAPE[1:]), None),
        ("noise_inds_2_3", (2, *SHAPE[1:]), [2, 3]),
    ],
)
def test_initial_noise_is_the_incumbents(noise_reference, name, shape, batch_index):
    noise = initial_noise(shape, 42, batch_index=batch_index)
    assert torch.equal(noise, noise_reference[name])


def test_equal_indices_share_their_noise():
    noise = initial_noise((3, *SHAPE[1:]), 7, batch_index=[1, 0, 1])
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize(
    ("seed", "first"),
    [(0, -1.1258398), (2**63, -1.1258398), (2**64 - 1, -2.6643), (2**64, -1.1258398)],
)
def test_seeds_reach_64_bits_and_go_round(seed, first):
    assert initial_noise(SHAPE, seed).flatten()[0].item() == pytest.approx(first, abs=1e-4)


@pytest.mark.parametrize("seed", [5, 2**64 - 1])
def test_ancestral_noise_on_the_cpu_is_one_seed_further(seed):
    x = torch.empty(SHAPE)
    noise = step_noise("ancestral", x, torch.tensor([1.0, 0.0]), seed)
    draws = torch.stack([noise(x, *torch.tensor([1.0, 0.5])) for _ in range(2)])
    generator = torch.Generator().manual_seed((seed + 1) % 2**64)
    assert torch.equal(draws, torch.stack([torch.randn(SHAPE, generator=generator) for _ in "ab"]))


def test_continued_noise_goes_on_where_the_initial_noise_stopped():
    x = torch.empty(SHAPE)
    noise = step_noise("continued", x, torch.tensor([1.0, 0.0]), 5)
    generator = torch.Generator().manual_seed(5)
    torch.randn(SHAPE, generator=generator)
    wider = torch.empty(1, 4, 32, 32)
    drawn = noise(wider, *torch.tensor([1.0, 0.5]))
    assert torch.equal(drawn, torch.randn(wider.shape, generator=generator))


def test_brownian_increments_are_the_incumbents(brownian_reference):
    sigmas = brownian_reference["sigmas"]
    x = torch.empty(SHAPE)
    noise = step_noise("brownian", x, sigmas, 42)
    for start, end in ((14.6146, 7), (7, 3), (3, 1)):
        drawn = noise(x, torch.tensor(start), torch.tensor(float(end)))
        assert torch.equal(drawn, brownian_reference[f"bt_{start}_{end}"])


def test_a_brownian_path_adds_up_whatever_the_steps():
    x = torch.empty(SHAPE)
    sigmas = torch.tensor([8.0, 4.0, 1.0, 0.0])
    first, second = (step_noise("brownian", x, sigmas, 1) for _ in range(2))
    high, middle, low = sigmas[:3]
    whole = first(x, high, low) * (high - low).sqrt()
    parts = [second(x, a, b) * (a - b).sqrt() for a, b in ((middle, low), (high, middle))]
    torch.testing.assert_close(whole, sum(parts), atol=1e-6, rtol=1e-5)
    assert abs(first(x, high, low).std().item() - 1) < 0.1


def test_a_brownian_path_is_quiet_at_its_rounded_ends():
    x = torch.empty(SHAPE)
    sigmas = torch.tensor([14.614641, 0.0291672, 0.0])
    noise = step_noise("brownian", x, sigmas, 1)
    assert noise(x, sigmas[0], sigmas[1]).isfinite().all()  # a warning would fail the test


def test_no_noise_is_nothing():
    x = torch.ones(2, 3)
    assert not no_noise(x, *torch.tensor([1.0, 0.5])).any()
