"""SD2, inpainting, editing and the x4 upscaler through the HTTP API, on tiny files."""

import dataclasses

import numpy as np
import pytest
from PIL import Image


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


PROMPTS = {"positive": ["wanted", 0], "negative": ["unwanted", 0]}


def graph(checkpoint, prepared=None, **more):
    """A prompt; `prepared` is a node that gives both conditionings and the latent."""
    sources = {
        "positive": ["wanted", 0],
        "negative": ["unwanted", 0],
        "latent_image": ["latent", 0],
    }
    if prepared:
        sources = dict(zip(sources, (["prepared", slot] for slot in range(3)), strict=True))
        more["prepared"] = prepared
    return {
        "model": node("CheckpointLoaderSimple", ckpt_name=f"{checkpoint}.safetensors"),
        "wanted": node("CLIPTextEncode", clip=["model", 1], text="a fox"),
        "unwanted": node("CLIPTextEncode", clip=["model", 1], text="blurry"),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sampled": node(
            "KSampler",
            model=["model", 0],
            seed=1,
            steps=1,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            **sources,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["model", 2]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="made"),
        **more,
    }


def picture(side=64, colour=0x3060C0):
    return {"picture": node("EmptyImage", width=side, height=side, batch_size=1, color=colour)}


HOLE = {
    "black": node("SolidMask", value=0.0, width=64, height=64),
    "white": node("SolidMask", value=1.0, width=32, height=32),
    "hole": node(
        "MaskComposite",
        destination=["black", 0],
        source=["white", 0],
        x=16,
        y=16,
        operation="add",
    ),
}


def inpainted(colour):
    prepared = node(
        "InpaintModelConditioning",
        **PROMPTS,
        vae=["model", 2],
        pixels=["picture", 0],
        mask=["hole", 0],
        noise_mask=True,
    )
    return graph("inpaint", prepared, **HOLE, **picture(colour=colour))


def inpainted_from_latent():
    encoded = node(
        "VAEEncodeForInpaint",
        pixels=["picture", 0],
        vae=["model", 2],
        mask=["hole", 0],
        grow_mask_by=6,
    )
    return graph("inpaint", **{**HOLE, **picture(), "latent": encoded})


def edited(colour):
    prepared = node(
        "InstructPixToPixConditioning", **PROMPTS, vae=["model", 2], pixels=["picture", 0]
    )
    return graph("edit", prepared, **picture(colour=colour))


def enlarged():
    prepared = node(
        "SD_4XUpscale_Conditioning",
        **PROMPTS,
        images=["picture", 0],
        scale_ratio=4.0,
        noise_augmentation=0.1,
    )
    return graph("x4", prepared, **picture(24))


@pytest.fixture(scope="module")
def checkpoints(small_models, random_checkpoints):
    """Tiny checkpoints of every kind beside the plain one."""
    import torch
    from safetensors.torch import save_file

    sizes = random_checkpoints
    for name, size in (
        ("two", sizes.SMALL_2),
        ("edit", dataclasses.replace(sizes.SMALL_2, in_channels=8)),
        ("inpaint", dataclasses.replace(sizes.SMALL, in_channels=9)),
        ("x4", sizes.SMALL_X4),
    ):
        tensors = sizes.tensors(size, torch.float16)
        save_file(tensors, small_models / "checkpoints" / f"{name}.safetensors")


def results(server, real, graphs):
    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(prompt)) for prompt in graphs]

    return real.with_browser(server, scenario)


@pytest.mark.usefixtures("checkpoints")
def test_pictures_of_models_that_take_a_picture(server, real):
    graphs = {
        "two": graph("two"),
        "plain": graph("inpaint"),
        "blue": inpainted(0x3060C0),
        "red": inpainted(0xC03020),
        "latent": inpainted_from_latent(),
        "edited blue": edited(0x3060C0),
        "edited red": edited(0xC03020),
        "unedited": graph("edit"),
        "large": enlarged(),
    }
    pictures = {}
    ended = results(server, real, graphs.values())
    for name, entry in zip(graphs, ended, strict=True):
        assert entry["status"]["status_str"] == "success", (name, entry["status"])
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as made:
            pictures[name] = np.asarray(made.convert("RGB")).astype(int)
    for name, made in pictures.items():
        assert made.shape[:2] == ((96, 96) if name == "large" else (64, 64)), name
        assert made.std() > 5, name
    for one, other in (
        ("plain", "blue"),
        ("blue", "red"),
        ("blue", "latent"),
        ("edited blue", "edited red"),
        ("edited blue", "unedited"),
    ):
        assert abs(pictures[one] - pictures[other]).mean() > 0.5, (one, other)


@pytest.mark.usefixtures("checkpoints")
def test_a_prompt_of_another_model_is_a_sentence(server, real):
    foreign = graph("x4")
    foreign["other"] = node("CheckpointLoaderSimple", ckpt_name="small.safetensors")
    foreign["wanted"]["inputs"]["clip"] = ["other", 1]
    [entry] = results(server, real, [foreign])
    assert entry["status"]["status_str"] == "error"
    said = str(entry["status"]["messages"])
    assert "tokens have 64 numbers, the model takes 128" in said
    assert "Take CLIP from an SD2 checkpoint" in said
