"""The steps of LTXVAddGuide, called as packs call them, against the node."""

from __future__ import annotations

import importlib

import pytest
import torch
from safetensors.torch import save_file

from engine.compat.install import install_facade
from engine.compat.parts.vae import VAE
from engine.errors import NodeError
from engine.inference.load import load_vae
from engine.nodekit.context import RunningContext
from nodes.ltxv_guides import ltxv_add_guide
from tests.wet.video_files import ltx, original

TEXT = [[torch.zeros(1, 3, 8), {"kept": 1}]]
SCALES = (8, 32, 32)


@pytest.fixture
def lt():
    install_facade()
    return importlib.import_module("comfy_extras.nodes_lt")


@pytest.fixture
def value(tmp_path, cpu_residency):
    save_file(original(ltx("0.9", 128)), tmp_path / "ltx.safetensors")
    return load_vae(tmp_path / "ltx.safetensors")


def video(frames):
    return torch.rand(frames, 64, 96, 3, generator=torch.Generator().manual_seed(frames))


def test_the_steps_of_two_guides_are_those_of_the_node(lt, value, files):
    vae, ctx = VAE.of_value(value), RunningContext("1", files)
    latent = {"samples": torch.zeros(2, 128, 3, 2, 3)}
    guides = ((video(8), -1, 0.5), (video(9), 6, 0.75))
    positive = negative = TEXT
    samples, mask = latent["samples"], lt.get_noise_mask(latent)
    for images, frame, strength in guides:
        pixels, given = lt.LTXVAddGuide.encode(vae, 3, 2, images, vae.downscale_index_formula)
        place, cell = lt.LTXVAddGuide.get_latent_index(
            positive, samples.shape[2], len(pixels), frame, SCALES
        )
        assert cell == -(-place // 8)
        positive, negative, samples, mask = lt.LTXVAddGuide.append_keyframe(
            positive, negative, place, samples, mask, given, strength, SCALES
        )
    expected = (TEXT, TEXT, latent)
    for images, frame, strength in guides:
        expected = ltxv_add_guide(
            *expected[:2], value, expected[2], images, frame, strength, ctx=ctx
        )
    assert torch.equal(samples, expected[2]["samples"])
    assert torch.equal(mask.expand(-1, -1, -1, 2, 3), expected[2]["noise_mask"])
    for found, node in ((positive, expected[0]), (negative, expected[1])):
        assert torch.equal(found[0][1]["keyframe_idxs"], node[0][1]["keyframe_idxs"])


def test_a_guide_whose_first_cell_has_as_many_frames_as_the_others(lt):
    given, mask = torch.zeros(1, 128, 2, 1, 1), torch.ones(1, 1, 3, 1, 1)
    call = (TEXT, TEXT, 9, torch.zeros(1, 128, 3, 1, 1), mask, given, 1.0, SCALES)
    found, *_ = lt.LTXVAddGuide.append_keyframe(*call, causal_fix=False)
    assert found[0][1]["keyframe_idxs"][0, 0].tolist() == [9, 17]
    found, *_ = lt.LTXVAddGuide.append_keyframe(*call)
    assert found[0][1]["keyframe_idxs"][0, 0].tolist() == [9, 10]
    for more in ({"guide_mask": mask}, {"latent_downscale_factor": 2}):
        with pytest.raises(NodeError, match="is not supported here"):
            lt.LTXVAddGuide.append_keyframe(*call, **more)
