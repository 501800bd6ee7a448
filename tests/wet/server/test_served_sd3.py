"""Stable Diffusion 3.5 through the HTTP API: one file, and split files without T5."""

import numpy as np
import pytest
from PIL import Image

from tests.wet import sd3_files


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def graph(*, split=False, empty="EmptySD3LatentImage"):
    """The usual workflow, with guidance by a skipped layer."""
    model, clip, vae = ["file", 0], ["file", 1], ["file", 2]
    loaders = {"file": node("CheckpointLoaderSimple", ckpt_name="sd35.safetensors")}
    if split:
        loaders["alone"] = node(
            "UNETLoader", unet_name="sd35_diffusers.safetensors", weight_dtype="default"
        )
        model = ["alone", 0]
    return {
        **loaders,
        "shifted": node("ModelSamplingSD3", model=model, shift=3.0),
        "skipping": node(
            "SkipLayerGuidanceSD3",
            model=["shifted", 0],
            layers="0",
            scale=2.5,
            start_percent=0.0,
            end_percent=0.8,
        ),
        "wanted": node("CLIPTextEncode", clip=clip, text="a (fox:1.2) in the snow"),
        "unwanted": node("CLIPTextEncode", clip=clip, text="blurry"),
        "latent": node(empty, width=64, height=48, batch_size=1),
        "sampled": node(
            "KSampler",
            model=["skipping", 0],
            positive=["wanted", 0],
            negative=["unwanted", 0],
            latent_image=["latent", 0],
            seed=1,
            steps=2,
            cfg=4.5,
            sampler_name="dpmpp_2m",
            scheduler="sgm_uniform",
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=vae),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="sd3"),
    }


@pytest.fixture(scope="module")
def sd3_models(small_models, random_checkpoints):
    """The whole file, and its denoiser alone."""
    from safetensors.torch import save_file

    tensors = sd3_files.whole(random_checkpoints)
    save_file(tensors, small_models / "checkpoints" / "sd35.safetensors")
    folder = small_models / "diffusion_models"
    folder.mkdir(exist_ok=True)
    alone = sd3_files.in_diffusers_layout(random_checkpoints)
    save_file(alone, folder / "sd35_diffusers.safetensors")
    return small_models


def test_pictures_of_sd3(sd3_models, server, real):
    async def scenario(browser):
        await browser.worker_ready()
        # an empty latent of four channels becomes one of sixteen, as in the incumbent
        graphs = (graph(), graph(split=True), graph(empty="EmptyLatentImage"))
        return [await browser.ended(await browser.queue(prompt)) for prompt in graphs]

    pictures = []
    for entry in real.with_browser(server, scenario):
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    assert [picture.shape[:2] for picture in pictures] == [(48, 64)] * 3
    assert pictures[0].std() > 5
    assert abs(pictures[0] - pictures[1]).max() <= 1
    assert abs(pictures[0] - pictures[2]).max() <= 1
