"""Paths of cameras for Wan Fun against plain numbers, and what the node gives the model."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError
from engine.families.wan_autoencoder import LATENT
from engine.inference.load import load_vae
from engine.inference.vae import encode
from engine.nodekit.context import RunningContext
from nodes.wan_camera import wan_camera_embedding, wan_camera_image_to_video
from tests.wet import wan_files

MOVES = {
    "Static": (0, (0, 0, 0)),
    "Pan Left": (0, (1, 0, 0)),
    "Pan Up": (0, (0, 1, 0)),
    "Zoom In": (0, (0, 0, -2)),
    "ClockWise (CW)": (-1, (0, 0, 0)),
}


def ray(pose, frame, row, column, *, size, length, speed):
    """Moment and direction of one ray, by matrices of four rows."""
    turn, way = MOVES[pose]

    def to_camera(at):
        angle = at / length * speed * math.pi / 3 * turn
        found = np.eye(4)
        found[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        found[:3, 3] = np.array(way) * at / length * speed * 1.5
        return found

    width, height = size
    focal = [0.5, 0.5]
    if width / height < 1280 / 720:
        focal[0] = 0.5 * height * (1280 / 720) / width
    else:
        focal[1] = 0.5 * width / (1280 / 720) / height
    back = to_camera(0) @ np.linalg.inv(to_camera(frame))
    across = (column + 0.5 - 0.5 * width) / (focal[0] * width)
    down = (row + 0.5 - 0.5 * height) / (focal[1] * height)
    direction = np.array([across, down, 1.0])
    direction = back[:3, :3] @ (direction / np.linalg.norm(direction))
    return np.concatenate((np.cross(back[:3, 3], direction), direction))


@pytest.mark.parametrize("pose", MOVES)
@pytest.mark.parametrize("size", [(48, 32), (64, 32)])
def test_rays_are_those_of_the_path(pose, size):
    width, height = size
    found = wan_camera_embedding(pose, width, height, 9, speed=1.5)
    assert tuple(found)[1:] == (width, height, 9)
    rays = found.camera_embedding
    assert rays.shape == (1, 24, 3, height, width)
    for cell, part, frame in ((0, 0, 0), (0, 3, 0), (1, 0, 1), (1, 3, 4), (2, 2, 7)):
        for row, column in ((0, 0), (5, 40), (height - 1, 3)):
            values = rays[0, 6 * part : 6 * part + 6, cell, row, column].numpy()
            wanted = ray(pose, frame, row, column, size=size, length=9, speed=1.5)
            assert np.abs(values - wanted).max() < 1e-5, (frame, row, column)


def test_a_lens_of_no_length_is_refused():
    with pytest.raises(NodeError, match="above 0"):
        wan_camera_embedding(fx=0.0)


def test_the_node_gives_the_beginning_and_the_camera(tmp_path, cpu_residency, files):
    save_file(wan_files.autoencoder(), tmp_path / "vae.safetensors")
    vae = load_vae(tmp_path / "vae.safetensors")
    picture = torch.rand(1, 32, 48, 3, generator=torch.Generator().manual_seed(1))
    text = [[torch.zeros(1, 3, 8), {}]]
    rays = wan_camera_embedding("Pan Left", 48, 32, 9).camera_embedding
    found = wan_camera_image_to_video(
        text,
        text,
        vae,
        48,
        32,
        9,
        2,
        start_image=picture,
        camera_conditions=rays,
        ctx=RunningContext("1", files),
    )
    values = found.positive[0][1]
    assert values["camera_conditions"] is rays
    beside = values["concat_latent_image"]
    assert torch.equal(beside[:, :, :1], encode(vae, picture))
    assert LATENT.into(beside)[:, :, 1:].abs().max() < 1e-6
    assert values["concat_mask"][0, 0, :, 0, 0].tolist() == [0, 1, 1]
    assert found.latent["samples"].shape == (2, 16, 3, 4, 6)
    assert set(found.negative[0][1]) == set(values)
