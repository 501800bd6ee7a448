"""The loader nodes find files in the user's folders and detect their changes."""

import os

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import FilesError, WeightsError
from engine.nodekit.context import RunningContext
from nodes import text_loaders
from nodes.loaders import load_checkpoint_file, load_diffusion_model, load_vae_file


@pytest.fixture
def context(files, settings, small_tensors):
    for kind in ("checkpoints", "vae"):
        folder = settings.models_directories[0] / kind
        folder.mkdir(parents=True)
        save_file(small_tensors, folder / "small.safetensors")
    return RunningContext("1", files)


def test_a_checkpoint_is_three_values(context):
    model, clip, vae = load_checkpoint_file("small.safetensors", context)
    assert model.family.name == "Stable Diffusion 1"
    assert clip.layer is None
    assert vae.latent.downscale == model.latent.downscale


def test_an_autoencoder_alone_and_one_without_a_file(context):
    assert load_vae_file("small.safetensors", context).latent.channels == 4
    assert load_vae_file("pixel_space", context).latent.downscale == (1, 1)


def test_a_missing_file_and_a_foreign_one_are_told_apart(context, settings):
    with pytest.raises(FilesError, match=r"no file 'smal\.safetensors'.*small\.safetensors"):
        load_checkpoint_file("smal.safetensors", context)
    with pytest.raises(FilesError, match="leads out"):
        load_checkpoint_file("../vae/small.safetensors", context)
    foreign = settings.models_directories[0] / "checkpoints" / "foreign.safetensors"
    save_file({"a.lora_up.weight": torch.ones(1)}, foreign)
    with pytest.raises(WeightsError, match=r"foreign\.safetensors: this is a LoRA"):
        load_checkpoint_file("foreign.safetensors", context)


@pytest.mark.parametrize(
    ("node", "kind", "name"),
    [(load_checkpoint_file, "checkpoints", "ckpt_name"), (load_vae_file, "vae", "vae_name")],
)
def test_another_file_of_the_same_name_is_another_result(context, files, node, kind, name):
    given = {name: "small.safetensors"}
    before = node.fingerprint_of(given, context)
    assert node.fingerprint_of(given, context) == before
    path = files.find(kind, "small.safetensors")
    os.utime(path, ns=(1, 1))
    assert node.fingerprint_of(given, context) != before


def test_pixel_space_depends_on_no_file(context):
    assert load_vae_file.fingerprint_of({"vae_name": "pixel_space"}, context) == "pixel_space"


@pytest.fixture
def tiny_files(context, settings, write_tiny):
    """The two halves of a tiny autoencoder; the context of a node."""
    write_tiny(settings.models_directories[0] / "vae_approx")
    return context


def test_a_tiny_autoencoder_is_chosen_by_its_name(tiny_files, cpu_residency):
    vae = load_vae_file("taesd", tiny_files)
    assert vae.kind.name == "tiny autoencoder (TAESD)"
    assert vae.latent.downscale == (8, 8)


def test_either_half_of_a_tiny_autoencoder_is_part_of_the_result(tiny_files, files):
    given = {"vae_name": "taesd"}
    before = load_vae_file.fingerprint_of(given, tiny_files)
    assert load_vae_file.fingerprint_of(given, tiny_files) == before
    os.utime(files.find("vae_approx", "taesd_encoder.safetensors"), ns=(1, 1))
    assert load_vae_file.fingerprint_of(given, tiny_files) != before


def test_half_of_one_among_autoencoders_says_where_it_belongs(tiny_files, files, settings):
    decoder = files.find("vae_approx", "taesd_decoder.safetensors")
    (settings.models_directories[0] / "vae" / "t.safetensors").write_bytes(decoder.read_bytes())
    says = r"t\.safetensors: this is a tiny autoencoder .* put it into vae_approx/"
    with pytest.raises(WeightsError, match=says):
        load_vae_file("t.safetensors", tiny_files)


@pytest.fixture
def split(context, settings, small_tensors):
    """The parts of the small checkpoint in separate files; the context of a node."""
    prefixes = {
        "diffusion_models": "model.diffusion_model.",
        "text_encoders": "cond_stage_model.transformer.",
        "vae": "first_stage_model.",
    }
    for kind, prefix in prefixes.items():
        folder = settings.models_directories[0] / kind
        folder.mkdir(parents=True, exist_ok=True)
        part = {
            name.removeprefix(prefix): tensor
            for name, tensor in small_tensors.items()
            if name.startswith(prefix)
        }
        save_file(part, folder / "part.safetensors")
    return context


def test_parts_in_files_of_their_own_are_the_checkpoint(split):
    whole, clip, _ = load_checkpoint_file("small.safetensors", split)
    # without its text encoder a UNet is recognised by the width of the text; 64 is no family's
    with pytest.raises(WeightsError, match=r"part\.safetensors: "):
        load_diffusion_model(unet_name="part.safetensors", weight_dtype="default", ctx=split)
    encoder = text_loaders.load_one(
        clip_name="part.safetensors", type="stable_diffusion", ctx=split
    )
    assert encoder.parts["clip_l"].config == clip.parts["clip_l"].config
    assert encoder.plan == clip.plan
    autoencoder = load_vae_file("part.safetensors", split)
    assert autoencoder.latent.downscale == whole.latent.downscale


@pytest.mark.parametrize("stored", ["fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"])
def test_matrices_are_kept_in_eight_bits_where_that_is_asked_for(
    split, settings, cpu_residency, stored
):
    checkpoint = settings.models_directories[0] / "checkpoints" / "small.safetensors"
    checkpoint.rename(settings.models_directories[0] / "diffusion_models" / "whole.safetensors")
    plain, rounded = (
        load_diffusion_model(unet_name="whole.safetensors", weight_dtype=dtype, ctx=split)
        for dtype in ("default", stored)
    )
    assert rounded.net.size < 0.6 * plain.net.size
    x, text = torch.ones(1, 4, 8, 8), torch.ones(1, 77, 64)
    outputs = []
    for model in (plain, rounded):
        with cpu_residency.use(model.net), torch.no_grad():
            outputs.append(model.net.module(x, torch.tensor([500.0]), text))
    strays = float((outputs[1] - outputs[0]).norm() / outputs[0].norm())
    assert 1e-3 < strays < 0.3


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (
            lambda ctx: text_loaders.load_one(clip_name="vae.st", type="wan", ctx=ctx),
            r"vae\.st: this is an autoencoder \(VAE\), not a text encoder; load it with Load VAE",
        ),
        (
            lambda ctx: load_vae_file("text.st", ctx),
            r"text\.st: this is a text encoder, not an autoencoder \(VAE\); load it with Load CLIP",
        ),
        (
            lambda ctx: load_diffusion_model(unet_name="text.st", weight_dtype="default", ctx=ctx),
            r"text\.st: this is a text encoder, not a diffusion model; load it with Load CLIP",
        ),
        (
            lambda ctx: text_loaders.load_one(clip_name="all.st", type="wan", ctx=ctx),
            r"all\.st: this is a model of Stable Diffusion 1, not a text encoder alone; load it",
        ),
        (
            lambda ctx: text_loaders.load_one(clip_name="text.st", type="mochi", ctx=ctx),
            r"type mochi: Calotype cannot run .* \(found CLIP L in text\.st\).*stable_diffusion",
        ),
        (
            lambda ctx: text_loaders.load_two(
                clip_name1="text.st", clip_name2="text.st", type="flux", ctx=ctx
            ),
            r"type flux takes CLIP L and T5 XXL for FLUX.1; found CLIP L in text",
        ),
        (
            lambda ctx: text_loaders.load_three(
                clip_name1="text.st", clip_name2="text.st", clip_name3="text.st", ctx=ctx
            ),
            r"type sd3 takes CLIP L, CLIP bigG, T5 XXL or some of them for Stable",
        ),
        (
            lambda ctx: text_loaders.load_two(
                clip_name1="text.st", clip_name2="text.st", type="sdxl", ctx=ctx
            ),
            r"type sdxl takes CLIP L and CLIP bigG for .* XL; found CLIP L in text\.st",
        ),
        (
            lambda ctx: text_loaders.load_one(clip_name="t5.st", type="sd3", ctx=ctx),
            r"t5\.st: this is a text encoder of the T5 kind; Calotype cannot use it",
        ),
    ],
)
def test_a_file_in_the_wrong_loader_says_what_it_is_and_where_it_belongs(
    split, settings, small_tensors, load, says
):
    models = settings.models_directories[0]
    encoder = (models / "text_encoders" / "part.safetensors").read_bytes()
    autoencoder = (models / "vae" / "part.safetensors").read_bytes()
    whole = (models / "checkpoints" / "small.safetensors").read_bytes()
    for kind in ("text_encoders", "vae", "diffusion_models"):
        (models / kind / "text.safetensors").write_bytes(encoder)
        (models / kind / "vae.safetensors").write_bytes(autoencoder)
        (models / kind / "all.safetensors").write_bytes(whole)
    t5 = {"encoder.block.0.layer.0.SelfAttention.k.weight": torch.ones(2, 2)}
    save_file(t5, models / "text_encoders" / "t5.safetensors")
    with pytest.raises(WeightsError, match=says.replace(r"\.st", r"\.safetensors")):
        load(_WithSuffix(split))


class _WithSuffix:
    """A context whose files have short names, so that the cases above fit on a line."""

    def __init__(self, context):
        self.files = self
        self._files = context.files

    def find(self, kind, name):
        return self._files.find(kind, name.replace(".st", ".safetensors"))


def test_another_encoder_of_the_same_name_is_another_result(split, files):
    given = {"clip_name1": "part.safetensors", "clip_name2": "part.safetensors"}
    before = text_loaders.load_two.fingerprint_of(given, split)
    assert text_loaders.load_two.fingerprint_of(given, split) == before
    os.utime(files.find("text_encoders", "part.safetensors"), ns=(1, 1))
    assert text_loaders.load_two.fingerprint_of(given, split) != before
