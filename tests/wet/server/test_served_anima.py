"""Anima through the HTTP API on tiny files."""

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from tests.wet import wan_files


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def graph(text):
    """The usual workflow in split files."""
    return {
        "unet": node("UNETLoader", unet_name="anima.safetensors", weight_dtype="default"),
        "clip": node("CLIPLoader", clip_name="qwen3_06b.safetensors", type="stable_diffusion"),
        "vae": node("VAELoader", vae_name="anima_vae.safetensors"),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text=text),
        "unwanted": node("CLIPTextEncode", clip=["clip", 0], text="a"),
        "latent": node("EmptyLatentImage", width=64, height=48, batch_size=1),
        "sampled": node(
            "KSampler",
            model=["unet", 0],
            positive=["wanted", 0],
            negative=["unwanted", 0],
            latent_image=["latent", 0],
            seed=1,
            steps=2,
            cfg=4.0,
            sampler_name="er_sde",
            scheduler="simple",
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="anima"),
    }


@pytest.fixture(scope="module")
def anima_models(small_models):
    files = {
        "diffusion_models/anima": wan_files.anima(),
        "text_encoders/qwen3_06b": wan_files.language_model(1024, 12_000, biased=False),
        "vae/anima_vae": wan_files.autoencoder(),
    }
    for name, tensors in files.items():
        path = small_models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    return small_models


def test_pictures_of_anima(anima_models, server, real):
    texts = ("a red cat", "a (red:1.4) cat", "a house")

    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(graph(text))) for text in texts]

    pictures = []
    for entry in real.with_browser(server, scenario):
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 3
    assert pictures[0].std() > 5
    # A weight, and other words, change the picture.
    assert abs(pictures[0] - pictures[1]).max() > 0
    assert abs(pictures[0] - pictures[2]).max() > 0
