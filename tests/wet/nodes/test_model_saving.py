"""Saved models are read again as the same, by us and by the library of the format."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine.errors import NodeError, Stopped, WeightsError
from engine.inference.extraction import low_rank
from engine.inference.load import load_clip
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from engine.text.clip_keys import open_clip_layout
from engine.text.clip_keys import tensors as clip_tensors
from engine.vision.clip_network import ClipVision as ClipVisionNet
from engine.vision.clip_network import ClipVisionConfig
from engine.weights.state_dict import StateDict
from nodes.loaders import load_checkpoint_file, load_diffusion_model, load_vae_file
from nodes.lora import load_lora, load_lora_for_model
from nodes.merging import merge_models, subtract_clips, subtract_models
from nodes.model_patches import model_sampling_discrete
from nodes.model_saving import (
    save_checkpoint,
    save_clip,
    save_image_only_checkpoint,
    save_lora,
    save_model,
    save_vae,
)
from nodes.vision import load_clip_vision, load_image_only_checkpoint

CLIP_VISION = ClipVisionConfig(28, 7, 64, 128, 2, 1, "quick_gelu", projection=48)
UNET = "model.diffusion_model."
KEY = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
POSITIONS = "cond_stage_model.transformer.text_model.embeddings.position_ids"


@pytest.fixture
def residency():
    with installed(DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)) as made:
        yield made


@pytest.fixture
def ctx(files, settings, small_tensors, residency):
    folder = settings.models_directories[0] / "checkpoints"
    folder.mkdir(parents=True)
    save_file(small_tensors, folder / "a.safetensors")
    other = {
        name: each * 0.9 if each.is_floating_point() else each
        for name, each in small_tensors.items()
    }
    save_file(other, folder / "b.safetensors")
    workflow = {"workflow": {"nodes": []}}
    return RunningContext("1", files, prompt={"1": {"class_type": "X"}}, extra=workflow)


def saved(ctx, pattern):
    [path] = ctx.files.folders("output")[0].glob(pattern)
    return path


def test_a_checkpoint_comes_back_byte_for_byte(ctx, small_tensors):
    save_checkpoint(*load_checkpoint_file("a.safetensors", ctx), ctx)
    path = saved(ctx, "checkpoints/ComfyUI_00001_.safetensors")
    found = load_file(path)
    assert found.keys() == small_tensors.keys() - {POSITIONS}
    assert all(torch.equal(found[name], small_tensors[name]) for name in found)
    assert all(found[name].dtype == small_tensors[name].dtype for name in found)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["workflow"]) == {"nodes": []}
    assert json.loads(metadata["prompt"]) == {"1": {"class_type": "X"}}
    assert metadata["modelspec.architecture"] == "stable-diffusion-1"
    assert ctx.shown["text"] == ["checkpoints/ComfyUI_00001_.safetensors"]


def test_what_patches_make_is_saved_and_the_base_is_not_touched(ctx, small_tensors):
    (a, clip, vae), (b, _, _) = (load_checkpoint_file(f"{n}.safetensors", ctx) for n in "ab")
    save_checkpoint(merge_models(a, b, 0.5), clip, vae, ctx)
    found = load_file(saved(ctx, "checkpoints/*"))[UNET + KEY]
    assert torch.allclose(found, small_tensors[UNET + KEY] * 0.95, atol=1e-3)
    assert found.dtype == torch.float16


def test_a_mark_says_what_the_model_predicts(ctx, settings):
    a, clip, vae = load_checkpoint_file("a.safetensors", ctx)
    changed = model_sampling_discrete(model=a, sampling="v_prediction", zsnr=True)
    save_checkpoint(changed, clip, vae, ctx)
    path = saved(ctx, "checkpoints/*")
    path.rename(settings.models_directories[0] / "checkpoints" / "v.safetensors")
    again, _, _ = load_checkpoint_file("v.safetensors", ctx)
    assert again.parameterization.prediction is changed.parameterization.prediction
    assert again.parameterization.sigma_max == changed.parameterization.sigma_max


def test_parts_are_files_of_their_own(ctx, small_tensors, settings):
    a, clip, vae = load_checkpoint_file("a.safetensors", ctx)
    save_model(a, ctx)
    model = load_file(saved(ctx, "diffusion_models/*"))
    assert model.keys() == {name for name in small_tensors if name.startswith(UNET)}
    save_clip(clip, ctx)
    text = load_file(saved(ctx, "clip/ComfyUI_clip_l_00001_.safetensors"))
    assert "text_model.encoder.layers.0.mlp.fc1.weight" in text
    save_vae(vae, ctx)
    path = saved(ctx, "vae/ComfyUI_vae_00001_.safetensors")
    assert "decoder.conv_in.weight" in load_file(path)
    (settings.models_directories[0] / "vae").mkdir()
    path.rename(settings.models_directories[0] / "vae" / "a.safetensors")
    assert load_vae_file("a.safetensors", ctx).config == vae.config


@pytest.fixture
def others(random_checkpoints, ldm_of_classes, ldm_of_text):
    """Whole checkpoints of other families, in sizes that no released model has."""
    xl, refiner = (
        random_checkpoints.tensors(sizes, torch.float16)
        for sizes in (random_checkpoints.SMALL_XL, random_checkpoints.SMALL_REFINER)
    )
    return {"xl": xl, "refiner": refiner, "classes": ldm_of_classes, "text": ldm_of_text}


def test_a_saved_denoiser_of_any_size_is_recognised_alone(ctx, settings, others):
    models = settings.models_directories[0]
    (models / "diffusion_models").mkdir()
    for name, tensors in others.items():
        save_file(tensors, models / "checkpoints" / f"{name}.safetensors")
    for name in ("a", *others):
        model, _, _ = load_checkpoint_file(f"{name}.safetensors", ctx)
        save_model(model, ctx)
        alone = models / "diffusion_models" / f"{name}.safetensors"
        saved(ctx, "diffusion_models/*").rename(alone)
        again = load_diffusion_model(unet_name=alone.name, weight_dtype="default", ctx=ctx)
        assert (again.family, again.config.unet) == (model.family, model.config.unet)
        # Without what the file declares the sizes are no family's.
        save_file(load_file(alone), alone)
        with pytest.raises(WeightsError, match="unknown kind"):
            load_diffusion_model(unet_name=alone.name, weight_dtype="default", ctx=ctx)


@pytest.mark.parametrize("name", ["classes", "text"])
def test_latent_diffusion_of_2022_comes_back(ctx, settings, others, name):
    tensors = others[name]
    models = settings.models_directories[0]
    save_file(tensors, models / "checkpoints" / "c.safetensors")
    model, clip, vae = load_checkpoint_file("c.safetensors", ctx)
    save_checkpoint(model, clip, vae, ctx)
    found = load_file(saved(ctx, "checkpoints/*"))
    expected = {n: each for n, each in tensors.items() if "to_logits" not in n}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[n], expected[n]) for n in found)
    save_clip(clip, ctx)
    again = load_clip([saved(ctx, "clip/*")], "stable_diffusion")
    assert [part.config for part in again.parts.values()] == [
        part.config for part in clip.parts.values()
    ]


def test_a_part_that_is_missing_is_refused(ctx, settings, small_tensors):
    folder = settings.models_directories[0] / "checkpoints"
    without = {n: each for n, each in small_tensors.items() if not n.startswith("first_stage")}
    save_file(without, folder / "c.safetensors")
    a, clip, vae = load_checkpoint_file("c.safetensors", ctx)
    with pytest.raises(NodeError, match=r"c\.safetensors, autoencoder is not there"):
        save_checkpoint(a, clip, vae, ctx)


def test_a_stop_leaves_no_file(ctx):
    a, clip, vae = load_checkpoint_file("a.safetensors", ctx)
    stopped = RunningContext("1", ctx.files, stopped=lambda: True)
    with pytest.raises(Stopped):
        save_checkpoint(a, clip, vae, stopped)
    output = ctx.files.folders("output")[0]
    assert [path for path in output.rglob("*") if path.is_file()] == []


def test_the_layout_of_open_clip_is_read_back_as_the_same(tiny_clip):
    part = tiny_clip.parts["clip_l"]
    ours = dict(part.weights.module.named_parameters())
    ours["text_projection.weight"] = torch.randn(16, 64)
    layout = open_clip_layout(ours)
    tensors = {}
    for name, kept in layout.items():
        joined = torch.cat([ours[each].detach() for each in kept.names])
        tensors[name] = joined.T.contiguous() if kept.transposed else joined
    assert "transformer.resblocks.0.attn.in_proj_weight" in tensors
    again = clip_tensors(StateDict.of(tensors))
    assert again.keys() == ours.keys()
    assert all(torch.equal(again[name], ours[name]) for name in ours)


@pytest.mark.parametrize("kind", ["standard", "full_diff"])
def test_an_extracted_lora_leads_from_one_model_to_the_other(ctx, settings, residency, kind):
    (a, clip_a, _), (b, clip_b, _) = (load_checkpoint_file(f"{n}.safetensors", ctx) for n in "ab")
    save_lora(
        ctx=ctx,
        rank=256,
        lora_type=kind,
        model_diff=subtract_models(b, a, 1.0),
        text_encoder_diff=subtract_clips(clip_b, clip_a, 1.0),
    )
    path = saved(ctx, "loras/*")
    (settings.models_directories[0] / "loras").mkdir()
    path.rename(settings.models_directories[0] / "loras" / "d.safetensors")
    ctx.shown.clear()
    changed, texts = load_lora(a, clip_a, "d.safetensors", ctx)
    assert ctx.shown == {}  # every name has its place
    pairs = [(changed.net, b.net), (texts.parts["clip_l"].weights, clip_b.parts["clip_l"].weights)]
    for found, expected in pairs:
        with residency.use(found):
            ours = {n: p.to_dense().clone() for n, p in found.module.named_parameters()}
        with residency.use(expected):
            theirs = {n: p.to_dense().clone() for n, p in expected.module.named_parameters()}
        for name, tensor in theirs.items():
            assert (ours[name] - tensor).norm() <= 3e-3 * tensor.norm() + 1e-4, name


def test_nothing_to_extract_is_said(ctx):
    with pytest.raises(NodeError, match="connect a difference"):
        save_lora(ctx=ctx, lora_type="standard")


@pytest.mark.parametrize(("shape", "rank"), [((60, 40), 30), ((300, 200), 6)])
def test_the_nearest_product_of_a_rank(shape, rank):
    generator = torch.Generator().manual_seed(1)
    low = torch.randn(shape[0], 8, generator=generator) @ torch.randn(8, shape[1])
    matrix = low + 0.05 * torch.randn(shape, generator=generator)
    up, down = low_rank(matrix, rank)
    s = torch.linalg.svdvals(matrix)
    best = s[rank:].norm()
    assert (up.float() @ down.float() - matrix).norm() <= 1.01 * best + 1e-3 * matrix.norm()
    assert all(torch.equal(a, b) for a, b in zip(low_rank(matrix, rank), (up, down), strict=True))


def test_a_saved_lora_at_half_strength_is_half_the_way(ctx, settings, residency):
    (a, _, _), (b, _, _) = (load_checkpoint_file(f"{n}.safetensors", ctx) for n in "ab")
    save_lora(ctx=ctx, rank=64, lora_type="standard", model_diff=subtract_models(b, a, 1.0))
    (settings.models_directories[0] / "loras").mkdir()
    saved(ctx, "loras/*").rename(settings.models_directories[0] / "loras" / "d.safetensors")
    half = load_lora_for_model(a, "d.safetensors", ctx, 0.5)
    with residency.use(half.net):
        found = half.net.module.get_parameter(KEY).clone()
    with residency.use(a.net):
        expected = a.net.module.get_parameter(KEY) * 0.95
    assert torch.allclose(found, expected, atol=1e-3)


def test_a_checkpoint_of_pictures_keeps_the_image_encoder(ctx, fill):
    """Against transformers' own module, converted by the loader that reads OpenCLIP's layout."""
    encoder = fill(lambda: ClipVisionNet(CLIP_VISION))
    folder = ctx.files.folders("clip_vision")[0]
    folder.mkdir(parents=True)
    own = "visual_projection.weight"
    tensors = {
        name if name == own else f"vision_model.{name}": each.contiguous()
        for name, each in encoder.state_dict().items()
    }
    save_file(tensors, folder / "v.safetensors")
    model, _, vae = load_checkpoint_file("a.safetensors", ctx)
    save_image_only_checkpoint(model, load_clip_vision("v.safetensors", ctx), vae, ctx)
    path = saved(ctx, "checkpoints/ComfyUI_00001_.safetensors")
    found = load_file(path)
    start = "conditioner.embedders.0.open_clip.model.visual."
    assert torch.equal(found[f"{start}proj"], encoder.state_dict()[own].T)
    rows = [
        encoder.state_dict()[f"encoder.layers.0.self_attn.{each}_proj.weight"] for each in "qkv"
    ]
    joined = found[f"{start}transformer.resblocks.0.attn.in_proj_weight"]
    assert torch.equal(joined, torch.cat(rows))
    path.rename(ctx.files.folders("checkpoints")[0] / "video.safetensors")
    _, vision, _ = load_image_only_checkpoint("video.safetensors", ctx)
    for name, source in vision.weights.sources.items():
        read = source.unpack(source.read_parts(), torch.float32)
        assert torch.equal(read, encoder.state_dict()[name])
    assert len(vision.weights.sources) == len(encoder.state_dict())
