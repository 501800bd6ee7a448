"""Folders that diffusers and transformers saved, loaded as a whole: their networks are ours."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.compat.install import host_module, install_facade
from engine.diffusion.parameterization import Discrete, Prediction
from engine.errors import FilesError, WeightsError
from engine.nodekit.context import RunningContext
from nodes.loaders import load_diffusion_model
from nodes.pipeline_folders import load_diffusers_folder
from nodes.text import clip_text_encode
from tests.wet.sd3_files import in_diffusers_layout

TOLERANCE = 1e-5
LEVELS = {
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "sample_size": 8,
}
ONE = {
    **LEVELS,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 64,
    "attention_head_dim": 4,
}
XL = {
    **LEVELS,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 128,
    "attention_head_dim": (1, 1),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 64 + 6 * 256,
}


def text_encoder(kind: str, activation: str) -> Any:
    """A small text encoder of transformers."""
    import transformers

    config = transformers.CLIPTextConfig(
        hidden_size=64,
        intermediate_size=128,
        projection_dim=64,
        num_hidden_layers=2,
        num_attention_heads=1,
        hidden_act=activation,
        eos_token_id=49407,
    )
    return getattr(transformers, kind)(config).eval()


def autoencoder() -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    kind: Any = AutoencoderKL
    return kind(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
    ).eval()


def unet(config: Any) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(**config).eval()


class Program:
    """Makes a file when it is unpickled without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def ctx(files, cpu_residency):
    os.environ["HF_HUB_OFFLINE"] = "1"
    return RunningContext("1", files)


@pytest.fixture
def folder(settings):
    """A folder of a pipeline with no more than its index."""
    found = settings.models_directories[0] / "diffusers" / "own" / "tiny"
    found.mkdir(parents=True)
    (found / "model_index.json").write_text("{}")
    return found


def save_one(folder: Path, *, scheduler: Any = None, **options: Any) -> tuple[Any, Any, Any]:
    """Save the parts of Stable Diffusion 1, as small ones."""
    parts = unet(ONE), text_encoder("CLIPTextModel", "quick_gelu"), autoencoder()
    for name, part in zip(("unet", "text_encoder", "vae"), parts, strict=True):
        part.save_pretrained(folder / name, **options)
    if scheduler is not None:
        (folder / "scheduler").mkdir()
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    return parts


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def strays(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@torch.no_grad()
def test_all_parts_compute_what_they_did_there(ctx, folder, cpu_residency):
    theirs, text, vae = save_one(folder)
    assert ctx.files.list("diffusers_folders") == ["own/tiny"]
    model, clip, ours = load_diffusers_folder("own/tiny", ctx)
    assert model.family.name == "Stable Diffusion 1"
    call = noise(1, 4, 16, 16), torch.tensor([500.0]), noise(1, 77, 64)
    with cpu_residency.use(model.net):
        found = model.net.module(*call)
    assert strays(found, theirs(*call).sample) < TOLERANCE
    [[states, extras]] = clip_text_encode("", clip, ctx)
    tokens = torch.full((1, 77), 49407)
    tokens[0, 0] = 49406
    expected = text(tokens)
    assert strays(states, expected.last_hidden_state) < TOLERANCE
    assert strays(extras["pooled_output"], expected.last_hidden_state[:, 1]) < TOLERANCE
    with cpu_residency.use(ours.autoencoder):
        network: Any = ours.autoencoder.module
        decoded = network.decode(noise(1, 4, 8, 8))
    assert strays(decoded, vae.decode(noise(1, 4, 8, 8)).sample) < TOLERANCE


@torch.no_grad()
def test_the_unet_alone_is_a_diffusion_model(ctx, folder, settings, cpu_residency):
    """`unet/diffusion_pytorch_model.safetensors`, as fine-tunes are published."""
    other = unet({**ONE, "cross_attention_dim": 768, "attention_head_dim": 8})
    other.save_pretrained(folder / "unet")
    target = settings.models_directories[0] / "diffusion_models" / "tuned.safetensors"
    target.parent.mkdir()
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(target)
    model = load_diffusion_model(unet_name="tuned.safetensors", weight_dtype="default", ctx=ctx)
    call = noise(1, 4, 16, 16), torch.tensor([500.0]), noise(1, 77, 768)
    with cpu_residency.use(model.net):
        found = model.net.module(*call)
    assert strays(found, other(*call).sample) < TOLERANCE


@torch.no_grad()
def test_one_with_two_text_encoders(ctx, folder, cpu_residency):
    theirs = unet(XL)
    theirs.save_pretrained(folder / "unet")
    text_encoder("CLIPTextModel", "quick_gelu").save_pretrained(folder / "text_encoder")
    second = text_encoder("CLIPTextModelWithProjection", "gelu")
    second.save_pretrained(folder / "text_encoder_2")
    model, clip, vae = load_diffusers_folder("own/tiny", ctx)
    assert model.family.name == "Stable Diffusion XL"
    [[states, extras]] = clip_text_encode("", clip, ctx)
    assert states.shape == (1, 77, 128)
    tokens = torch.zeros(1, 77, dtype=torch.long)
    tokens[0, :2] = torch.tensor([49406, 49407])
    assert strays(extras["pooled_output"], second(tokens).text_embeds) < TOLERANCE
    x, time, context = noise(1, 4, 16, 16), torch.tensor([500.0]), noise(1, 77, 128)
    pooled, sizes = noise(1, 64), torch.full((1, 6), 64.0)
    expected = theirs(
        x, time, context, added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes}
    ).sample
    vector = torch.cat((pooled, theirs.add_time_proj(sizes.flatten()).reshape(1, -1)), 1)
    with cpu_residency.use(model.net):
        assert strays(model.net.module(x, time, context, vector), expected) < TOLERANCE
    with (
        pytest.raises(WeightsError, match=r"autoencoder: .*Load VAE"),
        cpu_residency.use(vae.autoencoder),
    ):
        pass


def test_weights_in_several_files_of_half_precision(ctx, folder, cpu_residency):
    theirs, _, _ = save_one(folder, max_shard_size="200KB", variant="fp16")
    names = sorted(each.name for each in (folder / "unet").glob("*.safetensors"))
    assert len(names) > 2
    assert "fp16" in names[0]
    model, _, _ = load_diffusers_folder("own/tiny", ctx)
    call = noise(1, 4, 16, 16), torch.tensor([500.0]), noise(1, 77, 64)
    with cpu_residency.use(model.net), torch.no_grad():
        assert strays(model.net.module(*call), theirs(*call).sample) < TOLERANCE
    given = {"model_path": "own/tiny"}
    before = load_diffusers_folder.fingerprint_of(given, ctx)
    (folder / "unet" / names[-1]).unlink()
    assert load_diffusers_folder.fingerprint_of(given, ctx) != before
    with pytest.raises(WeightsError, match=rf"{names[-1]}: cannot be read"):
        load_diffusers_folder("own/tiny", ctx)


@pytest.mark.parametrize(
    ("scheduler", "prediction", "zero"),
    [
        ({"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}, Prediction.V, True),
        ({"prediction_type": "epsilon"}, Prediction.EPS, False),
        ({}, Prediction.EPS, False),
    ],
)
def test_the_scheduler_says_what_the_network_predicts(ctx, folder, scheduler, prediction, zero):
    save_one(folder, scheduler=scheduler)
    model, _, _ = load_diffusers_folder("own/tiny", ctx)
    levels = model.parameterization
    assert isinstance(levels, Discrete)
    assert levels.prediction is prediction
    assert (float(levels.sigma_max) > 1000) is zero


def test_a_pickled_part_is_read_as_tensors_only(ctx, folder):
    save_one(folder)
    safe = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(safe)
    safe.unlink()
    pickled = folder / "unet" / "diffusion_pytorch_model.bin"
    torch.save(tensors, pickled)
    assert load_diffusers_folder("own/tiny", ctx)[0].family.name == "Stable Diffusion 1"
    torch.save({**tensors, "x": Program(folder / "ran")}, pickled)
    with pytest.raises(WeightsError, match=r"diffusion_pytorch_model\.bin"):
        load_diffusers_folder("own/tiny", ctx)
    assert not (folder / "ran").exists()


def test_plugins_load_a_folder_by_its_path(ctx, folder):
    save_one(folder)
    install_facade()
    load = host_module("comfy.diffusers_load").load_diffusers
    model, clip, vae = load(str(folder), output_vae=True, output_clip=True)
    assert vae.decode(noise(1, 4, 8, 8)).shape == (1, 64, 64, 3)
    assert clip.encode_from_tokens(clip.tokenize("a")).shape == (1, 77, 64)
    assert model.model.latent_format.scale_factor == pytest.approx(0.18215)
    assert load(str(folder), output_vae=False, output_clip=False)[1:] == (None, None)


def test_folders_that_hold_no_pipeline(ctx, folder):
    with pytest.raises(WeightsError, match=r"tiny: expected the weights .* in unet/ or transf"):
        load_diffusers_folder("own/tiny", ctx)
    with pytest.raises(FilesError, match="there is no file 'other'"):
        load_diffusers_folder("other", ctx)
    with pytest.raises(FilesError, match="leads out"):
        load_diffusers_folder("../checkpoints", ctx)
    (folder / "unet").mkdir()
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    for text, said in (
        ("{", "cannot be read"),
        ('{"weight_map": 3}', "has no weight_map"),
        ('{"weight_map": {"a": "../../secret.safetensors"}}', "expected one beside it"),
    ):
        index.write_text(text)
        with pytest.raises(WeightsError, match=said):
            load_diffusers_folder("own/tiny", ctx)


def test_a_transformer_with_its_text_encoders(ctx, folder, random_checkpoints):
    tensors = in_diffusers_layout(random_checkpoints)
    (folder / "transformer").mkdir()
    save_file(tensors, folder / "transformer" / "diffusion_pytorch_model.safetensors")
    model, clip, _ = load_diffusers_folder("own/tiny", ctx)
    assert model.family.name == "Stable Diffusion 3"
    with pytest.raises(WeightsError, match=r"tiny, text encoder CLIP L.*Load CLIP|take CLIP"):
        clip_text_encode("", clip, ctx)
    text_encoder("CLIPTextModel", "quick_gelu").save_pretrained(folder / "text_encoder")
    _, clip, _ = load_diffusers_folder("own/tiny", ctx)
    assert list(clip.parts) == ["clip_l"]
    text_encoder("CLIPTextModel", "quick_gelu").save_pretrained(folder / "text_encoder_2")
    with pytest.raises(WeightsError, match=r"tiny: Stable Diffusion 3 takes .*; found CLIP L, "):
        load_diffusers_folder("own/tiny", ctx)
