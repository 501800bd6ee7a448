"""WanPhantomSubjectToVideo, Wan22FunControlToVideo, and nodes with either autoencoder."""

import pytest
import torch
from safetensors.torch import save_file

from engine.families.wan22_autoencoder import LATENT as LATENT_22
from engine.families.wan_autoencoder import LATENT
from engine.inference.load import load_vae
from engine.inference.vae import encode
from engine.nodekit.context import RunningContext
from nodes import wan
from nodes.wan_phantom import wan_block_swap, wan_phantom_subject_to_video
from tests.wet import bridge_files, wan_files

TEXT = [[torch.zeros(1, 3, 8), {}]]


@pytest.fixture(scope="module")
def vaes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    save_file(wan_files.autoencoder(), folder / "21.safetensors")
    net = bridge_files.network("wan22_autoencoder")
    named = bridge_files.original("wan22_autoencoder", dict(net.state_dict()))
    save_file(named, folder / "22.safetensors")
    return {name: load_vae(folder / f"{name}.safetensors") for name in ("21", "22")}


@pytest.fixture
def given(cpu_residency, files):
    size = {"width": 64, "height": 32, "length": 9, "batch_size": 2}
    return {"positive": TEXT, "negative": TEXT, **size, "ctx": RunningContext("1", files)}


def drawn(frames, seed=1):
    return torch.rand(frames, 32, 64, 3, generator=torch.Generator().manual_seed(seed))


def test_pictures_are_encoded_each_alone(given, vaes):
    pictures = drawn(2)
    found = wan_phantom_subject_to_video(**given, vae=vaes["21"], images=pictures)
    shown = found.positive[0][1]["time_dim_concat"]
    assert shown.shape == (1, 16, 2, 4, 8)
    for n in range(2):
        assert torch.equal(shown[:, :, n : n + 1], encode(vaes["21"], pictures[n : n + 1]))
    assert found.negative_text[0][1]["time_dim_concat"] is shown
    assert LATENT.into(found.negative_img_text[0][1]["time_dim_concat"]).abs().max() < 1e-6
    assert found.latent["samples"].shape == (2, 16, 3, 4, 8)
    without = wan_phantom_subject_to_video(**given, vae=vaes["21"])
    assert without.positive == TEXT


@pytest.mark.parametrize(("name", "shape"), [("21", (16, 3, 4, 8)), ("22", (48, 3, 2, 4))])
def test_a_video_to_follow_and_a_picture_to_refer_to(given, vaes, name, shape):
    vae, latent = vaes[name], LATENT if name == "21" else LATENT_22
    video, picture = drawn(9), drawn(1, seed=2)
    found = wan.wan22_fun_control_to_video(**given, vae=vae, control_video=video, ref_image=picture)
    values = found.positive[0][1]
    beside = values["concat_latent_image"]
    assert torch.equal(beside[:, : shape[0]], encode(vae, video))
    assert latent.into(beside[:, shape[0] :]).abs().max() < 1e-5
    [reference] = values["reference_latents"]
    assert torch.equal(reference, encode(vae, picture))
    assert found.latent["samples"].shape == (2, *shape)
    assert set(found.negative[0][1]) == set(values)


def test_frames_at_both_ends_for_the_5b_model(given, vaes):
    found = wan.wan_fun_inpaint_to_video(**given, vae=vaes["22"], start_image=drawn(1))
    values = found.positive[0][1]
    assert values["concat_latent_image"].shape == (1, 48, 3, 2, 4)
    assert values["concat_mask"].shape == (1, 4, 3, 2, 4)
    assert found.latent["samples"].shape == (2, 48, 3, 2, 4)


def test_blocks_are_swapped_without_a_node():
    model = object()
    assert wan_block_swap(model) is model
