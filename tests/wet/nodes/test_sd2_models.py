"""SD2 and models with more input channels: saved, merged, with LoRAs, trained; wrong inputs."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import NodeError
from engine.families.picture_channels import MASK, PICTURE
from engine.nodekit.context import RunningContext
from engine.training.loop import train
from engine.training.options import TrainingOptions
from engine.training.samples import make_groups
from nodes.loaders import load_checkpoint_file
from nodes.lora import load_lora
from nodes.merging import add_models, merge_blocks, merge_models, subtract_models
from nodes.model_patches import model_sampling_discrete
from nodes.model_saving import save_checkpoint, save_clip, save_model
from nodes.picture_conditioning import inpaint_model_conditioning, instruct_pix_to_pix_conditioning
from nodes.sampling import ksampler
from nodes.text import clip_text_encode
from nodes.text_loaders import load_one
from nodes.vae import vae_encode_for_inpaint

UNET, TEXT = "model.diffusion_model.", "cond_stage_model.model."
ENTRY = "input_blocks.0.0.weight"
KEY = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
TEXT_LORA = "lora_te_text_model_encoder_layers_3_mlp_fc1"
WORDS = [[torch.randn(1, 77, 64, generator=torch.Generator().manual_seed(2)), {}]]
"""A prompt as encoded."""


@pytest.fixture(scope="module")
def made(random_checkpoints):
    """Checkpoints by name, fp16: two of SD2, one that inpaints, one that edits, one of SD1."""
    small = random_checkpoints.SMALL_2

    def tensors(sizes):
        return random_checkpoints.tensors(sizes, torch.float16)

    two = tensors(small)
    return {
        "two": two,
        "other": {name: each * 0.5 for name, each in two.items()},
        "inpaint": tensors(dataclasses.replace(small, in_channels=9)),
        "edit": tensors(dataclasses.replace(small, in_channels=8)),
        "one": tensors(random_checkpoints.SMALL),
    }


@pytest.fixture(scope="module")
def checkpoints(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    for name, tensors in made.items():
        save_file(tensors, folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def ctx(files, settings, checkpoints, cpu_residency):
    folder = settings.models_directories[0]
    for name in ("checkpoints", "loras", "text_encoders"):
        (folder / name).mkdir(parents=True)
    for path in checkpoints.iterdir():
        (folder / "checkpoints" / path.name).hardlink_to(path)
    return RunningContext("1", files)


def loaded(name, ctx):
    return load_checkpoint_file(f"{name}.safetensors", ctx)


def saved(ctx, pattern):
    [path] = ctx.files.folders("output")[0].glob(pattern)
    return path


def values(model, name, residency):
    with residency.use(model.net):
        return model.net.module.state_dict()[name].float().clone()


def sampled(model, positive, ctx, latent=None, **more):
    with torch.inference_mode():
        return ksampler(
            model=model,
            seed=1,
            steps=1,
            cfg=2.0,
            sampler_name="euler",
            scheduler="normal",
            positive=positive,
            negative=more.get("negative", positive),
            latent_image=latent or {"samples": torch.zeros(1, 4, 8, 8)},
            denoise=1.0,
            ctx=ctx,
        )["samples"]


def test_a_checkpoint_comes_back_byte_for_byte(ctx, made):
    save_checkpoint(*loaded("two", ctx), ctx)
    found, expected = load_file(saved(ctx, "checkpoints/*")), made["two"]
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_mark_says_that_a_saved_model_predicts_v(ctx, settings):
    model, clip, vae = loaded("two", ctx)
    changed = model_sampling_discrete(model=model, sampling="v_prediction", zsnr=True)
    save_checkpoint(changed, clip, vae, ctx)
    saved(ctx, "checkpoints/*").rename(
        settings.models_directories[0] / "checkpoints" / "v.safetensors"
    )
    again, _, _ = loaded("v", ctx)
    assert again.parameterization.prediction is changed.parameterization.prediction
    assert again.parameterization.sigma_max == changed.parameterization.sigma_max


def test_parts_are_files_of_their_own(ctx, settings, made):
    model, clip, _ = loaded("two", ctx)
    save_model(model, ctx)
    found = load_file(saved(ctx, "diffusion_models/*"))
    assert found.keys() == {name for name in made["two"] if name.startswith(UNET)}
    save_clip(clip, ctx)
    path = saved(ctx, "clip/ComfyUI_clip_h_00001_.safetensors")
    path.rename(settings.models_directories[0] / "text_encoders" / "h.safetensors")
    alone = load_one(clip_name="h.safetensors", type="stable_diffusion", ctx=ctx)
    [[expected, _]] = clip_text_encode("a fox", clip, ctx)
    assert torch.equal(clip_text_encode("a fox", alone, ctx)[0][0], expected)


def test_merging(ctx, cpu_residency, made):
    two, other, inpaint = (loaded(name, ctx)[0] for name in ("two", "other", "inpaint"))
    plain = made["two"][UNET + KEY].float()
    half = values(merge_models(two, other, 0.4), KEY, cpu_residency)
    assert torch.allclose(half, plain * 0.7, atol=1e-5)
    blocks = merge_blocks(two, other, 0.0, 1.0, 1.0)
    assert torch.allclose(values(blocks, KEY, cpu_residency), plain * 0.5, atol=1e-5)
    # The usual way to make an inpainting model of a style: its difference from the base is added.
    styled = add_models(inpaint, subtract_models(two, other, 1.0))
    entry = values(styled, ENTRY, cpu_residency)
    own, more = (made[name][UNET + ENTRY].float() for name in ("inpaint", "two"))
    assert torch.allclose(entry[:, :4], own[:, :4] + more * 0.5, atol=1e-4)
    assert torch.equal(entry[:, 4:], own[:, 4:])
    with pytest.raises(NodeError, match=r"built differently.*merge models of one family"):
        merge_models(two, loaded("one", ctx)[0], 0.5)


def test_a_lora_finds_the_network_and_the_text_encoder(ctx, settings, cpu_residency, made):
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for module, (rows, columns) in ((LORA, (64, 64)), (TEXT_LORA, (256, 64))):
        tensors[f"{module}.lora_up.weight"] = torch.randn(rows, 2, generator=generator)
        tensors[f"{module}.lora_down.weight"] = torch.randn(2, columns, generator=generator)
        tensors[f"{module}.alpha"] = torch.tensor(2.0)
    save_file(tensors, settings.models_directories[0] / "loras" / "x.safetensors")
    model, clip, _ = loaded("two", ctx)
    changed, text = load_lora(model, clip, "x.safetensors", ctx=ctx)
    way = tensors[f"{LORA}.lora_up.weight"] @ tensors[f"{LORA}.lora_down.weight"]
    expected = made["two"][UNET + KEY].float() + way
    assert torch.allclose(values(changed, KEY, cpu_residency), expected, atol=1e-4)
    assert list(text.parts["clip_h"].weights.patches) == ["encoder.layers.3.mlp.fc1.weight"]


@pytest.mark.parametrize("name", ["two", "inpaint", "edit"])
def test_training(ctx, name):
    model = loaded(name, ctx)[0]
    latent = {"samples": torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))}
    groups = make_groups(model, [latent], [WORDS])
    options = TrainingOptions(steps=2, rank=2, training_dtype="fp32", lora_dtype="fp32")
    trained = train(model, groups, options)
    assert f"{LORA}.lora_up.weight" in trained.tensors
    assert all(each.isfinite().all() for each in trained.tensors.values())


def test_a_text_to_image_model_ignores_a_picture_in_the_conditioning(ctx):
    model = loaded("two", ctx)[0]
    given = {PICTURE: torch.ones(1, 4, 8, 8), MASK: torch.ones(1, 1, 64, 64)}
    both = [[tokens, {**extras, **given}] for tokens, extras in WORDS]
    assert torch.equal(sampled(model, WORDS, ctx), sampled(model, both, ctx))


@pytest.mark.parametrize("size", [(64, 64), (67, 83), (16, 24)])
def test_pictures_and_masks_of_any_size(ctx, size):
    model, _, vae = loaded("inpaint", ctx)
    pixels = torch.rand(2, *size, 3)
    mask = torch.zeros(40, 24)
    mask[10:30, 5:20] = 1
    cells = (2, 4, size[0] // 8, size[1] // 8)
    for noise_mask in (True, False):
        given = inpaint_model_conditioning(WORDS, WORDS, vae, pixels, mask, noise_mask, ctx=ctx)
        assert ("noise_mask" in given.latent) is noise_mask
        assert given.latent["samples"].shape == cells
        assert given.positive[0][1][PICTURE].shape == cells
        found = sampled(model, given.positive, ctx, given.latent, negative=given.negative)
        assert found.shape == cells
        assert found.isfinite().all()
    latent = vae_encode_for_inpaint(pixels=pixels, vae=vae, mask=mask, ctx=ctx)
    assert sampled(model, WORDS, ctx, latent).shape == cells


def test_a_mask_for_each_picture(ctx):
    model, _, vae = loaded("inpaint", ctx)
    pixels = torch.rand(2, 64, 64, 3)
    masks = torch.zeros(2, 64, 64)
    masks[0, :32], masks[1, 32:] = 1, 1
    given = inpaint_model_conditioning(WORDS, WORDS, vae, pixels, masks, ctx=ctx)
    both = sampled(model, given.positive, ctx, given.latent)
    second = {"samples": given.latent["samples"][1:], "batch_index": [1]}
    second["noise_mask"] = given.latent["noise_mask"][1:]
    alone = inpaint_model_conditioning(WORDS, WORDS, vae, pixels[1:], masks[1:], ctx=ctx)
    found = sampled(model, alone.positive, ctx, second)
    assert torch.allclose(both[1:], found, atol=1e-4)
    with pytest.raises(NodeError, match="3 masks do not fit 2 pictures"):
        inpaint_model_conditioning(WORDS, WORDS, vae, pixels, torch.ones(3, 8, 8), ctx=ctx)


def test_a_picture_smaller_than_a_cell_is_refused(ctx):
    vae = loaded("edit", ctx)[2]
    with pytest.raises(NodeError, match="7 x 5 pixels is too small to encode"):
        instruct_pix_to_pix_conditioning(WORDS, WORDS, vae, torch.rand(1, 5, 7, 3), ctx)


def test_an_editing_model_with_and_without_a_picture(ctx):
    model, _, vae = loaded("edit", ctx)
    given = instruct_pix_to_pix_conditioning(WORDS, WORDS, vae, torch.rand(1, 67, 83, 3), ctx)
    assert not given.latent["samples"].any()
    found = sampled(model, given.positive, ctx, given.latent, negative=WORDS)
    assert found.shape == (1, 4, 8, 10)
    plain = sampled(model, WORDS, ctx, given.latent)
    assert not torch.equal(found, plain)
    # A latent of another size than the picture: the picture is scaled to it.
    assert sampled(model, given.positive, ctx).shape == (1, 4, 8, 8)


def test_prompts_and_latents_of_other_models_are_refused(ctx):
    model = loaded("inpaint", ctx)[0]
    sd1 = [[torch.zeros(1, 77, 768), {}]]
    with pytest.raises(NodeError, match="tokens have 768 numbers, the model takes 64"):
        sampled(model, sd1, ctx)
    foreign = [
        [torch.zeros(1, 77, 64), {PICTURE: torch.zeros(1, 16, 8, 8), MASK: torch.ones(8, 8)}]
    ]
    with pytest.raises(NodeError, match="the model takes a latent of 4 channels; encode it"):
        sampled(model, foreign, ctx)
    with pytest.raises(NodeError, match="the latent has 16 channels"):
        sampled(model, WORDS, ctx, {"samples": torch.ones(1, 16, 8, 8)})
