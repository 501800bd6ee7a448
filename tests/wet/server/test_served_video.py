"""LTX-Video, HunyuanVideo (1 and 1.5), through the HTTP API: of text, of a picture, with guides."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.wet import video_files

VIDEO = {"width": 64, "height": 64, "length": 9, "batch_size": 1}
PICTURE = {"width": 48, "height": 64, "batch_size": 1, "color": 0x3060C0}


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


def ended(vae):
    return {
        "decoded": node("VAEDecode", samples=["sampled", 0], vae=vae),
        "saved": node("SaveImage", images=["decoded", 0], filename_prefix="video"),
    }


def ltx(**more):
    """LTX-Video of one file, as its templates have it."""
    return {
        "file": node("CheckpointLoaderSimple", ckpt_name="ltx.safetensors"),
        "clip": node("CLIPLoader", clip_name="t5.safetensors", type="ltxv"),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the snow"),
        "unwanted": node("CLIPTextEncode", clip=["clip", 0], text="blurry"),
        "latent": node("EmptyLTXVLatentVideo", **VIDEO),
        "told": told(["wanted", 0], ["unwanted", 0]),
        "sigmas": scheduler(["latent", 0]),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "sampled": sampled(["told", 0], ["told", 1], ["latent", 0]),
        **ended(["file", 2]),
        **more,
    }


def told(positive, negative):
    return node("LTXVConditioning", positive=positive, negative=negative, frame_rate=24.0)


def scheduler(latent):
    shifts = {"max_shift": 2.05, "base_shift": 0.95}
    return node("LTXVScheduler", steps=2, **shifts, stretch=True, terminal=0.1, latent=latent)


def sampled(positive, negative, latent, model=("file", 0)):
    return node(
        "SamplerCustom",
        model=list(model),
        add_noise=True,
        noise_seed=1,
        cfg=3.0,
        positive=positive,
        negative=negative,
        sampler=["sampler", 0],
        sigmas=["sigmas", 0],
        latent_image=latent,
    )


def ltx_of_a_picture():
    return ltx(
        picture=node("EmptyImage", **PICTURE),
        prepared=node("LTXVPreprocess", image=["picture", 0], img_compression=35),
        latent=node(
            "LTXVImgToVideo",
            positive=["wanted", 0],
            negative=["unwanted", 0],
            vae=["file", 2],
            image=["prepared", 0],
            strength=0.9,
            **VIDEO,
        ),
        told=told(["latent", 0], ["latent", 1]),
        sigmas=scheduler(["latent", 2]),
        sampled=sampled(["told", 0], ["told", 1], ["latent", 2]),
    )


def ltx_with_guides():
    """A picture at the beginning and one at the end, and tiles of the autoencoder."""

    def guide(positive, negative, latent, frame):
        return node(
            "LTXVAddGuide",
            positive=positive,
            negative=negative,
            vae=["file", 2],
            latent=latent,
            image=["picture", 0],
            frame_idx=frame,
            strength=1.0,
        )

    tiles = {"tile_size": 64, "overlap": 0, "temporal_size": 8, "temporal_overlap": 4}
    return ltx(
        picture=node("EmptyImage", **PICTURE),
        first=guide(["told", 0], ["told", 1], ["latent", 0], 0),
        last=guide(["first", 0], ["first", 1], ["first", 2], -1),
        sampled=sampled(["last", 0], ["last", 1], ["last", 2]),
        cropped=node(
            "LTXVCropGuides", positive=["last", 0], negative=["last", 1], latent=["sampled", 0]
        ),
        decoded=node("VAEDecodeTiled", samples=["cropped", 2], vae=["file", 2], **tiles),
    )


def ltx_with_a_lora():
    lora = {"lora_name": "ltx_lora.safetensors", "strength_model": 1.0}
    return ltx(
        changed=node("LoraLoaderModelOnly", model=["file", 0], **lora),
        shifted=node("ModelSamplingLTXV", model=["changed", 0], max_shift=2.05, base_shift=0.95),
        sampled=sampled(["told", 0], ["told", 1], ["latent", 0], ("shifted", 0)),
    )


def hunyuan(**more):
    """HunyuanVideo, as its template has it."""
    clips = {"clip_name1": "clip_l.safetensors", "clip_name2": "llama.safetensors"}
    return {
        "file": node("UNETLoader", unet_name="hunyuan.safetensors", weight_dtype="default"),
        "shifted": node("ModelSamplingSD3", model=["file", 0], shift=7.0),
        "clip": node("DualCLIPLoader", **clips, type="hunyuan_video"),
        "vae": node("VAELoader", vae_name="hunyuan_vae.safetensors"),
        "wanted": node("CLIPTextEncode", clip=["clip", 0], text="a fox in the (snow:1.2)"),
        "guided": node("FluxGuidance", conditioning=["wanted", 0], guidance=6.0),
        "guider": node("BasicGuider", model=["shifted", 0], conditioning=["guided", 0]),
        "sigmas": node(
            "BasicScheduler", model=["file", 0], scheduler="simple", steps=2, denoise=1.0
        ),
        "noise": node("RandomNoise", noise_seed=1),
        "sampler": node("KSamplerSelect", sampler_name="euler"),
        "latent": node("EmptyHunyuanLatentVideo", **VIDEO),
        "sampled": drawn(["latent", 0]),
        **ended(["vae", 0]),
        **more,
    }


def drawn(latent):
    return node(
        "SamplerCustomAdvanced",
        noise=["noise", 0],
        guider=["guider", 0],
        sampler=["sampler", 0],
        sigmas=["sigmas", 0],
        latent_image=latent,
    )


def hunyuan_of_a_picture():
    return hunyuan(
        picture=node("EmptyImage", **PICTURE),
        latent=node(
            "HunyuanImageToVideo",
            positive=["wanted", 0],
            vae=["vae", 0],
            start_image=["picture", 0],
            guidance_type="v2 (replace)",
            **VIDEO,
        ),
        guided=node("FluxGuidance", conditioning=["latent", 0], guidance=6.0),
        sampled=drawn(["latent", 1]),
    )


def hunyuan15(**more):
    """HunyuanVideo 1.5, as its templates have it."""
    clips = {"clip_name1": "qwen25.safetensors", "clip_name2": "byt5.safetensors"}
    return hunyuan(
        file=node("UNETLoader", unet_name="hunyuan15.safetensors", weight_dtype="default"),
        clip=node("DualCLIPLoader", **clips, type="hunyuan_video_15"),
        vae=node("VAELoader", vae_name="hunyuan15_vae.safetensors"),
        wanted=node("CLIPTextEncode", clip=["clip", 0], text='a fox, and a sign "SNOW"'),
        unwanted=node("CLIPTextEncode", clip=["clip", 0], text=""),
        guider=guided(["wanted", 0], ["unwanted", 0]),
        latent=node("EmptyHunyuanVideo15Latent", **VIDEO),
        **more,
    )


def guided(positive, negative):
    return node("CFGGuider", model=["shifted", 0], positive=positive, negative=negative, cfg=3.0)


def hunyuan15_of_a_picture():
    graph = hunyuan15(
        picture=node("EmptyImage", **PICTURE),
        eye=node("CLIPVisionLoader", clip_name="siglip.safetensors"),
        seen=node("CLIPVisionEncode", clip_vision=["eye", 0], image=["picture", 0], crop="center"),
        given=node(
            "HunyuanVideo15ImageToVideo",
            positive=["wanted", 0],
            negative=["unwanted", 0],
            vae=["vae", 0],
            start_image=["picture", 0],
            clip_vision_output=["seen", 0],
            **VIDEO,
        ),
    )
    return graph | {"guider": guided(["given", 0], ["given", 1]), "sampled": drawn(["given", 2])}


GRAPHS = {
    "LTX-Video": ltx,
    "LTX-Video of a picture": ltx_of_a_picture,
    "LTX-Video with guides": ltx_with_guides,
    "LTX-Video with a LoRA": ltx_with_a_lora,
    "HunyuanVideo": hunyuan,
    "HunyuanVideo of a picture": hunyuan_of_a_picture,
    "HunyuanVideo-1.5": hunyuan15,
    "HunyuanVideo-1.5 of a picture": hunyuan15_of_a_picture,
}


@pytest.fixture(scope="module")
def models(small_models):
    files = dict(video_files.files())
    generator = torch.Generator().manual_seed(8)
    name = "diffusion_model.transformer_blocks.0.attn1.to_q"
    files["loras/ltx_lora"] = {
        f"{name}.lora_A.weight": torch.randn(4, 64, generator=generator),
        f"{name}.lora_B.weight": torch.randn(64, 4, generator=generator),
    }
    for key, tensors in files.items():
        path = small_models / f"{key}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    whole = small_models / "checkpoints" / "ltx.safetensors"
    save_file(video_files.ltx_checkpoint(), whole, metadata=video_files.SINCE_095)
    folder = small_models / "tokenizers" / "llama3_8b"
    folder.mkdir(parents=True)
    video_files.tokenizer().save(str(folder / "tokenizer.json"))
    return small_models


def hunyuan_image():
    """HunyuanImage 2.1, distilled: told the guidance and the next time."""
    return hunyuan15() | {
        "file": node("UNETLoader", unet_name="hunyuan_image.safetensors", weight_dtype="default"),
        "clip": node(
            "DualCLIPLoader",
            clip_name1="qwen25.safetensors",
            clip_name2="byt5.safetensors",
            type="hunyuan_image",
        ),
        "vae": node("VAELoader", vae_name="hunyuan_image_vae.safetensors"),
        "latent": node("EmptyHunyuanImageLatent", width=64, height=96, batch_size=1),
    }


def test_videos(models, server, real):
    wrong = hunyuan()
    wrong["clip"]["inputs"]["clip_name2"] = "t5.safetensors"
    late = ltx_with_guides()
    late["last"]["inputs"]["frame_idx"] = 40
    graphs = [*(make() for make in GRAPHS.values()), wrong, late, hunyuan_image()]

    async def scenario(browser):
        await browser.worker_ready()
        return [await browser.ended(await browser.queue(each)) for each in graphs]

    *entries, unfit, outside, still = real.with_browser(server, scenario)
    found = {}
    for name, entry in zip(GRAPHS, entries, strict=True):
        assert entry["status"]["status_str"] == "success", (name, str(entry["status"])[-900:])
        frames = []
        for each in entry["outputs"]["saved"]["images"]:
            with Image.open(server.user / "output" / each["filename"]) as picture:
                frames.append(np.asarray(picture.convert("RGB")).astype(int))
        found[name] = np.stack(frames)
        assert found[name].shape == (9, 64, 64, 3), name
        assert found[name].std() > 2, name
    for family in ("LTX-Video", "HunyuanVideo", "HunyuanVideo-1.5"):
        others = [frames for name, frames in found.items() if name.startswith(f"{family} ")]
        assert all(abs(frames - found[family]).max() > 0 for frames in others)
    assert still["status"]["status_str"] == "success", str(still["status"])[-900:]
    [shown] = still["outputs"]["saved"]["images"]
    with Image.open(server.user / "output" / shown["filename"]) as image:
        assert image.size == (64, 96)
        assert np.asarray(image).std() > 2
    assert "type hunyuan_video takes CLIP L and Llama 3 8B" in str(unfit["status"])
    assert "is longer than the video of 9 frames" in str(outside["status"])
