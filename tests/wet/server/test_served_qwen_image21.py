"""Qwen-Image 2.1 through the HTTP API on tiny files: the workflows of its templates."""

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from tests.wet import wan_files


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def loaded(**prompt):
    return {
        "unet": node("UNETLoader", unet_name="qwen_image_2.1.safetensors", weight_dtype="default"),
        "clip": node(
            "CLIPLoader", clip_name="qwen3vl_8b.safetensors", type="qwen_image", device="default"
        ),
        "vae": node("VAELoader", vae_name="qwen_image_2.1_vae.safetensors"),
        "encoded": node(
            "TextEncodeQwenImage21",
            clip=["clip", 0],
            **{"negative_prompt": "", "resolution": 64, "vae": ["vae", 0]} | prompt,
        ),
    }


def sampled(model, latent):
    return {
        "sampled": node(
            "KSampler",
            model=[model, 0],
            positive=["encoded", 0],
            negative=["encoded", 1],
            latent_image=latent,
            seed=1,
            steps=2,
            cfg=2.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="qwen21"),
    }


def from_text():
    """The empty latent is that of older models: 96 x 64 pixels in their cells."""
    return {
        **loaded(prompt="a fox"),
        "latent": node("EmptyLatentImage", width=96, height=64, batch_size=1),
        **sampled("unet", ["latent", 0]),
    }


def edited(device="auto", dtype="default", **more):
    """Two pictures; the latent is the first one's."""
    return {
        **loaded(prompt="make it night", **{"images.image_1": ["one", 0], **more}),
        "one": node("EmptyImage", width=150, height=100, batch_size=1, color=0x3060C0),
        "two": node("EmptyImage", width=64, height=64, batch_size=1, color=0xC06030),
        "cache": node("QwenImage21Cache", model=["unet", 0], device=device, dtype=dtype),
        **sampled("cache", ["encoded", 2]),
    }


TWO = {"images.image_2": ["two", 0]}
GRAPHS = {
    "text": from_text(),
    "one picture": edited(),
    "two pictures": edited(**TWO),
    "without cache": edited("off", **TWO),
    "int8": edited("cpu", "int8", **TWO),
    "int4": edited("cpu", "int4", **TWO),
}


@pytest.fixture(scope="module")
def models(small_models):
    """All files of the workflows."""
    files = {
        "diffusion_models/qwen_image_2.1": wan_files.qwen_image21(),
        "text_encoders/qwen3vl_8b": wan_files.seeing_language_model(),
        "vae/qwen_image_2.1_vae": wan_files.residual_autoencoder(),
        "vae/qwen_image_vae": wan_files.autoencoder(),
    }
    for name, tensors in files.items():
        path = small_models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    return small_models


def test_pictures_of_qwen_image_21(models, server, real):
    wrong = edited()
    wrong["vae"]["inputs"]["vae_name"] = "qwen_image_vae.safetensors"

    async def scenario(browser):
        await browser.worker_ready()
        queued = [*GRAPHS.values(), wrong]
        return [await browser.ended(await browser.queue(prompt)) for prompt in queued]

    *entries, refused = real.with_browser(server, scenario)
    pictures = {}
    for name, entry in zip(GRAPHS, entries, strict=True):
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            assert picture.mode == "RGBA"
            pictures[name] = np.asarray(picture).astype(int)
    assert pictures["text"].shape == (64, 96, 4)
    # About 64 x 64 pixels in the first picture's proportions, sides in multiples of 32.
    assert pictures["one picture"].shape == (64, 64, 4)
    assert pictures["text"].std() > 5
    whole = pictures["two pictures"]
    assert abs(whole - pictures["one picture"]).max() > 2
    # Rounding of other shapes of tensors, at the steps behind the first.
    assert abs(whole - pictures["without cache"]).max() <= 2
    assert 0 < abs(whole - pictures["int8"]).mean() < 2
    assert abs(whole - pictures["int8"]).mean() < abs(whole - pictures["int4"]).mean() < 10
    failure = dict(refused["status"]["messages"])["execution_error"]
    assert "latents of 16 channels, Qwen-Image 2.1 takes 64" in failure["exception_message"]
