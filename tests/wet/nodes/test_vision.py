"""The nodes of image encoders: files found and told apart, pictures in groups, dtype and memory."""

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import NodeError, WeightsError
from engine.inference import vision
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from engine.vision.clip_network import ClipVision, ClipVisionConfig
from nodes.vision import clip_vision_encode, load_clip_vision, load_unclip_checkpoint

TINY = ClipVisionConfig(28, 7, 64, 128, 3, 1, "quick_gelu", 48)


@pytest.fixture
def context(files, settings, small_tensors, fill, of_open_clip):
    folder = settings.models_directories[0] / "clip_vision"
    folder.mkdir(parents=True)
    module = fill(lambda: ClipVision(TINY))
    tensors = {
        key if key.startswith("visual") else f"vision_model.{key}": value
        for key, value in module.state_dict().items()
    }
    save_file(tensors, folder / "tiny.safetensors")
    tensors.pop("vision_model.pre_layrnorm.bias")
    save_file(tensors, folder / "cut.safetensors")
    prefix = "cond_stage_model.transformer."
    text = {k.removeprefix(prefix): v for k, v in small_tensors.items() if k.startswith(prefix)}
    save_file(text, folder / "text.safetensors")
    save_file(small_tensors, folder / "checkpoint.safetensors")
    models = folder.parent / "checkpoints"
    models.mkdir()
    save_file(small_tensors, models / "plain.safetensors")
    within = {f"embedder.model.visual.{k}": v for k, v in of_open_clip(module).items()}
    save_file({**small_tensors, **within}, models / "with.safetensors")
    save_file({"x": torch.zeros(1)}, folder / "other.safetensors")
    return RunningContext("1", files)


@pytest.fixture
def pictures():
    return torch.rand(5, 40, 60, 3, generator=torch.Generator().manual_seed(1))


def encoded(context, pictures, crop="center"):
    found = load_clip_vision("tiny.safetensors", context)
    return clip_vision_encode(clip_vision=found, image=pictures, crop=crop, ctx=context)


@pytest.mark.usefixtures("cpu_residency")
def test_outputs_have_the_incumbents_names(context, pictures):
    found = encoded(context, pictures)
    assert found.image_embeds.shape == (5, 48)
    assert found.last_hidden_state.shape == found.penultimate_hidden_states.shape == (5, 17, 64)
    assert found["image_embeds"] is found.image_embeds
    assert found["penultimate_hidden_states"] is found.penultimate_hidden_states
    with pytest.raises(KeyError):
        _ = found["other"]
    assert not torch.allclose(found.image_embeds, encoded(context, pictures, "none").image_embeds)


@pytest.mark.usefixtures("cpu_residency")
def test_groups_change_nothing(context, pictures, monkeypatch):
    whole = encoded(context, pictures)
    monkeypatch.setattr(vision, "AT_ONCE", 2)
    parts = encoded(context, pictures)
    for name in ("image_embeds", "last_hidden_state", "penultimate_hidden_states"):
        assert (whole[name] - parts[name]).abs().max() < 1e-5
    plugins = load_clip_vision("tiny.safetensors", context).encode_image(pictures)
    assert (plugins.image_embeds - whole.image_embeds).abs().max() < 1e-5


def test_streamed_weights_give_the_same(context, pictures):
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        expected = encoded(context, pictures).image_embeds
    small = DeviceResidency(torch.device("cpu"), torch.float32, budget=100_000)
    with installed(small):
        found = encoded(context, pictures[:1]).image_embeds
    assert (found - expected[:1]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "text.safetensors: this is a text encoder, not a CLIP vision.*Load CLIP"),
        ("checkpoint", "model of Stable Diffusion 1, not a CLIP vision encoder alone"),
        ("other", "no known model family; 1 tensors"),
        ("cut", r"cut.safetensors, CLIP image encoder: the weights do not fit.*pre_layrnorm.bias"),
    ],
)
def test_other_files_are_refused(context, name, message):
    with pytest.raises(WeightsError, match=message):
        load_clip_vision(f"{name}.safetensors", context)


@pytest.mark.usefixtures("cpu_residency")
def test_an_empty_batch_is_refused(context):
    with pytest.raises(NodeError, match="the batch is empty"):
        encoded(context, torch.zeros(0, 8, 8, 3))


@pytest.mark.usefixtures("cpu_residency")
def test_an_encoder_within_a_checkpoint(context, pictures):
    expected = encoded(context, pictures)
    *_, found = load_unclip_checkpoint("with.safetensors", context)
    seen = clip_vision_encode(clip_vision=found, image=pictures, crop="center", ctx=context)
    assert (seen.image_embeds - expected.image_embeds).abs().max() < 1e-5
    *_, none = load_unclip_checkpoint("plain.safetensors", context)
    with pytest.raises(WeightsError, match=r"plain.safetensors, CLIP vision.*Load CLIP Vision"):
        clip_vision_encode(clip_vision=none, image=pictures, crop="center", ctx=context)
