"""SDXL through the HTTP API: text to image, image to image, a refiner, and an upscaler."""

import numpy as np
import pytest
from PIL import Image


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


SIZES = {"width": 64, "height": 64, "crop_w": 0, "crop_h": 0}
SIZES |= {"target_width": 64, "target_height": 64}
CHOICES = {"sampler_name": "euler", "scheduler": "normal", "cfg": 4.0}


def graph(latent, sampler):
    """Prompts for the base, and the decoding of a latent."""
    return {
        "base": node("CheckpointLoaderSimple", ckpt_name="xl.safetensors"),
        "wanted": node(
            "CLIPTextEncodeSDXL", clip=["base", 1], text_g="a fox", text_l="a fox", **SIZES
        ),
        "unwanted": node("CLIPTextEncode", clip=["base", 1], text="blurry"),
        "latent": latent,
        "sampled": sampler,
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["base", 2]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="xl"),
    }


def sampled(**more):
    return node(
        "KSampler",
        model=["base", 0],
        positive=["wanted", 0],
        negative=["unwanted", 0],
        latent_image=["latent", 0],
        seed=1,
        steps=2,
        **CHOICES,
        **more,
    )


EMPTY = node("EmptyLatentImage", width=64, height=64, batch_size=1)


def text_to_image():
    return graph(EMPTY, sampled(denoise=1.0))


def image_to_image():
    drawn = node("EmptyImage", width=64, height=64, batch_size=1, color=0x3060C0)
    encoded = node("VAEEncode", pixels=["drawn", 0], vae=["base", 2])
    return {**graph(encoded, sampled(denoise=0.5)), "drawn": drawn}


def advanced(model, positive, negative, latent, *, begins):
    """The first half of four steps, or the second one."""
    return node(
        "KSamplerAdvanced",
        model=model,
        positive=positive,
        negative=negative,
        latent_image=latent,
        add_noise="enable" if begins else "disable",
        noise_seed=1,
        steps=4,
        start_at_step=0 if begins else 2,
        end_at_step=2 if begins else 10000,
        return_with_leftover_noise="enable" if begins else "disable",
        **CHOICES,
    )


def refined():
    first = advanced(["base", 0], ["wanted", 0], ["unwanted", 0], ["latent", 0], begins=True)
    second = advanced(["refiner", 0], ["fine", 0], ["coarse", 0], ["half", 0], begins=False)
    size = {"width": 64, "height": 64}
    return {
        **graph(EMPTY, second),
        "half": first,
        "refiner": node("CheckpointLoaderSimple", ckpt_name="refiner.safetensors"),
        "fine": node(
            "CLIPTextEncodeSDXLRefiner", clip=["refiner", 1], text="a fox", ascore=6.0, **size
        ),
        "coarse": node(
            "CLIPTextEncodeSDXLRefiner", clip=["refiner", 1], text="blurry", ascore=2.5, **size
        ),
    }


def upscaled():
    """Text to image, enlarged by the bundled model, which is searched beside the user's folder."""
    enlarged = node("ImageUpscaleWithModel", upscale_model=["large", 0], image=["decoded", 0])
    prompt = {**text_to_image(), "enlarged": enlarged}
    prompt["large"] = node("UpscaleModelLoader", model_name="calotype-demo-x4.safetensors")
    prompt["saved"] = node("SaveImage", images=["enlarged", 0], filename_prefix="xl")
    return prompt


@pytest.fixture(scope="module")
def xl_models(small_models, random_checkpoints):
    """The folder of models with a tiny SDXL and its refiner beside the other checkpoint."""
    import torch
    from safetensors.torch import save_file

    folder = small_models / "checkpoints"
    for name, sizes in (
        ("xl", random_checkpoints.SMALL_XL),
        ("refiner", random_checkpoints.SMALL_REFINER),
    ):
        tensors = random_checkpoints.tensors(sizes, torch.float16)
        save_file(tensors, folder / f"{name}.safetensors")
    return folder


def test_pictures_of_sdxl_and_of_its_refiner(xl_models, server, real):
    async def scenario(browser):
        await browser.worker_ready()
        graphs = (text_to_image(), image_to_image(), refined(), upscaled())
        return [await browser.ended(await browser.queue(prompt)) for prompt in graphs]

    pictures = []
    for entry in real.with_browser(server, scenario):
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    assert [picture.shape[:2] for picture in pictures] == [(64, 64)] * 3 + [(256, 256)]
    plain, enlarged = pictures[0], pictures[-1]
    small = enlarged.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert abs(small - plain).mean() < 0.5 * plain.std()
    for picture in pictures:
        assert picture.std() > 5
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(pictures[one] - pictures[other]).mean() > 1
