"""Nodes of Wan Fun: frames at both ends, and a video to follow."""

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError
from engine.families.bridge.wan import WanFamily
from engine.families.family import Entry, Run
from engine.families.wan_autoencoder import LATENT
from engine.inference.load import load_vae
from engine.inference.vae import encode
from engine.nodekit.context import RunningContext
from engine.weights.state_dict import StateDict
from nodes import wan
from tests.wet import bridge_files, wan_files

TEXT = [[torch.zeros(1, 3, 8), {}]]
SIZE = {"width": 48, "height": 32, "length": 9, "batch_size": 2}


@pytest.fixture
def given(tmp_path, cpu_residency, files):
    save_file(wan_files.autoencoder(), tmp_path / "vae.safetensors")
    context = RunningContext("1", files)
    vae = load_vae(tmp_path / "vae.safetensors")
    return {"positive": TEXT, "negative": TEXT, "vae": vae, **SIZE, "ctx": context}


def video(frames):
    return torch.rand(frames, 32, 48, 3, generator=torch.Generator().manual_seed(1))


def test_a_video_to_follow_and_a_picture_to_begin_with(given):
    found = wan.wan_fun_control_to_video(**given, start_image=video(1), control_video=video(9))
    beside = found.positive[0][1]["concat_latent_image"]
    assert beside.shape == (1, 32, 3, 4, 6)
    assert torch.equal(beside[:, :16], encode(given["vae"], video(9)))
    assert torch.equal(beside[:, 16:, :1], encode(given["vae"], video(1)))
    # What is not given is zero in the denoiser's space.
    assert LATENT.into(beside[:, 16:])[:, :, 1:].abs().max() < 1e-6
    assert found.negative[0][1]["concat_latent_image"] is beside
    assert found.latent["samples"].shape == (2, 16, 3, 4, 6)


def test_frames_at_both_ends(given):
    ends = {"start_image": video(1), "end_image": video(2)}
    found = wan.wan_fun_inpaint_to_video(**given, **ends).positive[0][1]
    wanted = wan.wan_first_last_frame_to_video(**given, **ends).positive[0][1]
    assert set(found) == {"concat_latent_image", "concat_mask"}
    assert all(torch.equal(found[key], wanted[key]) for key in found)


def test_what_another_node_made_is_refused():
    family = WanFamily()
    config = family.detect(StateDict.of(dict(bridge_files.network("wan_fun_control").state_dict())))
    other = {"concat_latent_image": torch.zeros(1, 16, 3, 6, 5)}
    entry = Entry(torch.zeros(1, 512, bridge_files.WIDTH), other)
    with pytest.raises(NodeError, match=r"32 channels; .* with WanFunControlToVideo"):
        family.inputs(config, entry, run=Run((1, 16, 3, 6, 5)), role=None)
