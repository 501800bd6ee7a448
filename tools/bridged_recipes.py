"""The usual workflows of families whose network is diffusers': FLUX.3 klein, Wan 2.1 and 2.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from family_recipes import FLUX2_VAE, Graph, Recipe, file_of

FLUX3 = "black-forest-labs/flux-3-image-klein-comfy/resolve/main/"
FLUX3_NETWORK = f"{FLUX3}diffusion_models/flux3-image-klein-base-int8-convrot.safetensors"
FLUX3_TEXT = f"{FLUX3}text_encoders/qwen3vl_4b_int8_convrot.safetensors"
WAN21 = "Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files/"
WAN22 = "Comfy-Org/Wan_2.2_ComfyUI_Repackaged/resolve/main/split_files/"
HIDREAM = "Comfy-Org/HiDream-I1_ComfyUI/resolve/main/split_files/"
UMT5 = f"{WAN21}text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors"
WAN_VAE = f"{WAN21}vae/wan_2.1_vae.safetensors"
VIDEO_PROMPT = "a lighthouse on a cliff at dusk, waves roll in, the camera moves slowly closer"
SIZE: Mapping[str, Any] = {"width": 832, "height": 480, "batch_size": 1}


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _network(key: str, address: str, shift: float) -> Graph:
    """A denoiser and its shift, as nodes `key` and `key shifted`."""
    name = file_of(address)
    return {
        key: _node("UNETLoader", unet_name=name, weight_dtype="default"),
        f"{key} shifted": _node("ModelSamplingSD3", model=[key, 0], shift=shift),
    }


def _shared(recipe: Recipe) -> Graph:
    """Loaders, prompts, and a video at the end."""
    clip = _node("CLIPLoader", clip_name=file_of(recipe.encoders[0]), type=recipe.type)
    return {
        "clip": clip,
        "vae": _node("VAELoader", vae_name=file_of(recipe.vae)),
        "wanted": _node("CLIPTextEncode", clip=["clip", 0], text=VIDEO_PROMPT),
        "unwanted": _node("CLIPTextEncode", clip=["clip", 0], text="static, blurred, distorted"),
        "decoded": _node("VAEDecode", samples=["sampled", 0], vae=["vae", 0]),
        "video": _node("CreateVideo", images=["decoded", 0], fps=16.0),
        "saved": _node(
            "SaveVideo",
            video=["video", 0],
            filename_prefix=f"video/{recipe.name}",
            format="auto",
            codec="auto",
        ),
    }


def _of_text(recipe: Recipe) -> Graph:
    """Text to video."""
    steps, cfg, sampler, scheduler = recipe.sampling
    graph = _network("file", recipe.denoiser, 8.0) | _shared(recipe)
    graph["latent"] = _node("EmptyHunyuanLatentVideo", length=33, **SIZE)
    graph["sampled"] = _node(
        "KSampler",
        model=["file shifted", 0],
        positive=["wanted", 0],
        negative=["unwanted", 0],
        latent_image=["latent", 0],
        seed=1,
        steps=steps,
        cfg=cfg,
        sampler_name=sampler,
        scheduler=scheduler,
        denoise=1.0,
    )
    return graph


def _of_picture(recipe: Recipe) -> Graph:
    """A picture to video with two experts: one for much noise, one for the rest."""
    steps, cfg, sampler, scheduler = recipe.sampling
    [(_, low)] = recipe.further
    graph = _network("file", recipe.denoiser, 8.0) | _network("low", low, 8.0) | _shared(recipe)
    graph["picture"] = _node("LoadImage", image="example.png")
    graph["given"] = _node(
        "WanImageToVideo",
        positive=["wanted", 0],
        negative=["unwanted", 0],
        vae=["vae", 0],
        start_image=["picture", 0],
        length=81,
        **SIZE,
    )
    parts = {
        "begun": ("file shifted", ["given", 2], 0, steps // 2),
        "sampled": ("low shifted", ["begun", 0], steps // 2, 10_000),
    }
    for key, (model, latent, first, last) in parts.items():
        begins = key == "begun"
        graph[key] = _node(
            "KSamplerAdvanced",
            model=[model, 0],
            add_noise="enable" if begins else "disable",
            noise_seed=1,
            steps=steps,
            cfg=cfg,
            sampler_name=sampler,
            scheduler=scheduler,
            positive=["given", 0],
            negative=["given", 1],
            latent_image=latent,
            start_at_step=first,
            end_at_step=last,
            return_with_leftover_noise="enable" if begins else "disable",
        )
    return graph


def _of_reference(recipe: Recipe) -> Graph:
    """A video that shows what is in a picture, whose cell at the start is taken away again."""
    graph = _of_text(recipe)
    graph["picture"] = _node("LoadImage", image="example.png")
    graph["given"] = _node(
        "WanVaceToVideo",
        positive=["wanted", 0],
        negative=["unwanted", 0],
        vae=["vae", 0],
        reference_image=["picture", 0],
        length=33,
        strength=1.0,
        **SIZE,
    )
    of_video = {"positive": ["given", 0], "negative": ["given", 1], "latent_image": ["given", 2]}
    graph["sampled"]["inputs"] |= of_video
    del graph["latent"]
    graph["trimmed"] = _node("TrimVideoLatent", samples=["sampled", 0], trim_amount=["given", 3])
    graph["decoded"]["inputs"]["samples"] = ["trimmed", 0]
    return graph


BRIDGED: tuple[Recipe, ...] = (
    Recipe(
        "flux3_klein",
        "FLUX.3 (via diffusers)",
        "FLUX.3 klein base",
        FLUX3_NETWORK,
        (FLUX3_TEXT,),
        "flux3",
        FLUX2_VAE,
        (50, 3.5, "euler", "simple"),
        latent="EmptyFlux2LatentImage",
    ),
    Recipe(
        "flux3_klein_edit",
        "FLUX.3 (via diffusers)",
        "FLUX.3 klein base: edit a picture by words",
        FLUX3_NETWORK,
        (FLUX3_TEXT,),
        "flux3",
        FLUX2_VAE,
        (50, 3.5, "euler", "simple"),
        picture="flux2",
    ),
    Recipe(
        "ernie_image",
        "ERNIE-Image (via diffusers)",
        "ERNIE-Image",
        "Comfy-Org/ERNIE-Image/resolve/main/diffusion_models/ernie-image.safetensors",
        ("Comfy-Org/ERNIE-Image/resolve/main/text_encoders/ministral-3-3b.safetensors",),
        "flux2",
        FLUX2_VAE,
        (20, 4.0, "euler", "simple"),
        latent="EmptyFlux2LatentImage",
    ),
    Recipe(
        "hidream_i1",
        "HiDream-I1 (via diffusers)",
        "HiDream-I1 full",
        f"{HIDREAM}diffusion_models/hidream_i1_full_fp8.safetensors",
        (
            f"{HIDREAM}text_encoders/clip_l_hidream.safetensors",
            f"{HIDREAM}text_encoders/clip_g_hidream.safetensors",
            f"{HIDREAM}text_encoders/t5xxl_fp8_e4m3fn_scaled.safetensors",
            f"{HIDREAM}text_encoders/llama_3.1_8b_instruct_fp8_scaled.safetensors",
        ),
        "hidream",
        f"{HIDREAM}vae/ae.safetensors",
        (50, 5.0, "uni_pc", "simple"),
        shift=("ModelSamplingSD3", {"shift": 3.0}),
        notes="dev: 28 steps, lcm, normal, shift 6, cfg 1; fast: 16 steps, lcm, normal, cfg 1",
    ),
    Recipe(
        "wan21_text_to_video",
        "Wan (via diffusers)",
        "Wan 2.1: a video of words",
        f"{WAN21}diffusion_models/wan2.1_t2v_1.3B_fp16.safetensors",
        (UMT5,),
        "wan",
        WAN_VAE,
        (30, 6.0, "uni_pc", "simple"),
        graph=_of_text,
        notes="33 frames of 832 x 480 at 16 a second",
    ),
    Recipe(
        "wan21_vace",
        "Wan (via diffusers)",
        "Wan VACE: a video of words and of what is in a picture",
        f"{WAN21}diffusion_models/wan2.1_vace_1.3B_fp16.safetensors",
        (UMT5,),
        "wan",
        WAN_VAE,
        (30, 6.0, "uni_pc", "simple"),
        graph=_of_reference,
        notes="33 frames; WanVaceToVideo also takes a video to follow, and masks",
    ),
    Recipe(
        "wan22_image_to_video",
        "Wan (via diffusers)",
        "Wan 2.2: a video that begins with a picture",
        f"{WAN22}diffusion_models/wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors",
        (UMT5,),
        "wan",
        WAN_VAE,
        (20, 3.5, "euler", "simple"),
        graph=_of_picture,
        further=(
            (
                "diffusion_models",
                f"{WAN22}diffusion_models/wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors",
            ),
        ),
        notes="two experts: the first half of the steps with the one for much noise",
    ),
)
