"""For each family of flow models: which files it takes, from where, and the usual settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Graph = dict[str, dict[str, Any]]
T5 = "comfyanonymous/flux_text_encoders/resolve/main/t5xxl_fp16.safetensors"
CLIP_L = "comfyanonymous/flux_text_encoders/resolve/main/clip_l.safetensors"
FLUX_VAE = "Comfy-Org/z_image_turbo/resolve/main/split_files/vae/ae.safetensors"
FLUX2_VAE = "Comfy-Org/flux2-dev/resolve/main/split_files/vae/flux2-vae.safetensors"
QWEN_VAE = "Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files/vae/qwen_image_vae.safetensors"
QWEN_25 = (
    "Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files/text_encoders/"
    "qwen_2.5_vl_7b_fp8_scaled.safetensors"
)
QWEN_21 = "Comfy-Org/Qwen-Image-2.1/resolve/main"
QWEN_3 = "Comfy-Org/z_image_turbo/resolve/main/split_files/text_encoders/qwen_3_4b.safetensors"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The usual workflow of one model.

    Attributes:
        name: of the workflow's file.
        family: the family's name.
        title: what the workflow does.
        denoiser: where the denoiser, or the whole checkpoint, is published.
        encoders: where the text encoders are; none: in the checkpoint.
        type: the type for the loader of text encoders.
        vae: where the autoencoder is, or `pixel_space`; empty: in the checkpoint.
        latent: the node of the empty latent.
        sampling: steps, cfg, sampler, scheduler.
        shift: the node that sets the shift, and its inputs.
        guidance: for FluxGuidance.
        encode: the node that encodes prompts.
        picture: whether a picture is edited, and how: `kontext`, `flux2`, `qwen` or `qwen plus`.
        size: the side of the picture.
        graph: makes the workflow; None: the usual one of pictures.
        further: (folder, address) of other files.
        notes: what users should know.
    """

    name: str
    family: str
    title: str
    denoiser: str
    encoders: tuple[str, ...]
    type: str
    vae: str
    sampling: tuple[int, float, str, str]
    latent: str = "EmptySD3LatentImage"
    shift: tuple[str, Mapping[str, Any]] | None = None
    guidance: float | None = None
    encode: str = "CLIPTextEncode"
    picture: str = ""
    size: int = 1024
    graph: Callable[[Recipe], Graph] | None = None
    further: tuple[tuple[str, str], ...] = ()
    notes: str = ""

    @property
    def files(self) -> list[tuple[str, str]]:
        """(folder, address) of each file."""
        folder = "diffusion_models" if self.encoders and self.vae else "checkpoints"
        found = [
            (folder, self.denoiser),
            *self.further,
            *(("text_encoders", each) for each in self.encoders),
        ]
        return [*found, ("vae", self.vae)] if "/" in self.vae else found


def file_of(address: str) -> str:
    """The name of a published file."""
    return address.rsplit("/", 1)[-1]


RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "flux_dev",
        "FLUX.1",
        "FLUX.1 dev and Krea dev",
        "Comfy-Org/flux1-dev/resolve/main/flux1-dev.safetensors",
        (CLIP_L, T5),
        "flux",
        FLUX_VAE,
        (20, 1.0, "euler", "simple"),
        guidance=3.5,
        notes="guidance is told to the model, so cfg is 1 and the negative prompt has no effect",
    ),
    Recipe(
        "flux_schnell",
        "FLUX.1",
        "FLUX.1 schnell",
        "Comfy-Org/flux1-schnell/resolve/main/flux1-schnell.safetensors",
        (CLIP_L, T5),
        "flux",
        FLUX_VAE,
        (4, 1.0, "euler", "simple"),
        notes="four steps; it takes no guidance",
    ),
    Recipe(
        "flux_kontext",
        "FLUX.1",
        "FLUX.1 Kontext: edit a picture by words",
        "Comfy-Org/flux1-kontext-dev_ComfyUI/resolve/main/split_files/diffusion_models/"
        "flux1-dev-kontext_fp8_scaled.safetensors",
        (CLIP_L, T5),
        "flux",
        FLUX_VAE,
        (20, 1.0, "euler", "simple"),
        guidance=2.5,
        picture="kontext",
    ),
    Recipe(
        "chroma",
        "Chroma",
        "Chroma1-HD",
        "Comfy-Org/Chroma1-HD_repackaged/resolve/main/split_files/diffusion_models/"
        "Chroma1-HD-fp8mixed.safetensors",
        (T5,),
        "chroma",
        FLUX_VAE,
        (26, 4.0, "euler", "beta"),
    ),
    Recipe(
        "chroma_radiance",
        "Chroma Radiance",
        "Chroma1 Radiance: on pixels, without an autoencoder",
        "lodestones/Chroma1-Radiance/resolve/main/Chroma1-Radiance-v0.3.safetensors",
        (T5,),
        "chroma",
        "pixel_space",
        (30, 3.5, "euler", "beta"),
        latent="EmptyChromaRadianceLatentImage",
        shift=("ModelSamplingAuraFlow", {"shift": 1.0}),
    ),
    Recipe(
        "aura_flow",
        "AuraFlow",
        "AuraFlow and Pony v7",
        "fal/AuraFlow-v0.2/resolve/main/aura_flow_0.2.safetensors",
        (),
        "stable_diffusion",
        "",
        (20, 3.5, "euler", "sgm_uniform"),
        latent="EmptyLatentImage",
    ),
    Recipe(
        "flux2_dev",
        "FLUX.2",
        "FLUX.2 dev",
        "Comfy-Org/flux2-dev/resolve/main/split_files/diffusion_models/"
        "flux2_dev_fp8mixed.safetensors",
        (
            (
                "Comfy-Org/flux2-dev/resolve/main/split_files/text_encoders/"
                "mistral_3_small_flux2_bf16.safetensors"
            ),
        ),
        "flux2",
        FLUX2_VAE,
        (20, 1.0, "euler", "simple"),
        latent="EmptyFlux2LatentImage",
        guidance=4.0,
    ),
    Recipe(
        "flux2_klein",
        "FLUX.2",
        "FLUX.2 klein 4B",
        "Comfy-Org/flux2-klein/resolve/main/split_files/diffusion_models/"
        "flux-2-klein-4b.safetensors",
        (QWEN_3,),
        "flux2",
        FLUX2_VAE,
        (4, 1.0, "euler", "simple"),
        latent="EmptyFlux2LatentImage",
        notes="the 9B takes Qwen3 8B; base models take 20 steps and cfg 5",
    ),
    Recipe(
        "flux2_klein_edit",
        "FLUX.2",
        "FLUX.2 klein: edit a picture by words",
        "Comfy-Org/flux2-klein/resolve/main/split_files/diffusion_models/"
        "flux-2-klein-4b.safetensors",
        (QWEN_3,),
        "flux2",
        FLUX2_VAE,
        (4, 1.0, "euler", "simple"),
        latent="EmptyFlux2LatentImage",
        picture="flux2",
    ),
    Recipe(
        "sd35_large",
        "Stable Diffusion 3",
        "Stable Diffusion 3.5 large",
        "Comfy-Org/stable-diffusion-3.5-fp8/resolve/main/sd3.5_large_fp8_scaled.safetensors",
        (),
        "sd3",
        "",
        (20, 4.0, "euler", "sgm_uniform"),
        notes="encoders and autoencoder are in the file; separate ones: TripleCLIPLoader",
    ),
    Recipe(
        "z_image_turbo",
        "Z-Image",
        "Z-Image Turbo",
        "Comfy-Org/z_image_turbo/resolve/main/split_files/diffusion_models/"
        "z_image_turbo_bf16.safetensors",
        (QWEN_3,),
        "lumina2",
        FLUX_VAE,
        (8, 1.0, "res_multistep", "simple"),
        shift=("ModelSamplingAuraFlow", {"shift": 3.0}),
    ),
    Recipe(
        "lumina2",
        "Lumina 2",
        "Lumina 2 and models trained from it",
        "Comfy-Org/Lumina_Image_2.0_Repackaged/resolve/main/all_in_one/lumina_2.safetensors",
        (),
        "lumina2",
        "",
        (25, 4.0, "res_multistep", "simple"),
        shift=("ModelSamplingAuraFlow", {"shift": 6.0}),
    ),
    Recipe(
        "qwen_image",
        "Qwen-Image",
        "Qwen-Image and Qwen-Image-2512",
        "Comfy-Org/Qwen-Image_ComfyUI/resolve/main/split_files/diffusion_models/"
        "qwen_image_fp8_e4m3fn.safetensors",
        (QWEN_25,),
        "qwen_image",
        QWEN_VAE,
        (20, 2.5, "euler", "simple"),
        shift=("ModelSamplingAuraFlow", {"shift": 3.1}),
        size=1328,
    ),
    Recipe(
        "qwen_image_edit",
        "Qwen-Image",
        "Qwen-Image-Edit 2509 and 2511: edit pictures by words",
        "Comfy-Org/Qwen-Image-Edit_ComfyUI/resolve/main/split_files/diffusion_models/"
        "qwen_image_edit_2509_fp8_e4m3fn.safetensors",
        (QWEN_25,),
        "qwen_image",
        QWEN_VAE,
        (20, 2.5, "euler", "simple"),
        shift=("ModelSamplingAuraFlow", {"shift": 3.0}),
        picture="qwen plus",
    ),
    Recipe(
        "qwen_image21",
        "Qwen-Image 2.1",
        "Qwen-Image 2.1, also with transparency",
        f"{QWEN_21}/diffusion_models/qwen_image_2.1_int8_convrot.safetensors",
        (f"{QWEN_21}/text_encoders/qwen3vl_8b_int8_convrot.safetensors",),
        "qwen_image",
        f"{QWEN_21}/vae/qwen_image_2.1_vae_bf16.safetensors",
        (25, 1.0, "euler", "simple"),
        latent="EmptyLatentImage",
        encode="TextEncodeQwenImage21",
        notes="sides in multiples of 32; it was trained without guidance, so cfg is 1",
    ),
    Recipe(
        "qwen_image21_edit",
        "Qwen-Image 2.1",
        "Qwen-Image 2.1: edit pictures by words",
        f"{QWEN_21}/diffusion_models/qwen_image_2.1_int8_convrot.safetensors",
        (f"{QWEN_21}/text_encoders/qwen3vl_8b_int8_convrot.safetensors",),
        "qwen_image",
        f"{QWEN_21}/vae/qwen_image_2.1_vae_bf16.safetensors",
        (25, 1.0, "euler", "simple"),
        encode="TextEncodeQwenImage21",
        picture="qwen 2.1",
        notes="up to 16 pictures; the latent is the first one's",
    ),
    Recipe(
        "anima",
        "Anima",
        "Anima",
        "circlestone-labs/Anima/resolve/main/split_files/diffusion_models/"
        "anima-base-v1.0.safetensors",
        (
            (
                "circlestone-labs/Anima/resolve/main/split_files/text_encoders/"
                "qwen_3_06b_base.safetensors"
            ),
        ),
        "stable_diffusion",
        QWEN_VAE,
        (30, 4.0, "er_sde", "simple"),
        latent="EmptyLatentImage",
    ),
    Recipe(
        "krea2_turbo",
        "Krea 2",
        "Krea 2 turbo",
        "Comfy-Org/Krea-2/resolve/main/diffusion_models/krea2_turbo_fp8_scaled.safetensors",
        ("Comfy-Org/Krea-2/resolve/main/text_encoders/qwen3vl_4b_fp8_scaled.safetensors",),
        "krea2",
        QWEN_VAE,
        (8, 1.0, "euler", "simple"),
        latent="EmptyLatentImage",
    ),
)
