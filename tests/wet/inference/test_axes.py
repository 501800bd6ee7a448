"""Latents of one axis (sound) and of three (video): sampling, masks, areas, previews, VAEs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from engine.diffusion import regions
from engine.diffusion.conditioning import Input, Join
from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.families.latent_format import LatentFormat
from engine.inference import tiles
from engine.inference.preview import preview
from engine.inference.sample import sample
from engine.inference.vae import Tile, decode, encode
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler, Vae
from engine.residency.handles import LazyWeights

FACTORS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SOUND = LatentFormat(2, (512,), scale=2.0, rgb_factors=FACTORS)
VIDEO = LatentFormat(2, (4, 8, 8), scale=2.0, causal_frames=True, rgb_factors=FACTORS)
SIZES = {SOUND: (24,), VIDEO: (3, 12, 16)}
SIGMAS = torch.tensor([14.0, 3.0, 0.0])
both = pytest.mark.parametrize("form", [SOUND, VIDEO], ids=["sound", "video"])


class Formula:
    """A family whose network predicts its text's number everywhere."""

    name = "formula"

    def inputs(self, config: Any, entry: Any, **_: Any) -> dict[str, Input]:
        return {"context": Input(entry.embedding, Join.REPEAT)}

    def activation_bytes(self, *_: Any) -> int:
        return 0

    def predict(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor], **_: Any
    ) -> Tensor:
        value = inputs["context"].mean(dim=(1, 2))
        return value.reshape(-1, *(1 for _ in x.shape[1:])).expand(x.shape)


def text(value: float, **extras: Any) -> list[Any]:
    return [torch.full((1, 3, 2), value), extras]


def run(form: LatentFormat, *positive: list[Any], rows: int = 2, **latent: Any) -> Tensor:
    net = LazyWeights("formula", 1, lambda: nn.Linear(1, 1))
    model = Model(Formula(), None, net, form, discrete("x0"))
    samples = torch.zeros(rows, form.channels, *SIZES[form])
    guider = CfgGuider(model, list(positive), [text(0.0)], 1.0)
    given = {"samples": samples, **latent}
    return sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, given).samples


@both
@pytest.mark.usefixtures("cpu_residency")
def test_a_run_keeps_the_axes_and_the_format_s_numbers(form):
    found = run(form, text(3.0))
    assert found.shape == (2, 2, *SIZES[form])
    assert torch.allclose(found, torch.tensor(1.5))


@both
@pytest.mark.usefixtures("cpu_residency")
def test_an_area_rules_its_part_along_every_axis(form):
    size = SIZES[form]
    area = (*(side // 2 for side in size), *(side // 2 for side in size))
    found = run(form, text(3.0, area=area, strength=1e6), text(1.0))
    inside = tuple(slice(side // 2 * 2 - 1, side // 2 * 2) for side in size)
    assert torch.allclose(found[(..., *inside)], torch.tensor(1.5), atol=0.05)
    outside = tuple(slice(0, side // 2) for side in size)
    assert torch.allclose(found[(..., *outside)], torch.tensor(0.5))


@both
@pytest.mark.usefixtures("cpu_residency")
def test_a_mask_of_any_size_rules_where_it_is_white(form):
    size = SIZES[form]
    mask = torch.zeros(1, *(2 * side for side in size))
    mask[..., size[-1] :] = 1.0
    found = run(form, text(3.0, mask=mask), text(1.0, mask=1 - mask))
    assert torch.allclose(found[..., -1], torch.tensor(1.5), atol=1e-4)
    assert torch.allclose(found[..., 0], torch.tensor(0.5), atol=1e-4)
    bounded = run(form, text(3.0, mask=mask, set_area_to_bounds=True), text(1.0, mask=1 - mask))
    assert torch.allclose(bounded[..., -1], torch.tensor(1.5), atol=1e-4)


@both
@pytest.mark.usefixtures("cpu_residency")
def test_a_noise_mask_keeps_the_rest(form):
    size = SIZES[form]
    mask = torch.ones(size)
    mask[..., : size[-1] // 2] = 0.0
    kept = torch.full((2, 2, *size), 7.0)
    found = run(form, text(3.0), samples=kept, noise_mask=mask)
    assert torch.allclose(found[..., 0], torch.tensor(7.0), atol=1e-3)
    assert torch.allclose(found[..., -1], torch.tensor(1.5), atol=1e-3)


def test_masks_of_a_picture_are_for_all_frames_and_several_for_one_each():
    size = (3, 4, 4)
    one = torch.zeros(8, 8)
    one[:4] = 1.0
    found = regions.fitted_mask(one, size, 2)
    assert found.shape == (1, 3, 4, 4)
    assert all(torch.equal(frame, found[0, 0]) for frame in found[0])
    each = torch.stack([torch.full((4, 4), float(i)) for i in range(3)])
    assert torch.equal(regions.fitted_mask(each, size, 2)[0], each)
    assert regions.fitted_mask(torch.rand(2, 1, 3, 4, 4), size, 3).shape == (3, 3, 4, 4)


def test_an_area_of_a_picture_is_for_all_frames_and_one_of_too_many_sides_a_sentence():
    assert regions.in_cells((4, 6, 1, 2), (3, 12, 16)) == (3, 4, 6, 0, 1, 2)
    shares = ("percentage", 0.5, 0.5, 0.25, 0.5)
    assert regions.in_cells(shares, (3, 12, 16)) == (3, 6, 8, 0, 3, 8)
    assert regions.in_cells((2, 4, 6, 1, 1, 2), (3, 12, 16)) == (2, 4, 6, 1, 1, 2)
    with pytest.raises(NodeError, match=r"an area with 2 sides .* a latent with 1"):
        regions.in_cells((4, 6, 1, 2), (24,))


def test_bounds_along_every_axis():
    mask = torch.zeros(1, 24)
    mask[0, 3:15] = 1
    assert regions.bounds_of(mask) == (12, 3)
    video = torch.zeros(1, 20, 20, 20)
    video[0, 2:12, 1, 5:] = 1
    assert regions.bounds_of(video) == (10, 8, 15, 2, 1, 5)
    assert regions.bounds_of(torch.zeros(1, 9)) == (8, 0)


@both
def test_a_preview_shows_the_middle_frame_or_a_strip(form):
    latent = torch.zeros(2, 2, *SIZES[form])
    latent[0] = -1.0
    if form is VIDEO:
        latent[0, 0, 1] = 1.0
    for given in (latent, latent[0]):
        picture = Image.open(io.BytesIO(preview(given, form)))
        assert picture.size == ((512, 21) if form is SOUND else (128, 96))
    red = picture.convert("RGB").getpixel((5, 5))[0]
    assert (red > 200) == (form is VIDEO)


@pytest.mark.usefixtures("cpu_residency")
def test_a_picture_s_latent_is_one_frame_and_other_axes_are_refused():
    flat = torch.zeros(1, 2, 12, 16)
    assert run(VIDEO, text(3.0), samples=flat).shape == (1, 2, 1, 12, 16)
    with pytest.raises(NodeError, match="has 2 axes behind its channels, the model works on 1"):
        run(SOUND, text(3.0), samples=flat)


class VideoNet(nn.Module):
    """Frames of four to a cell after the first, eight pixels to a side; no weights."""

    def decode(self, z: Tensor, **_: Any) -> Tensor:
        frames = (z.shape[2] - 1) * 4 + 1
        whole = functional.interpolate(z, (z.shape[2] * 4, z.shape[3] * 8, z.shape[4] * 8))
        return whole[:, :1, whole.shape[2] - frames :].expand(-1, 3, -1, -1, -1)

    def encode(self, pixels: Tensor, **_: Any) -> Tensor:
        first = functional.avg_pool3d(pixels[:, :1, :1], (1, 8, 8))
        if pixels.shape[2] == 1:
            return first.expand(-1, 2, -1, -1, -1)
        rest = functional.avg_pool3d(pixels[:, :1, 1:], (4, 8, 8))
        return torch.cat((first, rest), dim=2).expand(-1, 2, -1, -1, -1)


class VideoKind:
    name = "video"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def activation_bytes(self, config: Any, shape: Any, dtype_bytes: int) -> int:
        self.shapes.append(tuple(shape))
        return 0


@pytest.fixture
def video_vae(cpu_residency):
    weights = LazyWeights("video", 0, VideoNet)
    return Vae(VideoKind(), None, weights, VIDEO)


def test_frames_are_decoded_and_encoded_as_one_video(video_vae):
    z = torch.linspace(-1, 1, 2 * 2 * 3 * 5 * 6).reshape(2, 2, 3, 5, 6)
    pictures = decode(video_vae, z)
    assert pictures.shape == (2 * 9, 40, 48, 3)
    assert torch.allclose(pictures[0, 0, 0], z[0, 0, 0, 0, 0] / 2 + 0.5)
    assert video_vae.kind.shapes == [(1, 2, 3, 5, 6)]
    tiled = decode(video_vae, z, tile=Tile(64, 16))
    assert torch.allclose(tiled, pictures, atol=1e-5)
    # Of ten frames nine are encoded and one is dropped.
    frames = torch.rand(10, 41, 48, 3)
    latent = encode(video_vae, frames)
    assert latent.shape == (1, 2, 3, 5, 6)
    assert torch.equal(encode(video_vae, frames[:9]), latent)
    assert video_vae.kind.shapes[-1] == (1, 2, 3, 5, 6)
    assert encode(video_vae, frames[:1]).shape == (1, 2, 1, 5, 6)
    # A picture's latent is a video of one frame.
    assert torch.equal(decode(video_vae, z[:, :, 0]), decode(video_vae, z[:, :, :1]))
    with pytest.raises(NodeError, match="2 channels and 3 axes behind them, found a latent"):
        decode(video_vae, z[:, :1])


def test_a_vae_of_sound_has_no_pictures(cpu_residency):
    vae = Vae(VideoKind(), None, LazyWeights("sound", 0, VideoNet), SOUND)
    with pytest.raises(NodeError, match="has no pictures"):
        decode(vae, torch.zeros(1, 2, 24))
    with pytest.raises(NodeError, match="has no pictures"):
        encode(vae, torch.zeros(1, 64, 64, 3))


@pytest.mark.parametrize("cells", [(40,), (9, 20), (5, 20, 18)])
def test_tiles_blend_along_any_number_of_axes(cells):
    x = torch.randn(1, 3, *cells, generator=torch.Generator().manual_seed(0))
    tiling = tiles.plan(cells, 8, 3)
    assert tiling.count > 1
    assert torch.allclose(tiles.run_tiled(x, tiling, lambda part: part * 2), x * 2, atol=1e-5)
    assert all(side <= 8 for side in tiling.size)
