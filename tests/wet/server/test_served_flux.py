"""FLUX.1, its tools and Kontext, Chroma, Radiance and FLUX.2 through the HTTP API."""

import numpy as np
import pytest
from PIL import Image

from tests.wet import flux_models

SIZE = {"width": 64, "height": 48, "batch_size": 1}
SCALED = {"width": 64, "height": 48, "upscale_method": "nearest-exact", "crop": "disabled"}


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def file(name):
    return node("UNETLoader", unet_name=f"{name}.safetensors", weight_dtype="default")


def ended(vae):
    return {
        "vae": node("VAELoader", vae_name=f"{vae}.safetensors"),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="flux"),
    }


def sampled(positive, negative, latent, cfg=1.0):
    return node(
        "KSampler",
        model=["file", 0],
        positive=positive,
        negative=negative,
        latent_image=latent,
        seed=1,
        steps=2,
        cfg=cfg,
        sampler_name="euler",
        scheduler="simple",
        denoise=1.0,
    )


def flux(model="flux", *, latent=("latent", 0), **more):
    """The usual workflow; `more` replaces nodes."""
    clips = {"clip_name1": "t5.safetensors", "clip_name2": "clip_l.safetensors"}
    return {
        **ended("ae"),
        "file": file(model),
        "clip": node("DualCLIPLoader", type="flux", **clips),
        "text": node("CLIPTextEncode", clip=["clip", 0], text="a (fox:1.2) in the snow"),
        "wanted": node("FluxGuidance", conditioning=["text", 0], guidance=3.5),
        "unwanted": node("ConditioningZeroOut", conditioning=["text", 0]),
        "latent": node("EmptySD3LatentImage", **SIZE),
        "sampled": sampled(["wanted", 0], ["unwanted", 0], list(latent)),
        **more,
    }


def drawn(vae=("vae", 0)):
    """A picture, and its latent."""
    return {
        "drawn": node("EmptyImage", width=64, height=48, batch_size=1, color=0x3060C0),
        "encoded": node("VAEEncode", pixels=["drawn", 0], vae=list(vae)),
    }


def kontext():
    prepared = {
        **drawn(),
        "seen": node("ReferenceLatent", conditioning=["text", 0], latent=["encoded", 0]),
        "how": node(
            "FluxKontextMultiReferenceLatentMethod",
            conditioning=["seen", 0],
            reference_latents_method="index",
        ),
        "wanted": node("FluxGuidance", conditioning=["how", 0], guidance=2.5),
    }
    return flux(**prepared)


def tool(model, class_type, **more):
    """A model that takes a picture beside the latent."""
    prepared = node(
        class_type,
        positive=["wanted", 0],
        negative=["unwanted", 0],
        vae=["vae", 0],
        pixels=["drawn", 0],
        **more,
    )
    return flux(
        model,
        drawn=drawn()["drawn"],
        mask=node("SolidMask", value=1.0, width=64, height=48),
        prepared=prepared,
        sampled=sampled(["prepared", 0], ["prepared", 1], ["prepared", 2]),
    )


def chroma():
    return {
        **ended("ae"),
        "file": file("chroma"),
        "clip": node("CLIPLoader", clip_name="t5.safetensors", type="chroma"),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the snow"),
        "unwanted": node("CLIPTextEncode", clip=["clip", 0], text=""),
        "latent": node("EmptySD3LatentImage", **SIZE),
        "sampled": sampled(["wanted", 0], ["unwanted", 0], ["latent", 0], cfg=3.0),
    }


def radiance():
    """Chroma on pixels: the latent is the picture."""
    return chroma() | {
        "vae": node("VAELoader", vae_name="pixel_space"),
        "model": file("radiance"),
        "file": node(
            "ChromaRadianceOptions",
            model=["model", 0],
            preserve_wrapper=True,
            start_sigma=1.0,
            end_sigma=0.0,
            nerf_tile_size=4,
        ),
        "latent": node("EmptyChromaRadianceLatentImage", **SIZE),
    }


def klein():
    """FLUX.2 with a reference picture, by the nodes of custom sampling."""
    return {
        **ended("flux2"),
        **drawn(),
        "file": file("klein"),
        "clip": node("CLIPLoader", clip_name="qwen.safetensors", type="flux2"),
        "text": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the snow"),
        "seen": node("ReferenceLatent", conditioning=["text", 0], latent=["encoded", 0]),
        "unwanted": node("ConditioningZeroOut", conditioning=["seen", 0]),
        "guider": node(
            "CFGGuider", model=["file", 0], positive=["seen", 0], negative=["unwanted", 0], cfg=1.0
        ),
        "sigmas": node("Flux2Scheduler", steps=2, width=64, height=48),
        "noise": node("RandomNoise", noise_seed=1),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "latent": node("EmptyFlux2LatentImage", **SIZE),
        "sampled": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            latent_image=["latent", 0],
        ),
    }


def plain_klein():
    """FLUX.2 klein by the usual sampler, without a reference."""
    return {
        **ended("flux2"),
        "file": file("klein"),
        "clip": node("CLIPLoader", clip_name="qwen.safetensors", type="flux2"),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the snow"),
        "unwanted": node("ConditioningZeroOut", conditioning=["wanted", 0]),
        "latent": node("EmptyFlux2LatentImage", **SIZE),
        "sampled": sampled(["wanted", 0], ["unwanted", 0], ["latent", 0]),
    }


def flux2_dev():
    return plain_klein() | {
        "file": file("flux2_dev"),
        "clip": node("CLIPLoader", clip_name="mistral.safetensors", type="flux2"),
        "text": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the snow"),
        "wanted": node("FluxGuidance", conditioning=["text", 0], guidance=4.0),
    }


@pytest.fixture(scope="module")
def models(small_models, random_checkpoints):
    from safetensors.torch import save_file

    for name, tensors in flux_models.files(random_checkpoints).items():
        path = small_models / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    return small_models


def test_pictures_of_the_flux_line(models, server, real):
    graphs = (
        flux(),
        kontext(),
        tool("fill", "InpaintModelConditioning", mask=["mask", 0], noise_mask=True),
        tool("canny", "InstructPixToPixConditioning"),
        chroma(),
        klein(),
        radiance(),
        flux("schnell", wanted=node("CLIPTextEncode", clip=["clip", 0], text="a fox")),
        plain_klein(),
        flux2_dev(),
    )
    # Files of other models: a sentence says so before anything is sampled.
    wrong = {**chroma(), "clip": node("CLIPLoader", clip_name="t5.safetensors", type="flux2")}
    other = flux("klein")
    unfitting = flux(vae=node("VAELoader", vae_name="flux2.safetensors"))

    async def scenario(browser):
        await browser.worker_ready()
        return [
            await browser.ended(await browser.queue(prompt))
            for prompt in (*graphs, wrong, other, unfitting)
        ]

    *entries, refused, unfit, undecoded = real.with_browser(server, scenario)
    pictures = []
    for entry in entries:
        assert entry["status"]["status_str"] == "success", entry["status"]
        [shown] = entry["outputs"]["saved"]["images"]
        with Image.open(server.user / "output" / shown["filename"]) as picture:
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    assert [picture.shape[:2] for picture in pictures] == [(48, 64)] * len(graphs)
    assert min(picture.std() for picture in pictures) > 2
    assert abs(pictures[0] - pictures[1]).mean() > 0.1
    assert "type flux2 takes Mistral Small 3.2 24B" in str(refused["status"])
    assert "flux2.safetensors, autoencoder decodes latents of 128 channels" in str(
        undecoded["status"]
    )
    assert "as FLUX.1 or Chroma or Z-Image or Lumina 2 or " in str(undecoded["status"])
    assert "Load CLIP, type flux2, takes Mistral Small 3.2 for dev" in str(unfit["status"])
