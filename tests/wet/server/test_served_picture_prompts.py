"""unCLIP, Stable Zero123 and Stable Video Diffusion through the HTTP API, on tiny random files."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.wet import picture_checkpoints as files


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


CHOICES = {"sampler_name": "euler", "scheduler": "karras", "denoise": 1.0, "seed": 3, "steps": 2}
PICTURE = node("EmptyImage", width=60, height=40, batch_size=1, color=0x3060C0)
SIZE = {"width": 64, "height": 48}


def unclip(strength=1.0, **changes):
    return {
        "picture": PICTURE,
        "file": node("unCLIPCheckpointLoader", ckpt_name="unclip.safetensors"),
        "seen": node(
            "CLIPVisionEncode", clip_vision=["file", 3], image=["picture", 0], crop="center"
        ),
        "text": node("CLIPTextEncode", clip=["file", 1], text="a fox"),
        "wanted": node(
            "unCLIPConditioning",
            conditioning=["text", 0],
            clip_vision_output=["seen", 0],
            strength=strength,
            noise_augmentation=0.1,
        ),
        "latent": node("EmptyLatentImage", width=64, height=48, batch_size=1),
        "sampled": node(
            "KSampler",
            model=["file", 0],
            positive=["wanted", 0],
            negative=["text", 0],
            latent_image=["latent", 0],
            cfg=3.0,
            **CHOICES,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["file", 2]),
        "shown": node("PreviewImage", images=["decoded", 0]),
        **changes,
    }


def alone(conditioning, guidance=None, **changes):
    """A model that takes a picture and no text."""
    model = ["guided", 0] if guidance else ["file", 0]
    return {
        "picture": PICTURE,
        "given": conditioning,
        **({"guided": node(guidance, model=["file", 0], min_cfg=1.0)} if guidance else {}),
        "sampled": node(
            "KSampler",
            model=model,
            positive=["given", 0],
            negative=["given", 1],
            latent_image=["given", 2],
            cfg=2.5,
            **CHOICES,
        ),
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=["file", 2]),
        "shown": node("PreviewImage", images=["decoded", 0]),
        **changes,
    }


TAKEN = {"clip_vision": ["file", 1], "init_image": ["picture", 0], "vae": ["file", 2], **SIZE}


def zero123():
    given = node(
        "StableZero123_Conditioning_Batched",
        **TAKEN,
        batch_size=2,
        elevation=5.0,
        azimuth=30.0,
        elevation_batch_increment=0.0,
        azimuth_batch_increment=60.0,
    )
    return alone(given, file=node("ImageOnlyCheckpointLoader", ckpt_name="zero123.safetensors"))


def video(guidance="VideoLinearCFGGuidance", **changes):
    given = node(
        "SVD_img2vid_Conditioning",
        **TAKEN,
        video_frames=3,
        motion_bucket_id=127,
        fps=6,
        augmentation_level=0.0,
    )
    loader = node("ImageOnlyCheckpointLoader", ckpt_name="video.safetensors")
    return alone(given, guidance, **{"file": loader, **changes})


@pytest.fixture(scope="module")
def picture_models(small_models, small_tensors, random_checkpoints):
    from safetensors.torch import save_file

    for kind in ("unclip", "zero123", "video"):
        tensors = getattr(files, kind)(random_checkpoints)
        save_file(tensors, small_models / "checkpoints" / f"{kind}.safetensors")
    (small_models / "clip_vision").mkdir()
    for name, width in (("eye", files.WIDTH), ("narrow", 32)):
        config = replace(files.EYE, projection=width)
        tensors = files.eye(random_checkpoints, "visual.", config)
        save_file(tensors, small_models / "clip_vision" / f"{name}.safetensors")
    save_file(small_tensors, small_models / "clip_vision" / "other.safetensors")


@pytest.mark.usefixtures("picture_models")
@pytest.mark.parametrize("kind", ["pictures", pytest.param("video", marks=pytest.mark.slow)])
def test_pictures_take_the_place_of_prompts(server, real, kind):
    pictures = {"one": unclip(), "weaker": unclip(0.3), "views": zero123()}
    videos = {"video": video(), "peaked": video("VideoTriangleCFGGuidance")}
    graphs = pictures if kind == "pictures" else videos

    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(prompt)) for prompt in graphs.values()]

    found = {}
    for name, entry in zip(graphs, real.with_browser(server, scenario), strict=True):
        assert entry["status"]["status_str"] == "success", entry["status"]
        pictures = []
        for shown in entry["outputs"]["shown"]["images"]:
            path = server.user / "temp" / shown["subfolder"] / shown["filename"]
            with Image.open(path) as picture:
                pictures.append(np.asarray(picture.convert("RGB")).astype(int))
        found[name] = np.stack(pictures)
    counts = {"one": 1, "weaker": 1, "views": 2, "video": 3, "peaked": 3}
    assert {name: len(pictures) for name, pictures in found.items()} == {
        name: counts[name] for name in graphs
    }
    assert {pictures.shape[1:] for pictures in found.values()} == {(48, 64, 3)}
    one, other, *_ = found.values()
    assert abs(one - other).mean() > 0.1
    several = found["views" if kind == "pictures" else "video"]
    assert abs(several[0] - several[-1]).mean() > 0.1


SEEN = node("CLIPVisionEncode", clip_vision=["eye", 0], image=["picture", 0], crop="none")


def eyed(name, **changes):
    """unCLIP with the image encoder of a separate file."""
    return unclip(seen=SEEN, eye=node("CLIPVisionLoader", clip_name=name), **changes)


FAULTS = {
    "an encoder of another width": (
        eyed("narrow.safetensors"),
        "vector has 32 numbers, the model takes 48",
    ),
    "another file as an image encoder": (
        eyed("other.safetensors"),
        "not a CLIP vision encoder alone",
    ),
    "a video model with a prompt": (
        eyed(
            "eye.safetensors",
            file=node("CheckpointLoaderSimple", ckpt_name="video.safetensors"),
        ),
        "Stable Video Diffusion takes a picture in the place of a prompt",
    ),
    "a plain file where a picture is taken": (
        video(file=node("ImageOnlyCheckpointLoader", ckpt_name="small.safetensors")),
        "small.safetensors, CLIP vision",
    ),
    "frames that do not fit": (
        video(None, picture=node("EmptyImage", width=60, height=40, batch_size=2, color=1)),
        "2 frames, the latent has 3 frames",
    ),
}


@pytest.mark.usefixtures("picture_models")
def test_faults_are_sentences(server, real):
    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(prompt)) for prompt, _ in FAULTS.values()]

    ended = real.with_browser(server, scenario)
    for (fault, (_, sentence)), entry in zip(FAULTS.items(), ended, strict=True):
        assert entry["status"]["status_str"] == "error", fault
        [failed] = [data for kind, data in entry["status"]["messages"] if kind == "execution_error"]
        assert sentence in failed["exception_message"], (fault, failed["exception_message"])
