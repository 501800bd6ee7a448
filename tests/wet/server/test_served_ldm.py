"""The latent diffusion models of 2022 through the HTTP API: a class, a text, and faults."""

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def graph(checkpoint, positive, negative, **more):
    """Text or class to image."""
    return {
        "model": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "wanted": positive,
        "unwanted": negative,
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sampled": node(
            "KSampler",
            model=["model", 0],
            positive=["wanted", 0],
            negative=["unwanted", 0],
            latent_image=["latent", 0],
            seed=1,
            steps=3,
            cfg=3.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["model", 2]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="ldm"),
        **more,
    }


def of_class(number):
    return node("ClassConditioning", clip=["model", 1], class_number=number)


def of_text(text):
    return node("CLIPTextEncode", clip=["model", 1], text=text)


@pytest.fixture(scope="module")
def models(small_models, ldm_of_classes, ldm_of_text):
    folder = small_models / "checkpoints"
    save_file(ldm_of_classes, folder / "cin.safetensors")
    save_file(ldm_of_text, folder / "t2i.safetensors")
    return folder


def test_pictures_of_a_class_and_of_a_text(models, server, real):
    prompts = (
        graph("cin.safetensors", of_class(7), of_class(20)),
        graph("cin.safetensors", of_text("7"), of_text("")),
        graph("cin.safetensors", of_class(8), of_class(20)),
        graph("t2i.safetensors", of_text("a (red:1.3) fox"), of_text("")),
        graph("t2i.safetensors", of_text("a cat"), of_text("blurry")),
    )

    async def scenario(browser):
        asked = {"preview_method": "auto"}
        return [
            await browser.ended(await browser.queue(prompt, extra_data=asked)) for prompt in prompts
        ]

    pictures = []
    for entry in real.with_browser(server, scenario):
        assert entry["status"]["status_str"] == "success", entry["status"]
        (shown,) = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    seven, written, eight, fox, cat = pictures
    # The incumbent's empty latent has eight pixels a cell, this autoencoder four.
    assert [picture.shape[:2] for picture in pictures] == [(32, 32)] * 3 + [(64, 64)] * 2
    assert (seven == written).all()
    assert abs(seven - eight).mean() > 0.1
    assert abs(fox - cat).mean() > 0.1


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (
            graph("cin.safetensors", of_class(300), of_class(20)),
            "knows classes by number, not words: found '300', expected a number from 0 to 19",
        ),
        (
            graph("cin.safetensors", of_text("a fox"), of_text("")),
            "knows classes by number, not words: found 'a fox'",
        ),
        (
            graph("t2i.safetensors", of_class(3), of_text("")),
            "takes the CLIP of a class-conditional model (such as cin256-v2); this one has BERT",
        ),
        (
            graph(
                "t2i.safetensors",
                node("CLIPTextEncode", clip=["other", 1], text="a"),
                of_text(""),
                other=node("CheckpointLoaderSimple", ckpt_name="small.safetensors"),
            ),
            "the prompt was encoded for another model",
        ),
    ],
)
def test_faults_are_sentences(models, server, real, prompt, says):
    async def scenario(browser):
        return await browser.ended(await browser.queue(prompt))

    entry = real.with_browser(server, scenario)
    assert entry["status"]["status_str"] == "error"
    kind, data = entry["status"]["messages"][-1]
    assert kind == "execution_error"
    assert says in data["exception_message"]
