"""Videos in pieces along time."""

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import OutOfMemoryError
from engine.families.latent_format import LatentFormat
from engine.inference import time_tiles
from engine.inference.load import load_vae
from engine.inference.vae import Tile, decode, encode
from engine.residency.manager import DeviceResidency, installed
from tests.wet.video_files import ltx, original

CPU = torch.device("cpu")
FORM = LatentFormat(2, (4, 8, 8), causal_frames=True, whole_time=True)


def drawn(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("cells", "size", "overlap", "expected"),
    [
        (5, 9, 2, (5, (0,))),
        (9, 4, 1, (4, (0, 3, 5))),
        (9, 4, 9, (4, (0, 1, 2, 3, 4, 5))),
        (4, 1, 0, (2, (0, 1, 2))),
    ],
)
def test_pieces_cover_all_cells(cells, size, overlap, expected):
    assert time_tiles.pieces(cells, size, overlap) == time_tiles.Pieces(*expected)


@pytest.mark.parametrize("overlap", [1, 2, 3])
def test_what_does_not_look_around_is_the_same_in_pieces(overlap):
    """A first cell makes one frame, its last; each further one makes four."""

    def frames(latents, *_):
        return latents.repeat_interleave(4, dim=2)[:, :, 3:]

    def cells(pixels, *_):
        return pixels[:, :, ::4]

    latents = drawn(1, 2, 9, 3, 3)
    division = time_tiles.pieces(9, 4, overlap)
    assert len(division.starts) > 2
    made = time_tiles.decoded(latents, division, FORM, frames)
    assert torch.allclose(made, frames(latents))
    pixels = drawn(1, 3, 33, 8, 8)
    assert torch.allclose(time_tiles.encoded(pixels, division, FORM, cells), cells(pixels))


@pytest.fixture
def vae(tmp_path):
    save_file(original(ltx("0.9")), tmp_path / "vae.safetensors")
    return load_vae(tmp_path / "vae.safetensors")


def test_a_video_is_cut_along_time_on_request(vae):
    pixels, reported = drawn(49, 32, 32, 3), []
    with installed(DeviceResidency(CPU, torch.float32, budget=10**9)):
        whole = encode(vae, pixels)
        pieces = encode(vae, pixels, tile=Tile(512, 64, 32, 16))
        assert pieces.shape == whole.shape == (1, 12, 7, 1, 1)
        # The encoder sees only earlier frames: those at the beginning are the same.
        assert torch.allclose(pieces[:, :, :2], whole[:, :, :2], atol=1e-5)
        assert not torch.allclose(pieces, whole, atol=1e-5)
        frames = decode(
            vae, whole, tile=Tile(512, 64, 32, 16), on_tile=lambda *n: reported.append(n)
        )
        assert frames.shape == (49, 32, 32, 3)
        assert (frames[:9] - decode(vae, whole)[:9]).abs().mean() < 0.1
    assert reported[-1][0] == reported[-1][1]
    assert [each[0] for each in reported] == sorted(each[0] for each in reported)


def test_a_long_video_is_cut_along_time_where_memory_is_short(vae):
    latent = drawn(1, 12, 13, 2, 2)
    shape = (1, 12, 13, 2, 2)
    whole = vae.kind.activation_bytes(vae.config, shape, 4)
    weights = vae.autoencoder.size
    with installed(DeviceResidency(CPU, torch.float32, budget=weights + whole // 2)):
        assert decode(vae, latent).shape == (97, 64, 64, 3)
    with (
        installed(DeviceResidency(CPU, torch.float32, budget=weights // 2)),
        pytest.raises(OutOfMemoryError),
    ):
        decode(vae, latent)
