"""Nodes that give LTX-Video and HunyuanVideo frames: what they encode, keep and refuse."""

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError
from engine.inference.load import load_vae
from engine.inference.vae import encode
from engine.nodekit.context import RunningContext
from nodes import ltxv_guides as guides
from nodes.hunyuan_video import hunyuan_image_to_video
from nodes.ltxv import ltxv_conditioning
from tests.wet.video_files import hunyuan, ltx, original

TEXT = [[torch.zeros(1, 3, 8), {"kept": 1}]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("vae")
    save_file(original(ltx("0.9", 128)), found / "ltx.safetensors")
    save_file(dict(hunyuan().state_dict()), found / "hunyuan.safetensors")
    return found


@pytest.fixture
def vae(folder, cpu_residency):
    return load_vae(folder / "ltx.safetensors")


@pytest.fixture
def ctx(files):
    return RunningContext("1", files)


def video(frames=1, height=64, width=96):
    return torch.rand(frames, height, width, 3, generator=torch.Generator().manual_seed(1))


def empty(cells=3):
    return {"samples": torch.zeros(2, 128, cells, 2, 3)}


def test_a_video_begins_with_a_picture(vae, ctx):
    size = {"width": 96, "height": 64, "length": 17, "batch_size": 2}
    found = guides.ltxv_img_to_video(TEXT, TEXT, vae, video(), **size, strength=0.75, ctx=ctx)
    assert found.positive is TEXT
    samples, mask = found.latent["samples"], found.latent["noise_mask"]
    assert samples.shape == (2, 128, 3, 2, 3)
    assert torch.equal(samples[1:, :, :1], encode(vae, video()))
    assert not samples[:, :, 1:].any()
    assert mask[:, 0, :, 0, 0].tolist() == [[0.25, 1.0, 1.0]] * 2
    given = guides.ltxv_img_to_video_inplace(vae, video(9), empty(), 1.0, ctx=ctx)
    assert torch.equal(given["samples"][:1, :, :2], encode(vae, video(9)))
    assert given["noise_mask"][0, 0, :, 0, 0].tolist() == [0.0, 0.0, 1.0]
    same = empty()
    assert guides.ltxv_img_to_video_inplace(vae, video(), same, bypass=True, ctx=ctx) is same


def add(vae, latent, image, frame, ctx, text=TEXT):
    return guides.ltxv_add_guide(text, text, vae, latent, image, frame, 0.5, ctx=ctx)


@pytest.mark.parametrize(
    ("frame", "frames", "expected"),
    [
        (0, 1, [0]),
        (5, 1, [5]),
        (-1, 1, [16]),
        (0, 9, [0, 1]),
        (12, 8, [12]),  # as many as whole cells hold: one
        (6, 9, [1, 2]),
    ],
)
def test_guides_stand_behind_the_video(frame, frames, expected, vae, ctx):
    found = add(vae, empty(), video(frames), frame, ctx)
    count = len(expected)
    assert found.latent["samples"].shape == (2, 128, 3 + count, 2, 3)
    kept = found.latent["noise_mask"][0, 0, :, 0, 0].tolist()
    assert kept == [1.0] * 3 + [0.5] * count
    places = found.positive[0][1]["keyframe_idxs"].unflatten(2, (count, 2, 3))
    assert places[0, 0, :, 0, 0].tolist() == expected
    assert places[0, 1, 0, :, 0].tolist() == [0, 32]
    assert places[0, 2, 0, 0].tolist() == [0, 32, 64]
    assert found.negative[0][1]["keyframe_idxs"] is not None


def test_guides_are_taken_out_again(vae, ctx):
    once = add(vae, empty(), video(), 0, ctx)
    twice = add(vae, once.latent, video(), -1, ctx, once.positive)
    assert twice.positive[0][1]["keyframe_idxs"].shape == (1, 3, 12)
    assert twice.positive[0][1]["keyframe_idxs"][0, 0, 6:].tolist() == [16] * 6
    found = guides.ltxv_crop_guides(twice.positive, twice.negative, twice.latent)
    assert found.latent["samples"].shape == (2, 128, 3, 2, 3)
    assert found.latent["noise_mask"].shape == (2, 1, 3, 2, 3)
    assert found.positive[0][1] == {"kept": 1, "keyframe_idxs": None}
    plain = empty()
    assert guides.ltxv_crop_guides(TEXT, TEXT, plain).latent is plain


def test_what_does_not_fit_is_refused(vae, ctx, folder):
    with pytest.raises(NodeError, match="from frame 17 on is longer than the video of 17 frames"):
        add(vae, empty(), video(9), 20, ctx)
    with pytest.raises(NodeError, match="this node takes one of LTX-Video"):
        add(vae, {"samples": torch.zeros(1, 16, 3, 2, 3)}, video(), 0, ctx)
    with pytest.raises(NodeError, match="25 frames were given, and the video has 17"):
        guides.ltxv_img_to_video_inplace(vae, video(25), empty(), ctx=ctx)
    other = load_vae(folder / "hunyuan.safetensors")
    with pytest.raises(NodeError, match="use the VAE of its checkpoint"):
        add(other, empty(), video(), 0, ctx)
    with pytest.raises(NodeError, match="load hunyuan_video_vae"):
        hunyuan_image_to_video(
            positive=TEXT, vae=vae, guidance_type="custom", start_image=video(), ctx=ctx
        )


def test_compression_leaves_traces(ctx):
    pictures = video(2, 65, 97)
    assert guides.ltxv_preprocess(pictures, 0, ctx=ctx) is pictures
    little, much = (guides.ltxv_preprocess(pictures, level, ctx=ctx) for level in (5, 60))
    assert little.shape == much.shape == (2, 64, 96, 3)
    off = [(each - pictures[:, :64, :96]).abs().mean().item() for each in (little, much)]
    assert 0 < off[0] < off[1]
    with pytest.raises(NodeError, match="1 x 1 pixels is too small"):
        guides.ltxv_preprocess(video(1, 1, 1), 35, ctx=ctx)


def test_hunyuan_video_takes_a_picture_in_three_ways(folder, cpu_residency, ctx):
    vae = load_vae(folder / "hunyuan.safetensors")
    given = encode(vae, video(1, 32, 48))

    def asked(kind, *, begins=True):
        image = video(1, 32, 48) if begins else None
        return hunyuan_image_to_video(
            positive=TEXT,
            vae=vae,
            width=48,
            height=32,
            length=9,
            batch_size=2,
            guidance_type=kind,
            start_image=image,
            ctx=ctx,
        )

    beside = asked("v1 (concat)")
    extras = beside.positive[0][1]
    assert torch.equal(extras["concat_latent_image"], given)
    assert extras["concat_mask"][0, 0, :, 0, 0].tolist() == [0.0, 1.0, 1.0]
    assert beside.latent["samples"].shape == (2, 16, 3, 4, 6)
    assert not beside.latent["samples"].any()
    replaced = asked("v2 (replace)")
    assert replaced.positive[0][1]["guiding_frame_index"] == 0
    assert torch.equal(replaced.latent["samples"][1:, :, :1], given)
    assert replaced.latent["noise_mask"][1, 0, :, 0, 0].tolist() == [0.0, 1.0, 1.0]
    assert torch.equal(asked("custom").positive[0][1]["ref_latent"], given)
    assert asked("v2 (replace)", begins=False).positive is TEXT


def test_the_frame_rate_is_told():
    found = ltxv_conditioning(TEXT, TEXT, 24.0)
    assert found.negative[0][1] == {"kept": 1, "frame_rate": 24.0}
