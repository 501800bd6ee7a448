"""The usual workflows of LTX-Video, HunyuanVideo and HunyuanVideo 1.5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from family_recipes import T5, Graph, Recipe, file_of

HUNYUAN = "Comfy-Org/HunyuanVideo_repackaged/resolve/main/split_files/"
HUNYUAN15 = "Comfy-Org/HunyuanVideo_1.5_repackaged/resolve/main/split_files/"
HUNYUAN15_TEXT = (
    f"{HUNYUAN15}text_encoders/qwen_2.5_vl_7b_fp8_scaled.safetensors",
    f"{HUNYUAN15}text_encoders/byt5_small_glyphxl_fp16.safetensors",
)
SIGCLIP = "Comfy-Org/sigclip_vision_384/resolve/main/sigclip_vision_patch14_384.safetensors"
SIGN = 'a lighthouse on a cliff at dusk, a wooden sign in front of it says "OPEN"'
PROMPT = (
    "a lighthouse on a cliff at dusk, waves roll in and break on the rocks, the camera moves "
    "slowly closer, soft warm light, the scene looks like real life footage"
)
UNWANTED = "low quality, worst quality, deformed, distorted, motion smear, motion artifacts"
LTX_SIZE: Mapping[str, Any] = {"width": 768, "height": 512, "length": 97, "batch_size": 1}
HUNYUAN_SIZE: Mapping[str, Any] = {"width": 848, "height": 480, "length": 73, "batch_size": 1}
HUNYUAN15_SIZE: Mapping[str, Any] = {"width": 1280, "height": 720, "length": 121, "batch_size": 1}
LTX_RATE, HUNYUAN_RATE = 25.0, 24.0


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _ended(recipe: Recipe, rate: float) -> Graph:
    return {
        "video": _node("CreateVideo", images=["decoded", 0], fps=rate),
        "saved": _node(
            "SaveVideo",
            video=["video", 0],
            filename_prefix=f"video/{recipe.name}",
            format="auto",
            codec="auto",
        ),
    }


def _ltx(recipe: Recipe) -> Graph:
    """Text to video."""
    steps, cfg, sampler, _ = recipe.sampling
    return {
        "file": _node("CheckpointLoaderSimple", ckpt_name=file_of(recipe.denoiser)),
        "clip": _node("CLIPLoader", clip_name=file_of(recipe.encoders[0]), type=recipe.type),
        "wanted": _node("CLIPTextEncode", clip=["clip", 0], text=PROMPT),
        "unwanted": _node("CLIPTextEncode", clip=["clip", 0], text=UNWANTED),
        "latent": _node("EmptyLTXVLatentVideo", **LTX_SIZE),
        "told": _node(
            "LTXVConditioning",
            positive=["wanted", 0],
            negative=["unwanted", 0],
            frame_rate=LTX_RATE,
        ),
        "sigmas": _node(
            "LTXVScheduler",
            steps=steps,
            max_shift=2.05,
            base_shift=0.95,
            stretch=True,
            terminal=0.1,
            latent=["latent", 0],
        ),
        "sampler": _node("KSamplerSelect", sampler_name=sampler),
        "sampled": _node(
            "SamplerCustom",
            model=["file", 0],
            add_noise=True,
            noise_seed=1,
            cfg=cfg,
            positive=["told", 0],
            negative=["told", 1],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            latent_image=["latent", 0],
        ),
        "decoded": _node("VAEDecode", samples=["sampled", 0], vae=["file", 2]),
        **_ended(recipe, LTX_RATE),
    }


def _ltx_of_a_picture(recipe: Recipe) -> Graph:
    """A picture to video."""
    graph = dict(_ltx(recipe))
    graph["picture"] = _node("LoadImage", image="example.png")
    graph["prepared"] = _node("LTXVPreprocess", image=["picture", 0], img_compression=35)
    graph["latent"] = _node(
        "LTXVImgToVideo",
        positive=["wanted", 0],
        negative=["unwanted", 0],
        vae=["file", 2],
        image=["prepared", 0],
        strength=1.0,
        **LTX_SIZE,
    )
    graph["told"]["inputs"] |= {"positive": ["latent", 0], "negative": ["latent", 1]}
    graph["sigmas"]["inputs"]["latent"] = ["latent", 2]
    graph["sampled"]["inputs"]["latent_image"] = ["latent", 2]
    return graph


def _hunyuan(recipe: Recipe) -> Graph:
    """Text to video, in tiles of the autoencoder, which needs much memory."""
    steps, _, sampler, scheduler = recipe.sampling
    first, second = (file_of(each) for each in recipe.encoders)
    shift = {"shift": 7.0}
    return {
        "file": _node("UNETLoader", unet_name=file_of(recipe.denoiser), weight_dtype="default"),
        "shifted": _node("ModelSamplingSD3", model=["file", 0], **shift),
        "clip": _node("DualCLIPLoader", clip_name1=first, clip_name2=second, type=recipe.type),
        "vae": _node("VAELoader", vae_name=file_of(recipe.vae)),
        "wanted": _node("CLIPTextEncode", clip=["clip", 0], text=PROMPT),
        "guided": _node("FluxGuidance", conditioning=["wanted", 0], guidance=recipe.guidance),
        "guider": _node("BasicGuider", model=["shifted", 0], conditioning=["guided", 0]),
        "sigmas": _node(
            "BasicScheduler", model=["shifted", 0], scheduler=scheduler, steps=steps, denoise=1.0
        ),
        "noise": _node("RandomNoise", noise_seed=1),
        "sampler": _node("KSamplerSelect", sampler_name=sampler),
        "latent": _node("EmptyHunyuanLatentVideo", **HUNYUAN_SIZE),
        "sampled": _node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["sampler", 0],
            sigmas=["sigmas", 0],
            latent_image=["latent", 0],
        ),
        "decoded": _node(
            "VAEDecodeTiled",
            samples=["sampled", 0],
            vae=["vae", 0],
            tile_size=256,
            overlap=64,
            temporal_size=64,
            temporal_overlap=8,
        ),
        **_ended(recipe, HUNYUAN_RATE),
    }


def _hunyuan15(recipe: Recipe) -> Graph:
    """Text to video with two prompts."""
    graph = dict(_hunyuan(recipe))
    del graph["guided"]
    graph["unwanted"] = _node("CLIPTextEncode", clip=["clip", 0], text="")
    graph["guider"] = _node(
        "CFGGuider",
        model=["shifted", 0],
        positive=["wanted", 0],
        negative=["unwanted", 0],
        cfg=recipe.sampling[1],
    )
    graph["latent"] = _node("EmptyHunyuanVideo15Latent", **HUNYUAN15_SIZE)
    return graph


def _hunyuan15_of_a_picture(recipe: Recipe) -> Graph:
    """A picture to video."""
    graph = dict(_hunyuan15(recipe))
    del graph["latent"]
    graph["picture"] = _node("LoadImage", image="example.png")
    graph["eye"] = _node("CLIPVisionLoader", clip_name=file_of(SIGCLIP))
    graph["seen"] = _node(
        "CLIPVisionEncode", clip_vision=["eye", 0], image=["picture", 0], crop="center"
    )
    graph["given"] = _node(
        "HunyuanVideo15ImageToVideo",
        positive=["wanted", 0],
        negative=["unwanted", 0],
        vae=["vae", 0],
        start_image=["picture", 0],
        clip_vision_output=["seen", 0],
        **HUNYUAN15_SIZE,
    )
    graph["guider"]["inputs"] |= {"positive": ["given", 0], "negative": ["given", 1]}
    graph["sampled"]["inputs"]["latent_image"] = ["given", 2]
    return graph


def _hunyuan_image(recipe: Recipe) -> Graph:
    """A picture of words."""
    steps, cfg, sampler, scheduler = recipe.sampling
    first, second = (file_of(each) for each in recipe.encoders)
    return {
        "file": _node("UNETLoader", unet_name=file_of(recipe.denoiser), weight_dtype="default"),
        "clip": _node("DualCLIPLoader", clip_name1=first, clip_name2=second, type=recipe.type),
        "vae": _node("VAELoader", vae_name=file_of(recipe.vae)),
        "wanted": _node("CLIPTextEncode", clip=["clip", 0], text=SIGN),
        "unwanted": _node("CLIPTextEncode", clip=["clip", 0], text=""),
        "latent": _node("EmptyHunyuanImageLatent", width=2048, height=2048, batch_size=1),
        "sampled": _node(
            "KSampler",
            model=["file", 0],
            positive=["wanted", 0],
            negative=["unwanted", 0],
            latent_image=["latent", 0],
            seed=1,
            steps=steps,
            cfg=cfg,
            sampler_name=sampler,
            scheduler=scheduler,
            denoise=1.0,
        ),
        "decoded": _node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "saved": _node("SaveImage", images=["decoded", 0], filename_prefix=recipe.name),
    }


VIDEOS: tuple[Recipe, ...] = (
    Recipe(
        "hunyuan_video",
        "HunyuanVideo",
        "HunyuanVideo: a video of words",
        f"{HUNYUAN}diffusion_models/hunyuan_video_t2v_720p_bf16.safetensors",
        (
            f"{HUNYUAN}text_encoders/clip_l.safetensors",
            f"{HUNYUAN}text_encoders/llava_llama3_fp8_scaled.safetensors",
        ),
        "hunyuan_video",
        f"{HUNYUAN}vae/hunyuan_video_vae_bf16.safetensors",
        (20, 1.0, "euler", "simple"),
        guidance=6.0,
        graph=_hunyuan,
        notes="73 frames of 848 x 480 at 24 a second; the autoencoder needs "
        '`pip install "calotype[diffusers]"`',
    ),
    *(
        Recipe(
            f"hunyuan_video_15{name}",
            "HunyuanVideo 1.5",
            f"HunyuanVideo 1.5: a video {title}",
            f"{HUNYUAN15}diffusion_models/{file}",
            HUNYUAN15_TEXT,
            "hunyuan_video_15",
            f"{HUNYUAN15}vae/hunyuanvideo15_vae_fp16.safetensors",
            (20, 6.0, "euler", "simple"),
            graph=graph,
            further=further,
            notes="121 frames of 1280 x 720 at 24 a second; what the prompt has in quotation marks "
            "is written in the video; the autoencoder needs "
            '`pip install "calotype[diffusers]"`',
        )
        for name, title, file, graph, further in (
            ("", "of words", "hunyuanvideo1.5_720p_t2v_fp16.safetensors", _hunyuan15, ()),
            (
                "_image_to_video",
                "that begins with a picture",
                "hunyuanvideo1.5_720p_i2v_fp16.safetensors",
                _hunyuan15_of_a_picture,
                (("clip_vision", SIGCLIP),),
            ),
        )
    ),
    Recipe(
        "hunyuan_image_21",
        "HunyuanImage 2.1",
        "HunyuanImage 2.1",
        "tencent/HunyuanImage-2.1/resolve/main/dit/hunyuanimage2.1.safetensors",
        HUNYUAN15_TEXT,
        "hunyuan_image",
        "hunyuanvideo-community/HunyuanImage-2.1-Diffusers/resolve/main/vae/"
        "diffusion_pytorch_model.safetensors",
        (20, 3.5, "euler", "simple"),
        graph=_hunyuan_image,
        notes="2048 x 2048 pixels; what the prompt has in quotation marks is written in the "
        'picture; the autoencoder needs `pip install "calotype[diffusers]"`',
    ),
    Recipe(
        "ltxv_text_to_video",
        "LTX-Video (via diffusers)",
        "LTX-Video 0.9.5: a video of words",
        "Lightricks/LTX-Video/resolve/main/ltx-video-2b-v0.9.5.safetensors",
        (T5,),
        "ltxv",
        "",
        (30, 3.0, "euler", "LTXVScheduler"),
        graph=_ltx,
        notes="97 frames of 768 x 512 at 25 a second",
    ),
    Recipe(
        "ltxv_image_to_video",
        "LTX-Video (via diffusers)",
        "LTX-Video 0.9.5: a video that begins with a picture",
        "Lightricks/LTX-Video/resolve/main/ltx-video-2b-v0.9.5.safetensors",
        (T5,),
        "ltxv",
        "",
        (30, 3.0, "euler", "LTXVScheduler"),
        graph=_ltx_of_a_picture,
        notes="the picture is compressed a little first, as frames of videos are",
    ),
)
