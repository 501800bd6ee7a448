"""Z-Image through the HTTP API: the usual workflow, a LoRA, a control network, inpainting."""

import itertools

import numpy as np
import pytest
from PIL import Image

from tests.wet import zimage_files


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def graph(*, strength=None):
    model = ["file", 0]
    lora = {}
    if strength is not None:
        lora["lora"] = node(
            "LoraLoaderModelOnly",
            model=model,
            lora_name="z_image.safetensors",
            strength_model=strength,
        )
        model = ["lora", 0]
    return {
        **lora,
        "file": node("UNETLoader", unet_name="z_image.safetensors", weight_dtype="default"),
        "clip": node("CLIPLoader", clip_name="qwen_3_4b.safetensors", type="lumina2"),
        "vae": node("VAELoader", vae_name="ae.safetensors"),
        "shifted": node("ModelSamplingAuraFlow", model=model, shift=3.0),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the snow"),
        "unwanted": node("ConditioningZeroOut", conditioning=["wanted", 0]),
        "latent": node("EmptySD3LatentImage", width=64, height=48, batch_size=1),
        "sampled": node(
            "KSampler",
            model=["shifted", 0],
            positive=["wanted", 0],
            negative=["unwanted", 0],
            latent_image=["latent", 0],
            seed=1,
            steps=2,
            cfg=1.0,
            sampler_name="res_multistep",
            scheduler="simple",
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="z-image"),
    }


def controlled(*, paints=False):
    """Guided by a picture as the common workflow does; or painting into it where a mask is."""
    common = {"model": ["shifted", 0], "model_patch": ["patch", 0], "vae": ["vae", 0]}
    made = graph()
    made["sampled"]["inputs"]["model"] = ["control", 0]
    made["patch"] = node("ModelPatchLoader", name="union.safetensors")
    made["drawn"] = node("EmptyImage", width=64, height=48, batch_size=1, color=0x3060C0)
    made["control"] = node(
        "QwenImageDiffsynthControlnet", image=["drawn", 0], strength=1.0, **common
    )
    if paints:
        made["hole"] = node("SolidMask", value=1.0, width=64, height=48)
        made["control"] = node(
            "ZImageFunControlnet",
            inpaint_image=["drawn", 0],
            mask=["hole", 0],
            strength=0.5,
            **common,
        )
    return made


@pytest.fixture(scope="module")
def z_models(small_models, random_checkpoints):
    from safetensors.torch import save_file

    for path, tensors in zimage_files.parts(random_checkpoints).items():
        (small_models / path).parent.mkdir(exist_ok=True)
        save_file(tensors, small_models / path)
    return small_models


def test_pictures_of_z_image(z_models, server, real):
    async def scenario(browser):
        await browser.worker_ready()
        graphs = [graph(), graph(strength=0.0), graph(strength=1.0)]
        graphs += [controlled(), controlled(paints=True)]
        return [await browser.ended(await browser.queue(prompt)) for prompt in graphs]

    pictures = []
    for entry in real.with_browser(server, scenario):
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    plain, unchanged, *changed = pictures
    assert plain.shape[:2] == (48, 64)
    assert plain.std() > 5
    assert abs(plain - unchanged).max() == 0
    for one, other in itertools.combinations([plain, *changed], 2):
        assert abs(one - other).mean() > 1
