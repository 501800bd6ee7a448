"""Latents scaled, composited, blended and masked."""

import pytest
import safetensors.torch
import torch
from torch.nn.functional import interpolate

from engine.errors import NodeError
from nodes.latent import (
    empty_latent_image,
    latent_blend,
    latent_composite,
    latent_composite_masked,
    latent_upscale,
    latent_upscale_by,
    set_latent_noise_mask,
)
from nodes.latent_shapes import resize


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def latent(*shape, seed=0, **more):
    return {"samples": noise(*(shape or (1, 4, 16, 16)), seed=seed), **more}


def test_an_empty_latent():
    empty = empty_latent_image(width=520, height=256, batch_size=3)["samples"]
    assert empty.shape == (3, 4, 32, 65)
    assert not empty.any()


@pytest.mark.parametrize("method", ["bilinear", "bislerp"])
def test_upscaling_equals_the_reference(method, reference_folder):
    """16 x 16 cells to 24 x 20 with a centred crop; relative L2 at most 1e-5."""
    latents = safetensors.torch.load_file(reference_folder / "runs.safetensors")
    # The same run except for the upscaling, with another number of threads: differs by 1e-6.
    before = latents["tiny_euler_normal"]
    expected = latents[f"tiny_graph_latup_{method}"]
    found = latent_upscale({"samples": before}, method, width=192, height=160, crop="center")[
        "samples"
    ]
    assert found.shape == expected.shape
    assert ((found - expected).norm() / expected.norm()).item() <= 1e-5


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic"])
def test_the_other_ways_are_those_of_torch(method):
    given = latent(2, 4, 8, 6)
    found = latent_upscale_by(given, method, scale_by=1.5)["samples"]
    torch.testing.assert_close(found, interpolate(given["samples"], (12, 9), mode=method))


def test_bislerp_keeps_lengths_where_bilinear_loses_them():
    first = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    second = torch.tensor([0.0, 3.0]).reshape(1, 2, 1, 1)
    wide = resize(torch.cat([first, second], dim=-1), 4, 1, method="bislerp")
    # Positions -1/4, 1/4, 3/4 and 5/4 between the two: lengths linear, angles linear.
    lengths = wide.norm(dim=1).flatten()
    angles = torch.atan2(wide[0, 1, 0], wide[0, 0, 0])
    torch.testing.assert_close(lengths, torch.tensor([1.0, 1.5, 2.5, 3.0]))
    torch.testing.assert_close(angles, torch.tensor([0.0, 0.25, 0.75, 1.0]) * torch.pi / 2)


def test_bislerp_of_parallel_opposite_and_empty_cells_is_finite():
    row = torch.tensor([[1.0, 1.0, -1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    wide = resize(row.reshape(1, 2, 1, 5), 13, 3, method="bislerp")
    assert wide.isfinite().all()
    torch.testing.assert_close(wide[0, 0, :, 0], torch.ones(3))
    same = resize(noise(1, 4, 5, 5), 5, 5, method="bislerp")
    torch.testing.assert_close(same, noise(1, 4, 5, 5))


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (0, 0, (8, 16)),
        (256, 0, (16, 32)),
        (0, 256, (32, 64)),
        (16, 16, (8, 8)),
        (0, 16, (8, 16)),
        (200, 104, (13, 25)),
    ],
)
def test_upscaling_to_sides_of_zero_and_small_ones(width, height, shape):
    given = latent(1, 4, 8, 16, noise_mask="kept")
    found = latent_upscale(given, "bilinear", width=width, height=height, crop="disabled")
    assert found["samples"].shape[-2:] == shape
    assert found["noise_mask"] == "kept"


def test_latents_with_time_scale_frame_by_frame():
    given = noise(2, 4, 3, 8, 8)
    for method in ("bilinear", "bislerp"):
        whole = resize(given, 12, 10, method=method, crop="center")
        assert whole.shape == (2, 4, 3, 10, 12)
        frame = resize(given[:, :, 1], 12, 10, method=method, crop="center")
        torch.testing.assert_close(whole[:, :, 1], frame)


def test_nothing_is_changed_in_place():
    below, above = latent(), latent(1, 4, 8, 8, seed=1)
    kept = below["samples"].clone(), above["samples"].clone()
    latent_composite(below, above, x=32, y=32, feather=16)
    latent_composite_masked(below, above, x=32, mask=torch.rand(1, 4, 4))
    torch.testing.assert_close((below["samples"], above["samples"]), kept, rtol=0, atol=0)


def test_composite_puts_one_into_the_other():
    below, above = latent(), latent(1, 4, 8, 8, seed=1)
    found = latent_composite(below, above, x=40, y=16)["samples"]
    torch.testing.assert_close(found[..., 2:10, 5:13], above["samples"])
    found[..., 2:10, 5:13] = below["samples"][..., 2:10, 5:13]
    torch.testing.assert_close(found, below["samples"])


def test_composite_cuts_off_what_sticks_out():
    below, above = latent(), latent(1, 4, 8, 8, seed=1)
    found = latent_composite(below, above, x=96, y=120)["samples"]
    torch.testing.assert_close(found[..., 15:, 12:], above["samples"][..., :1, :4])
    outside = latent_composite(below, above, x=4096, y=4096)["samples"]
    torch.testing.assert_close(outside, below["samples"])


def test_feathering_fades_in_but_not_at_the_border():
    below = {"samples": torch.zeros(1, 1, 8, 16)}
    above = {"samples": torch.ones(1, 1, 8, 8)}
    inside = latent_composite(below, above, x=32, y=0, feather=16)["samples"][0, 0]
    # Top and bottom are at the border; left and right fade over two cells.
    expected = torch.tensor([0, 0, 0, 0, 0.5, 1, 1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0])
    torch.testing.assert_close(inside, expected.expand(8, 16))
    corner = latent_composite(below, above, x=0, y=32, feather=32)["samples"][0, 0]
    torch.testing.assert_close(corner[4:, 0], torch.tensor([0.25, 0.5, 0.75, 1.0]))
    torch.testing.assert_close(corner[7, :9], torch.tensor([1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]))


def test_a_single_source_goes_into_every_row():
    below, above = latent(3, 4, 16, 16), latent(1, 4, 8, 8, seed=1)
    for found in (latent_composite(below, above), latent_composite_masked(below, above)):
        torch.testing.assert_close(
            found["samples"][..., :8, :8], above["samples"].expand(3, 4, 8, 8)
        )


def test_composite_masked():
    below, above = latent(2, 4, 16, 16), latent(1, 4, 8, 8, seed=1)
    mask = torch.zeros(1, 64, 64)
    mask[:, :, 32:] = 1
    found = latent_composite_masked(below, above, x=16, y=8, mask=mask)["samples"]
    torch.testing.assert_close(found[..., 1:9, 2:6], below["samples"][..., 1:9, 2:6])
    torch.testing.assert_close(found[..., 1:9, 6:10], above["samples"][..., 4:].repeat(2, 1, 1, 1))


def test_composite_masked_scales_its_source():
    below, above = latent(), latent(1, 4, 8, 8, seed=1)
    found = latent_composite_masked(below, above, resize_source=True)["samples"]
    expected = interpolate(above["samples"], (16, 16), mode="bilinear")
    torch.testing.assert_close(found, expected)


def test_latents_of_other_models_are_refused():
    with pytest.raises(NodeError, match="do not go together"):
        latent_composite(latent(), latent(1, 16, 8, 8))
    with pytest.raises(NodeError, match="do not go together"):
        latent_blend(latent(), latent(1, 4, 3, 16, 16))


def test_blend():
    first, second = latent(type="kept"), latent(seed=1)
    found = latent_blend(first, second, blend_factor=0.25)
    torch.testing.assert_close(found["samples"], 0.25 * first["samples"] + 0.75 * second["samples"])
    assert found["type"] == "kept"
    smaller = latent_blend(first, latent(1, 4, 8, 8, seed=1), blend_factor=0.0)["samples"]
    expected = interpolate(noise(1, 4, 8, 8, seed=1), (16, 16), mode="bicubic")
    torch.testing.assert_close(smaller, expected)


def test_noise_masks_get_a_channel():
    mask = torch.rand(2, 64, 48)
    found = set_latent_noise_mask(latent(batch_index=[3]), mask)
    torch.testing.assert_close(found["noise_mask"], mask[:, None])
    assert found["batch_index"] == [3]
    assert set_latent_noise_mask(latent(), mask[0])["noise_mask"].shape == (1, 1, 64, 48)
