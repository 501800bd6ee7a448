"""Qwen-Image through the HTTP API on tiny files: pictures, references, layers, LoRAs."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.wet import wan_files


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def graph(latent, *, unet="qwen_image", positive=("wanted", 0), steps=2, **more):
    """The usual workflow in split files."""
    return {
        "unet": node("UNETLoader", unet_name=f"{unet}.safetensors", weight_dtype="default"),
        "clip": node("CLIPLoader", clip_name="qwen25.safetensors", type="qwen_image"),
        "vae": node("VAELoader", vae_name="qwen_image_vae.safetensors"),
        "lora": node(
            "LoraLoaderModelOnly", model=["unet", 0], lora_name="qwen.safetensors", strength_model=0
        ),
        "shifted": node("ModelSamplingAuraFlow", model=["lora", 0], shift=3.1),
        "normed": node("CFGNorm", model=["shifted", 0], strength=1.0),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text="a (fox:1.2) in the snow"),
        "unwanted": node("CLIPTextEncode", clip=["clip", 0], text=""),
        "latent": latent,
        "sampled": node(
            "KSampler",
            model=["normed", 0],
            positive=list(positive),
            negative=["unwanted", 0],
            latent_image=["latent", 0],
            seed=1,
            steps=steps,
            cfg=2.5,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="qwen"),
        **more,
    }


EMPTY = node("EmptySD3LatentImage", width=64, height=48, batch_size=1)
PICTURE = node("EmptyImage", width=48, height=64, batch_size=1, color=0x3060C0)
ENCODED = {
    "picture": PICTURE,
    "encoded": node("VAEEncode", pixels=["picture", 0], vae=["vae", 0]),
}


def with_lora():
    prompt = graph(EMPTY, latents=node("SaveLatent", samples=["sampled", 0], filename_prefix="q"))
    prompt["lora"]["inputs"]["strength_model"] = 1.0
    return prompt


def edited(latent=EMPTY, **more):
    """The picture is a reference, once for the prompt and again beside it, as in Edit 2509."""
    first = node("ReferenceLatent", conditioning=["wanted", 0], latent=["encoded", 0])
    second = node("ReferenceLatent", conditioning=["first", 0], latent=["encoded", 0])
    return graph(
        latent, positive=("second", 0), first=first, second=second, steps=1, **ENCODED, **more
    )


def layered():
    """Three layers and the whole, each decoded alone."""
    latent = node("EmptyQwenImageLayeredLatentImage", width=64, height=48, layers=3, batch_size=1)
    prompt = edited(latent)
    prompt["unet"]["inputs"]["unet_name"] = "qwen_layered.safetensors"
    prompt["cut"] = node("LatentCutToBatch", samples=["sampled", 0], dim="t", slice_size=1)
    prompt["decoded"]["inputs"]["samples"] = ["cut", 0]
    return prompt


def tiled():
    prompt = graph(EMPTY, steps=1)
    prompt["decoded"] = node(
        "VAEDecodeTiled",
        samples=["sampled", 0],
        vae=["vae", 0],
        tile_size=64,
        overlap=16,
        temporal_size=64,
        temporal_overlap=8,
    )
    return prompt


GRAPHS = {
    "plain": lambda: graph(EMPTY),
    "lora": with_lora,
    "edited": edited,
    "layered": layered,
    "tiled": tiled,
}


@pytest.fixture(scope="module")
def qwen_models(small_models):
    """All files of the workflows."""
    files = {
        "diffusion_models/qwen_image": wan_files.denoiser(),
        "diffusion_models/qwen_layered": wan_files.denoiser(layered=True),
        "text_encoders/qwen25": wan_files.language_model(),
        "vae/qwen_image_vae": wan_files.autoencoder(),
        "loras/qwen": {
            "transformer_blocks.0.attn.to_q.lora_A.weight": torch.ones(2, 64),
            "transformer_blocks.0.attn.to_q.lora_B.weight": torch.ones(64, 2),
        },
    }
    for name, tensors in files.items():
        path = small_models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    return small_models


def test_pictures_of_qwen_image(qwen_models, server, real):
    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(make())) for make in GRAPHS.values()]

    pictures = {}
    entries = dict(zip(GRAPHS, real.with_browser(server, scenario), strict=True))
    for name, entry in entries.items():
        assert entry["status"]["status_str"] == "success", entry["status"]
        shown = entry["outputs"]["saved"]["images"]
        found = []
        for each in shown:
            with Image.open(server.user / "output" / each["filename"]) as picture:
                found.append(np.asarray(picture.convert("RGB")).astype(int))
        pictures[name] = np.stack(found)
    assert pictures["plain"].shape == (1, 48, 64, 3)
    assert pictures["layered"].shape == (4, 48, 64, 3)
    assert pictures["plain"].std() > 5
    assert abs(pictures["plain"] - pictures["lora"]).max() > 0
    assert abs(pictures["plain"] - pictures["edited"]).max() > 0
    # A picture's latent has an axis of frames in its file, whatever the empty one had.
    [latent] = entries["lora"]["outputs"]["latents"]["latents"]
    saved = load_file(server.user / "output" / latent["filename"])["latent_tensor"]
    assert saved.shape == (1, 16, 1, 6, 8)
