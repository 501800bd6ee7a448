"""Pictures to latents and back: crops, tiles, batches, memory, stops."""

from __future__ import annotations

import pytest
import torch

from engine.errors import NodeError, OutOfMemoryError, Stopped
from engine.inference.pictures import crop
from engine.inference.vae import SMALLEST_TILE, Tile, decode, encode
from engine.residency.manager import DeviceResidency, installed


def test_decoding_is_the_network_in_0_to_1(tiny_vae):
    z = torch.randn(2, 4, 5, 6)
    pictures = decode(tiny_vae, z)
    assert pictures.shape == (2, 40, 48, 3)
    assert pictures.dtype == torch.float32
    expected = (tiny_vae.autoencoder.module.decode(z) / 2 + 0.5).clamp(0, 1).movedim(1, -1)
    assert (pictures - expected).abs().max() < 1e-4


def test_encoding_takes_the_middle_and_leaves_alpha_out(tiny_vae):
    images = torch.rand(1, 45, 51, 4)
    latents = encode(tiny_vae, images)
    assert latents.shape == (1, 4, 5, 6)
    middle = images[:, 2:42, 1:49, :3].movedim(-1, 1) * 2 - 1
    assert (latents - tiny_vae.autoencoder.module.encode(middle)).abs().max() < 1e-4


def test_crop_halves_what_is_left_over():
    image = torch.arange(13.0)[None, :, None, None].expand(1, 13, 8, 1)
    assert crop(image, 8)[0, :, 0, 0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]
    with pytest.raises(NodeError, match="8 x 7 pixels is too small"):
        crop(torch.zeros(1, 7, 8, 3), 8)


def test_another_familys_latent_is_refused(tiny_vae):
    with pytest.raises(NodeError, match="latents of 4 channels"):
        decode(tiny_vae, torch.zeros(1, 16, 8, 8))


@pytest.mark.parametrize("way", ["decode", "encode"])
def test_tiles_stay_close_to_the_whole_and_report(tiny_vae, way):
    reported = []
    if way == "decode":
        x, run = torch.randn(1, 4, 24, 40), decode
    else:
        x, run = torch.rand(1, 192, 320, 3), encode
    whole = run(tiny_vae, x)
    tiled = run(
        tiny_vae,
        x,
        tile=Tile(192, 64),
        on_tile=lambda done, all_of_them: reported.append((done, all_of_them)),
    )
    assert tiled.shape == whole.shape
    # 2 square tiles of 192 pixels, 8 tall ones, 4 wide ones.
    assert reported == [(i, 14) for i in range(1, 15)]
    # Group norms of a tile differ from those of the whole, so the two are only similar.
    assert (tiled - whole).norm() / whole.norm() < 0.2


def test_a_tile_that_holds_everything_is_the_whole(tiny_vae):
    z = torch.randn(1, 4, 8, 9)
    assert torch.equal(decode(tiny_vae, z, tile=Tile(512, 64)), decode(tiny_vae, z))


def test_without_memory_for_the_whole_it_takes_tiles(tiny_vae):
    z = torch.randn(1, 4, 64, 64)
    reported = []
    needed = tiny_vae.kind.activation_bytes(tiny_vae.config, (1, 4, 64, 64), 4)
    half = DeviceResidency(torch.device("cpu"), torch.float32, budget=needed // 2)
    with installed(half):
        pictures = decode(tiny_vae, z, on_tile=lambda *done: reported.append(done))
    assert reported[-1][0] == reported[-1][1] > 1
    assert pictures.shape == (1, 512, 512, 3)


def test_requested_tiles_that_do_not_fit_become_smaller(tiny_vae):
    z = torch.randn(1, 4, 64, 64)
    reported = []
    needed = tiny_vae.kind.activation_bytes(tiny_vae.config, (1, 4, 48, 48), 4)
    half = DeviceResidency(torch.device("cpu"), torch.float32, budget=needed // 2)
    with installed(half):
        decode(tiny_vae, z, tile=Tile(384, 96), on_tile=lambda *done: reported.append(done))
    # Three rows of three tiles of at most 32 cells; 384 pixels would be 2 x 2 square tiles alone.
    assert reported[-1] == (9, 9)


def test_without_memory_even_for_tiles_it_says_so(tiny_vae):
    small = DeviceResidency(torch.device("cpu"), torch.float32, budget=1000)
    with installed(small), pytest.raises(OutOfMemoryError, match=f"{SMALLEST_TILE * 8} pixels"):
        decode(tiny_vae, torch.randn(1, 4, 64, 64))


def test_a_stop_is_not_mistaken_for_a_lack_of_memory(tiny_vae):
    def checkpoint():
        raise Stopped

    with pytest.raises(Stopped):
        decode(tiny_vae, torch.randn(1, 4, 8, 8), checkpoint=checkpoint)


def test_results_may_be_changed_in_place_afterwards(tiny_vae):
    decode(tiny_vae, torch.randn(1, 4, 8, 8)).mul_(0.5)
    encode(tiny_vae, torch.rand(1, 64, 64, 3)).mul_(0.5)
