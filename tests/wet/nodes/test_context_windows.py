"""Models sampled in context windows against runs of the parts alone."""

from dataclasses import dataclass, replace

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.inference import control, load
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Sampler
from engine.inference.vision import load_with_image_encoder
from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.layouts import regular_unet
from engine.nodekit.context import RunningContext
from nodes.context_windows import context_windows, latent_frames, wan_context_windows
from nodes.control import control_net_apply_advanced
from nodes.picture_to_video import svd_img2vid_conditioning
from tests.wet.picture_checkpoints import video

SIGMAS = torch.tensor([14.0, 4.0, 1.0, 0.0])
TOLERANCE = 1e-4
EULER = Sampler(SAMPLERS["euler"])


@dataclass
class Given:
    """Noise from a tensor."""

    noise: torch.Tensor
    seed: int = 0

    def generate_noise(self, latent):
        assert latent["samples"].shape == self.noise.shape
        return self.noise


def run(model, positive, negative, noise):
    guider = CfgGuider(model, positive, negative, 2.5)
    return sample(guider, Given(noise), EULER, SIGMAS, {"samples": torch.zeros_like(noise)}).samples


def strays(found, expected):
    return float((found - expected).norm() / expected.norm())


def text(rows=1):
    return torch.randn(rows, 77, 64, generator=torch.Generator().manual_seed(rows))


@pytest.fixture
def small(tmp_path, small_tensors, cpu_residency):
    save_file(small_tensors, tmp_path / "small.safetensors")
    return load.load_checkpoint(tmp_path / "small.safetensors")[0]


def test_windows_without_overlap_are_runs_of_their_own(small, tmp_path, files):
    """Rows are frames: each with its text, its mask and the picture of its control network."""
    unet = regular_unet(32, (1, 2), (1, 1), context=64, heads=8, blocks=1)
    blocks = unet.input_blocks, unet.middle_block
    net = ControlNet(ControlNetConfig(4, 32, 128, None, *blocks, (3, *(8,) * 7, 32)))
    save_file(dict(net.state_dict()), tmp_path / "lines.safetensors")
    lines = control.load_control(tmp_path / "lines.safetensors")
    shown, noise = torch.rand(7, 64, 64, 3), torch.randn(7, 4, 8, 8)
    context = RunningContext("1", files)
    words, mask = text(7), torch.rand(7, 8, 8)

    def prompts(part):
        positive = [[words[part], {"mask": mask[part]}], [words[:1], {}]]
        return control_net_apply_advanced(
            positive, [[text(), {}]], lines, shown[part], 0.8, 0.0, 1.0, ctx=context
        )

    model = context_windows(
        model=small, context_length=4, context_overlap=1, context_schedule="batched"
    )
    found = run(model, *prompts(slice(0, 7)), noise)
    parts = [run(small, *prompts(part), noise[part]) for part in (slice(0, 4), slice(4, 7))]
    assert strays(found, torch.cat(parts)) < TOLERANCE
    whole = run(small, *prompts(slice(0, 7)), noise)
    assert strays(found, whole) < TOLERANCE  # this network sees each frame alone


def test_a_network_over_frames_sees_a_window_as_a_video(
    tmp_path, random_checkpoints, cpu_residency, tiny_vae, files
):
    save_file(video(random_checkpoints), tmp_path / "video.safetensors")
    model, _, vae, vision = load_with_image_encoder(tmp_path / "video.safetensors")
    given = {"clip_vision": vision, "init_image": torch.rand(1, 40, 60, 3), "vae": vae}
    context = RunningContext("1", files)

    def prompts(frames):
        made = svd_img2vid_conditioning(
            **given, width=64, height=64, video_frames=frames, ctx=context
        )
        return made.positive, made.negative

    noise = torch.randn(8, 4, 8, 8)
    given_windows = {"context_length": 4, "context_schedule": "batched", "context_overlap": 0}
    found = run(context_windows(model=model, **given_windows), *prompts(8), noise)
    parts = [run(model, *prompts(4), noise[part]) for part in (slice(0, 4), slice(4, 8))]
    assert strays(found, torch.cat(parts)) < TOLERANCE
    assert strays(found, run(model, *prompts(8), noise)) > 1e-3


def test_overlaps_join_what_the_parts_alone_do_not(small):
    """The whole is the weighted mean of its windows after one step."""
    noise = torch.randn(6, 4, 8, 8)
    words = [[text(), {}]]
    model = context_windows(
        model=small,
        context_length=4,
        context_overlap=2,
        context_schedule="standard_static",
        freenoise=True,
    )
    found = run(model, words, words, noise)
    assert model.windows is not None
    shuffled = model.windows.shuffled(noise, 0)
    assert strays(found, run(small, words, words, shuffled)) < TOLERANCE
    assert not torch.equal(shuffled, noise)


def test_the_node_of_wan_counts_frames_of_the_video(small):
    model = wan_context_windows(model=small, context_schedule="looped_uniform")
    assert model.windows is not None
    assert (model.windows.length, model.windows.overlap, model.windows.dim) == (21, 8, 2)
    assert [latent_frames(each) for each in (1, 4, 5, 81)] == [1, 1, 2, 21]
    none = wan_context_windows(
        model=small, context_schedule="batched", context_length=1, context_overlap=0
    )
    assert none.windows is not None
    assert (none.windows.length, none.windows.overlap) == (1, 0)
    assert replace(none, windows=None) == small


def test_windows_that_do_not_move_on_are_refused(small):
    with pytest.raises(NodeError, match="context_overlap is 16 frames"):
        context_windows(model=small, context_overlap=16, context_schedule="batched")
