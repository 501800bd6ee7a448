"""WanVaceToVideo: what stays, what is made anew, and the picture to refer to."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError
from engine.families.wan_autoencoder import LATENT
from engine.inference.load import load_vae
from engine.inference.vae import encode
from engine.nodekit.context import RunningContext
from nodes.wan_vace import wan_vace_to_video
from tests.wet import bridge_files, wan_files

TEXT = [[torch.zeros(1, 3, 8), {"kept": 1}]]
SIZE = {"width": 48, "height": 32, "length": 9, "batch_size": 2}


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    path = tmp_path_factory.mktemp("vace") / "vae.safetensors"
    save_file(wan_files.autoencoder(), path)
    return load_vae(path)


@pytest.fixture
def given(vae, cpu_residency, files):
    context = RunningContext("1", files)
    return {"positive": TEXT, "negative": TEXT, "vae": vae, **SIZE, "ctx": context}


def drawn(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def values(found, row=0):
    extras = found.positive[row][1]
    return extras["vace_frames"], extras["vace_mask"], extras["vace_strength"]


def test_a_video_is_changed_where_the_mask_says(given):
    video, mask = drawn(9, 32, 48, 3), drawn(9, 32, 48, seed=2)
    found = wan_vace_to_video(**given, control_video=video, control_masks=mask, strength=0.5)
    [frames], [places], [strength] = values(found)
    anew = (mask > 0.5).float()[..., None]
    kept = encode(given["vae"], (video - 0.5) * (1 - anew) + 0.5)
    changed = encode(given["vae"], (video - 0.5) * anew + 0.5)
    assert torch.allclose(frames, torch.cat((kept, changed), 1), atol=1e-5)
    # 9 frames are 3 cells, whose middles lie in the frames 1, 4 and 7.
    wanted = np.zeros((1, 64, 3, 4, 6), np.float32)
    for cell, frame in enumerate((1, 4, 7)):
        for pixel in range(64):
            wanted[0, pixel, cell] = mask[frame].numpy()[pixel // 8 :: 8, pixel % 8 :: 8]
    assert np.array_equal(places.numpy(), wanted)
    assert strength == 0.5
    assert found.latent["samples"].shape == (2, 16, 3, 4, 6)
    assert found.trim_latent == 0
    assert found.positive[0][1]["kept"] == 1
    assert "vace_frames" not in TEXT[0][1]


def test_what_is_missing_is_grey_and_made_anew(given):
    video = drawn(5, 32, 48, 3)
    found = wan_vace_to_video(**given, control_video=video, control_masks=torch.zeros(9, 32, 48))
    [frames], [places], _ = values(found)
    whole = torch.cat((video, torch.full((4, 32, 48, 3), 0.5)))
    assert torch.allclose(frames[:, :16], encode(given["vae"], whole), atol=1e-5)
    assert places.abs().max() == 0
    nothing, [all_of_it], _ = values(wan_vace_to_video(**given))
    grey = encode(given["vae"], torch.full((9, 32, 48, 3), 0.5))
    assert torch.allclose(nothing[0], grey.repeat(1, 2, 1, 1, 1), atol=1e-5)
    assert all_of_it.min() == 1
    short = wan_vace_to_video(**given, control_masks=torch.zeros(5, 32, 48))
    [[mask]] = values(short)[1:2]
    assert mask[0, 0, :, 0, 0].tolist() == [0, 0, 1]


def test_a_picture_to_refer_to_comes_first_and_is_trimmed(given):
    picture = drawn(2, 64, 96, 3, seed=5)
    found = wan_vace_to_video(**given, reference_image=picture)
    [frames], [places], _ = values(found)
    assert found.trim_latent == 1
    assert found.latent["samples"].shape == (2, 16, 4, 4, 6)
    assert frames.shape == (1, 32, 4, 4, 6)
    small = torch.nn.functional.interpolate(picture[:1].movedim(-1, 1), (32, 48), mode="bilinear")
    assert torch.allclose(frames[:, :16, :1], encode(given["vae"], small.movedim(1, -1)), atol=1e-5)
    assert LATENT.into(frames[:, 16:, :1]).abs().max() < 1e-6
    assert places[:, :, 0].max() == 0
    assert places[:, :, 1:].min() == 1


def test_nodes_in_a_row_are_followed_at_once(given):
    first = wan_vace_to_video(**given, strength=0.25)
    again = {**given, "positive": first.positive, "negative": first.negative}
    frames, masks, strengths = values(wan_vace_to_video(**again, control_video=drawn(9, 32, 48, 3)))
    assert (len(frames), len(masks), strengths) == (2, 2, [0.25, 1.0])
    assert len(first.positive[0][1]["vace_frames"]) == 1


def test_the_autoencoder_of_wan_22_is_refused(given, tmp_path):
    net = bridge_files.network("wan22_autoencoder")
    named = bridge_files.original("wan22_autoencoder", dict(net.state_dict()))
    save_file(named, tmp_path / "vae.safetensors")
    other = {**given, "vae": load_vae(tmp_path / "vae.safetensors")}
    with pytest.raises(NodeError, match="48 channels, VACE takes 16"):
        wan_vace_to_video(**other)
