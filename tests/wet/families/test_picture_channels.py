"""What inpainting and editing models are given beside the noisy latent."""

import dataclasses

import pytest
import torch

from engine.diffusion.conditioning import Join, Role
from engine.diffusion.continuous import continuous
from engine.diffusion.parameterization import Prediction
from engine.errors import NodeError
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.latent_format import LatentFormat
from engine.families.picture_channels import (
    EDITING,
    EMPTY,
    INPAINTING,
    MASK,
    PICTURE,
    picture_channels,
)
from engine.weights.state_dict import StateDict

LATENT = LatentFormat(4, (8, 8), scale=0.5)
SHAPE = (2, 4, 6, 8)
RUN = Run(SHAPE)


def channels(count, run=RUN, *, scaled=False, **extras):
    entry = Entry(torch.zeros(1, 77, 4), extras)
    found = picture_channels(count, entry, run, LATENT, scaled=scaled)["concat"]
    assert found.join is Join.CROP_TO_AREA
    return found.value


def half(*shape):
    """A mask whose right half is 1."""
    mask = torch.zeros(shape)
    mask[..., shape[-1] // 2 :] = 1
    return mask


def test_a_text_to_image_model_ignores_them():
    entry = Entry(torch.zeros(1, 77, 4), {PICTURE: torch.ones(1, 4, 6, 8), MASK: half(1, 48, 64)})
    assert picture_channels(4, entry, RUN, LATENT) == {}


def test_a_picture_and_its_mask():
    picture = torch.randn(1, 4, 6, 8)
    found = channels(INPAINTING, **{PICTURE: picture, MASK: half(1, 1, 48, 64)})
    assert found.shape == (1, 5, 6, 8)
    assert torch.equal(found[:, :1], half(1, 1, 6, 8))
    assert torch.equal(found[:, 1:], picture * 0.5)


@pytest.mark.parametrize("mask", [half(1, 1, 6, 8) * 0.6, half(48, 64), half(2, 96, 128)])
def test_masks_of_any_size_become_zeros_and_ones(mask):
    found = channels(INPAINTING, **{PICTURE: torch.zeros(1, 4, 6, 8), MASK: mask})
    assert torch.equal(found[:, :1], half(len(found), 1, 6, 8))


def test_without_a_mask_all_of_it_is_a_hole():
    for extras in ({}, {PICTURE: torch.randn(1, 4, 6, 8)}):
        found = channels(INPAINTING, **extras)
        assert torch.equal(found[:, :1], torch.ones(1, 1, 6, 8))
        expected = torch.tensor(EMPTY)[None, :, None, None].expand(1, 4, 6, 8)
        assert torch.equal(found[:, 1:], expected)


def test_without_a_picture_the_run_s_latent_and_mask_are_taken():
    clean = torch.randn(SHAPE)
    found = channels(INPAINTING, Run(SHAPE, clean=clean, mask=half(1, 1, 6, 8) * 0.7))
    assert torch.equal(found[:, :1], half(2, 1, 6, 8))
    assert torch.equal(found[:, 1:], clean)  # in the denoiser's space already
    own = channels(INPAINTING, Run(SHAPE, clean=clean), **{MASK: half(1, 1, 6, 8)})
    assert torch.equal(own, found)


def test_the_conditioning_s_mask_comes_before_the_run_s():
    run = Run(SHAPE, clean=torch.ones(SHAPE), mask=torch.ones(1, 1, 6, 8))
    found = channels(INPAINTING, run, **{PICTURE: torch.ones(1, 4, 6, 8), MASK: half(6, 8)})
    assert torch.equal(found[:, :1], half(1, 1, 6, 8))


def test_a_picture_of_another_size_is_cut_and_scaled():
    wide = torch.zeros(1, 4, 12, 20)
    wide[..., 2:18] = 1
    found = channels(EDITING, **{PICTURE: wide})
    assert torch.equal(found, torch.ones(1, 4, 6, 8))
    tall = torch.zeros(1, 4, 10, 8)
    tall[..., 2:8, :] = 1
    assert torch.equal(channels(EDITING, **{PICTURE: tall}), torch.ones(1, 4, 6, 8))


def test_an_editing_model_takes_the_picture_as_encoded_or_zeros():
    picture = torch.randn(2, 4, 6, 8)
    assert torch.equal(channels(EDITING, **{PICTURE: picture}), picture)
    assert torch.equal(channels(EDITING, scaled=True, **{PICTURE: picture}), picture * 0.5)
    assert torch.equal(channels(EDITING), torch.zeros(1, 4, 6, 8))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (torch.zeros(1, 16, 6, 8), r"\[1, 16, 6, 8\], the model takes a latent of 4 channels"),
        (torch.zeros(4, 6, 8), "encode it with the VAE that belongs to the model"),
        ("a picture", "concat_latent_image of the conditioning should be a tensor, found str"),
    ],
)
def test_what_is_no_latent_is_refused(given, says):
    with pytest.raises(NodeError, match=says):
        channels(EDITING, **{PICTURE: given})


SMALL = ("SMALL", "SMALL_2", "SMALL_XL")


@pytest.mark.parametrize("count", [EDITING, INPAINTING])
@pytest.mark.parametrize("name", SMALL)
def test_each_family_passes_them_to_its_network(random_checkpoints, name, count):
    sizes = dataclasses.replace(getattr(random_checkpoints, name), in_channels=count)
    weights = StateDict.of(random_checkpoints.tensors(sizes, torch.float32))
    family, config = detect(weights)
    width = config.unet.context_channels
    extras = {"pooled_output": torch.zeros(1, 64), PICTURE: torch.randn(1, 4, 8, 8)}
    extras[MASK] = half(64, 64)
    entry = Entry(torch.zeros(1, 77, width), extras)
    found = family.inputs(config, entry, run=Run((1, 4, 8, 8)), role=Role.POSITIVE)
    net = family.build(config)
    net.load_state_dict(dict(family.denoiser(config, weights).items()), assign=True)
    x, time = torch.randn(1, 4, 8, 8), torch.tensor([500.0])
    vector = (found["vector"].value,) if "vector" in found else ()
    with torch.no_grad():
        one = family.predict(
            net,
            x,
            time,
            {key: each.value for key, each in found.items()},
            control=None,
            hooks=None,
            checkpoint=lambda: None,
        )
        two = net(torch.cat((x, found["concat"].value), 1), time, entry.embedding, *vector)
    assert torch.equal(one, two)


def test_an_editing_model_of_xl_that_predicts_v_takes_the_picture_scaled(random_checkpoints):
    sizes = dataclasses.replace(random_checkpoints.SMALL_XL, in_channels=EDITING)
    family, config = detect(StateDict.of(random_checkpoints.tensors(sizes, torch.float16)))
    picture = torch.randn(1, 4, 8, 8)
    entry = Entry(torch.zeros(1, 77, 128), {"pooled_output": torch.zeros(1, 64), PICTURE: picture})

    def given(config):
        return family.inputs(config, entry, run=Run((1, 4, 8, 8)), role=Role.POSITIVE)["concat"]

    assert torch.equal(given(config).value, picture)
    edm_v = dataclasses.replace(config, levels=continuous(Prediction.V, sigma_data=1.0))
    assert torch.allclose(given(edm_v).value, picture * 0.13025)
