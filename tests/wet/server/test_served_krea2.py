"""Krea 2 through the HTTP API on tiny files: the workflow of its template."""

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from engine.families.krea2.text import LAYERS
from tests.wet import wan_files

BEFORE = "model.layers.0."


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def graph(text="a fox", clip="qwen3vl_4b"):
    return {
        "unet": node("UNETLoader", unet_name="krea2_turbo.safetensors", weight_dtype="default"),
        "clip": node("CLIPLoader", clip_name=f"{clip}.safetensors", type="krea2"),
        "vae": node("VAELoader", vae_name="qwen_image_vae.safetensors"),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text=text),
        "unwanted": node("ConditioningZeroOut", conditioning=["wanted", 0]),
        "latent": node("EmptyLatentImage", width=64, height=48, batch_size=1),
        "sampled": node(
            "KSampler",
            model=["unet", 0],
            positive=["wanted", 0],
            negative=["unwanted", 0],
            latent_image=["latent", 0],
            seed=1,
            steps=2,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="krea2"),
    }


def text_encoder():
    """As many layers as the states that are taken, in the layout of a model that sees."""
    one = wan_files.language_model(biased=False)
    found = {
        name.replace(BEFORE, f"model.layers.{number}."): tensor.clone()
        for name, tensor in one.items()
        for number in (range(max(LAYERS)) if BEFORE in name else (0,))
    }
    return {name.replace("model.", "model.language_model.", 1): t for name, t in found.items()}


@pytest.fixture(scope="module")
def models(small_models):
    """All files of the workflow, and a text encoder of another model."""
    files = {
        "diffusion_models/krea2_turbo": wan_files.krea2(),
        "text_encoders/qwen3vl_4b": text_encoder(),
        "text_encoders/qwen3": wan_files.language_model(biased=False),
        "vae/qwen_image_vae": wan_files.autoencoder(),
    }
    for name, tensors in files.items():
        path = small_models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    return small_models


def test_pictures_of_krea_2(models, server, real):
    prompts = [graph(), graph("a lighthouse"), graph(clip="qwen3")]

    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(prompt)) for prompt in prompts]

    *entries, refused = real.with_browser(server, scenario)
    pictures = []
    for entry in entries:
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    assert pictures[0].shape == (48, 64, 3)
    assert pictures[0].std() > 5
    assert abs(pictures[0] - pictures[1]).max() > 0
    failure = dict(refused["status"]["messages"])["execution_error"]
    assert "type krea2 takes Qwen3-VL 4B" in failure["exception_message"]
    assert "found Qwen3 4B in qwen3.safetensors" in failure["exception_message"]
