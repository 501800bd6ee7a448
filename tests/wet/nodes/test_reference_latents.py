"""Several reference pictures at once."""

import pytest
import torch

from engine.families.reference_latents import REFERENCES
from engine.inference.load import pixel_space_vae
from engine.nodekit.context import RunningContext
from nodes.reference_latents import reference_multi_latent

KEPT = {"resolution": "keep resolution"}
TEXT = [[torch.zeros(1, 2, 3), {REFERENCES: [torch.zeros(1, 3, 4, 4)], "x": 1}]]


@pytest.fixture
def ctx(files, cpu_residency):
    return RunningContext("1", files)


def test_pictures_are_encoded_one_by_one_behind_earlier_ones(ctx):
    first, second = torch.rand(2, 16, 24, 3), torch.rand(1, 8, 8, 4)
    found = reference_multi_latent(
        positive=TEXT,
        negative=[[torch.ones(1, 2, 3), {}]],
        vae=pixel_space_vae(),
        images={"image0": first, "image1": None, "image2": second},
        resolution=KEPT,
        ctx=ctx,
    )
    [[_, known]] = found.positive
    assert [tuple(each.shape[2:]) for each in known[REFERENCES]] == [(4, 4), (16, 24), (8, 8)]
    expected = first[:1].movedim(-1, 1) * 2 - 1
    assert torch.allclose(known[REFERENCES][1], expected, atol=1e-5)
    assert known["x"] == 1
    assert len(TEXT[0][1][REFERENCES]) == 1
    assert len(found.negative[0][1][REFERENCES]) == 2
    assert found.empty_latent["samples"].shape == (1, 3, 16, 24)
    assert found.empty_latent["samples"].sum() == 0


def test_pictures_are_resized_in_their_proportions(ctx):
    found = reference_multi_latent(
        positive=TEXT,
        vae=pixel_space_vae(),
        images={"image0": torch.rand(1, 100, 400, 3)},
        resolution={"resolution": "resize", "megapixels": 0.01},
        ctx=ctx,
    )
    height, width = found.positive[0][1][REFERENCES][1].shape[2:]
    assert (height, width) == (51, 205)
    assert found.negative is found.positive


def test_without_pictures_nothing_is_added(ctx):
    for more in ({}, {"images": {"image0": torch.rand(1, 8, 8, 3)}}, {"vae": pixel_space_vae()}):
        found = reference_multi_latent(positive=TEXT, resolution=KEPT, ctx=ctx, **more)
        assert found.positive is TEXT
        assert found.empty_latent["samples"].shape == (1, 128, 64, 64)
