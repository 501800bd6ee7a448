"""WanTrackToVideo against loops over places and lines."""

import json
import math

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from engine.errors import NodeError
from engine.families.wan_autoencoder import LATENT
from engine.inference.load import load_vae
from engine.inference.vae import encode
from engine.nodekit.context import RunningContext
from nodes.wan_tracks import wan_track_to_video
from tests.wet import wan_files

WIDTH, HEIGHT, LENGTH = 48, 32, 9
TEXT = [[torch.zeros(1, 3, 8), {}]]
LINES = [
    [{"x": 8 + n / 4, "y": 12} for n in range(121)],
    [{"x": 30, "y": 4 + n} for n in range(9)],
    [{"x": 14, "y": 16}] * 121,
]


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    path = tmp_path_factory.mktemp("tracks") / "vae.safetensors"
    save_file(wan_files.autoencoder(), path)
    return load_vae(path)


@pytest.fixture
def made(vae, cpu_residency, files):
    picture = torch.rand(1, HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(1))

    def run(tracks, **more):
        found = wan_track_to_video(
            TEXT,
            TEXT,
            vae,
            tracks=tracks if isinstance(tracks, str) else json.dumps(tracks),
            width=WIDTH,
            height=HEIGHT,
            length=LENGTH,
            start_image=picture,
            ctx=RunningContext("1", files),
            **more,
        )
        values = found.positive[0][1]
        return LATENT.into(values["concat_latent_image"]), values["concat_mask"]

    video = torch.full((LENGTH, HEIGHT, WIDTH, 3), 0.5)
    video[:1] = picture
    return run, LATENT.into(encode(vae, video))


def expected(plain, temperature, topk):
    """Each place of a cell takes the features at the starts of the nearest lines."""
    rows, columns = plain.shape[-2:]
    short = min(WIDTH, HEIGHT)

    def at(point):
        return ((point["x"] - WIDTH / 2) / short * 2, (point["y"] - HEIGHT / 2) / short * 2)

    features = []
    for line in LINES:
        x, y = at(line[0])
        x, y = x / (WIDTH / short), y / (HEIGHT / short)
        where = torch.tensor([[[[x, y]]]])
        features.append(
            functional.grid_sample(plain[:, :, 0], where, align_corners=False)[0, :, 0, 0]
        )
    found, given = plain.clone(), torch.ones(plain.shape[2:])
    # Frames 1.. of 16 a second are the points 1, 3, 4, 6, 7, 9, 10, 12 of 24 a second.
    points = [0, 1, 3, 4, 6, 7, 9, 10, 12]
    for cell in (1, 2):
        for row in range(rows):
            for column in range(columns):
                y = (-1 + 2 * row / (rows - 1)) * HEIGHT / short
                x = (-1 + 2 * column / (columns - 1)) * WIDTH / short
                weights = []
                for line in LINES:
                    seen = [
                        at(line[points[frame]])
                        for frame in range(4 * cell - 3, 4 * cell + 1)
                        if points[frame] < len(line)
                    ]
                    if not seen:
                        weights.append(0.0)
                        continue
                    mean = [sum(axis) / (len(seen) + 1e-5) for axis in zip(*seen, strict=True)]
                    far = (mean[0] - x) ** 2 + (mean[1] - y) ** 2
                    weights.append(math.exp(-far * temperature))
                kept = sorted(range(len(LINES)), key=lambda n: -weights[n])[:topk]
                whole = sum(weights[n] for n in kept)
                value = plain[0, :, cell, row, column] * (1 - min(whole, 1))
                for n in kept:
                    value = value + weights[n] * features[n]
                found[0, :, cell, row, column] = value
                given[cell, row, column] = whole
    return found, given


@pytest.mark.parametrize(("temperature", "topk"), [(220.0, 2), (3.0, 1), (3.0, 10)])
def test_things_are_put_along_lines(made, temperature, topk):
    run, plain = made
    found, mask = run(LINES, temperature=temperature, topk=topk)
    wanted, given = expected(plain, temperature, topk)
    assert torch.allclose(found, wanted, atol=1e-4)
    assert mask.shape == (1, 4, 3, 4, 6)
    assert torch.allclose(1 - mask[0, 2], given, atol=1e-4)


def test_one_line_may_stand_alone_and_none_changes_nothing(made):
    run, plain = made
    alone, several = run(LINES[0]), run(LINES[:1])
    assert all(torch.equal(*each) for each in zip(alone, several, strict=True))
    for nothing in ("[]", "", "[[]]"):
        found, mask = run(nothing)
        assert torch.allclose(found, plain, atol=1e-5)
        assert mask[0, 0, :, 0, 0].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "wrong", ["[", "3", '[[{"x": 1}]]', '[["a"]]', '{"x": 1}', '[[{"x":"a","y":1}]]']
)
def test_what_is_no_line_is_refused(made, wrong):
    with pytest.raises(NodeError, match="lists of points such as"):
        made[0](wrong)
