# pyright: basic
"""The configurations of models by family (`comfy.supported_models`), and their base.

Those of families that this engine runs are made from its own; the others are names with constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch

from engine.compat.models import latent_formats
from engine.compat.models.model_kinds import ModelType


class ClipTarget:
    """The tokenizer and the text encoder of a family."""

    def __init__(self, tokenizer: Any, clip: Any) -> None:
        self.clip = clip
        self.tokenizer = tokenizer
        self.params: dict[str, Any] = {}


class BASE:
    """The configuration of one model.

    Attributes:
        unet_config: its sizes, by the names of the original code; of a class, those that
            identify it.
        latent_format: of its latents.
        sampling_settings: of its noise levels.
    """

    unet_config: dict[str, Any] = {}
    unet_extra_config: dict[str, Any] = {"num_heads": -1, "num_head_channels": 64}
    required_keys: dict[str, Any] = {}
    clip_prefix: Sequence[str] = ()
    clip_vision_prefix: str | None = None
    noise_aug_config: Any = None
    sampling_settings: dict[str, Any] = {}
    latent_format: Any = latent_formats.LatentFormat
    vae_key_prefix: Sequence[str] = ("first_stage_model.",)
    text_encoder_key_prefix: Sequence[str] = ("cond_stage_model.",)
    supported_inference_dtypes: Sequence[torch.dtype] = (
        torch.float16,
        torch.bfloat16,
        torch.float32,
    )
    memory_usage_factor: float = 2.0
    manual_cast_dtype: torch.dtype | None = None
    custom_operations: Any = None
    quant_config: Any = None
    scaled_fp8: Any = None
    optimizations: dict[str, Any] = {"fp8": False}

    def __init__(self, unet_config: Any) -> None:
        self.unet_config = dict(unet_config)
        self.sampling_settings = dict(self.sampling_settings)
        if isinstance(self.latent_format, type):
            self.latent_format = self.latent_format()
        self.optimizations = dict(self.optimizations)
        for name, value in self.unet_extra_config.items():
            self.unet_config.setdefault(name, value)

    @classmethod
    def matches(cls, unet_config: dict[str, Any], state_dict: Any = None) -> bool:
        """Whether sizes are those that identify this class."""
        return bool(cls.unet_config) and all(
            name in unet_config and unet_config[name] == value
            for name, value in cls.unet_config.items()
        )

    def model_type(self, state_dict: Any, prefix: str = "") -> Any:
        """What the network predicts: the noise."""
        return ModelType.EPS

    def inpaint_model(self) -> bool:
        """Whether it takes a mask and a picture with a hole."""
        return self.unet_config.get("in_channels", 4) > 4

    def get_model(self, state_dict: Any, prefix: str = "", device: Any = None) -> Any:
        """A model of this configuration, without weights."""
        # As plugins see the class, which itself refers to this module.
        made = import_module("comfy.model_base").BaseModel
        return made(self, model_type=self.model_type(state_dict, prefix), device=device)

    def set_inference_dtype(self, dtype: Any, manual_cast_dtype: Any = None) -> None:
        """Set the dtype that it is computed in."""
        self.unet_config["dtype"] = dtype
        self.manual_cast_dtype = manual_cast_dtype

    def set_manual_cast(self, manual_cast_dtype: Any) -> None:
        """Set the dtype that weights are cast to."""
        self.manual_cast_dtype = manual_cast_dtype

    def clip_target(self, state_dict: Any = None) -> ClipTarget | None:
        """The text encoders; the engine knows them itself."""
        return None

    def __getattr__(self, name: str) -> Any:
        # The original code answers None for settings that a family does not have.
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class SD15(BASE):
    """Stable Diffusion 1."""

    unet_config = {
        "context_dim": 768,
        "model_channels": 320,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
        "use_temporal_attention": False,
    }
    unet_extra_config = {"num_heads": 8, "num_head_channels": -1}
    latent_format = latent_formats.SD15
    memory_usage_factor = 1.0


class SD20(BASE):
    """Stable Diffusion 2."""

    unet_config = {
        "context_dim": 1024,
        "model_channels": 320,
        "use_linear_in_transformer": True,
        "adm_in_channels": None,
        "use_temporal_attention": False,
    }
    unet_extra_config = {"num_heads": -1, "num_head_channels": 64, "attn_precision": torch.float32}
    latent_format = latent_formats.SD15
    memory_usage_factor = 1.0


class SD21UnclipL(SD20):
    """Stable Diffusion 2.1 unCLIP with ViT L."""

    unet_config = {**SD20.unet_config, "adm_in_channels": 1536}


class SD21UnclipH(SD20):
    """Stable Diffusion 2.1 unCLIP with ViT H."""

    unet_config = {**SD20.unet_config, "adm_in_channels": 2048}


class SDXLRefiner(BASE):
    """The refiner of Stable Diffusion XL."""

    unet_config = {
        "model_channels": 384,
        "use_linear_in_transformer": True,
        "context_dim": 1280,
        "adm_in_channels": 2560,
        "transformer_depth": [0, 0, 4, 4, 4, 4, 0, 0],
        "use_temporal_attention": False,
    }
    latent_format = latent_formats.SDXL
    memory_usage_factor = 1.0


class SDXL(BASE):
    """Stable Diffusion XL."""

    unet_config = {
        "model_channels": 320,
        "use_linear_in_transformer": True,
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "context_dim": 2048,
        "adm_in_channels": 2816,
        "use_temporal_attention": False,
    }
    latent_format = latent_formats.SDXL
    memory_usage_factor = 0.8


class SSD1B(SDXL):
    """SSD-1B."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 0, 2, 2, 4, 4]}


class Segmind_Vega(SDXL):
    """Segmind Vega."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 0, 1, 1, 2, 2]}


class KOALA_700M(SDXL):
    """KOALA 700M."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 2, 5]}


class KOALA_1B(SDXL):
    """KOALA 1B."""

    unet_config = {**SDXL.unet_config, "transformer_depth": [0, 2, 6]}


class SVD_img2vid(BASE):
    """Stable Video Diffusion."""

    unet_config = {
        "model_channels": 320,
        "in_channels": 8,
        "use_linear_in_transformer": True,
        "context_dim": 1024,
        "adm_in_channels": 768,
        "use_temporal_attention": True,
    }
    latent_format = latent_formats.SD15
    sampling_settings = {"sigma_max": 700.0, "sigma_min": 0.002}


class SV3D_u(SVD_img2vid):
    """SV3D u."""

    unet_config = {**SVD_img2vid.unet_config, "adm_in_channels": 256}


class SV3D_p(SV3D_u):
    """SV3D p."""

    unet_config = {**SVD_img2vid.unet_config, "adm_in_channels": 1280}


class Stable_Zero123(BASE):
    """Stable Zero123."""

    unet_config = {
        "context_dim": 768,
        "model_channels": 320,
        "use_linear_in_transformer": False,
        "adm_in_channels": None,
        "use_temporal_attention": False,
        "in_channels": 8,
    }
    unet_extra_config = {"num_heads": 8, "num_head_channels": -1}
    latent_format = latent_formats.SD15


class SD_X4Upscaler(SD20):
    """The x4 upscaler."""

    unet_config = {
        "context_dim": 1024,
        "model_channels": 256,
        "in_channels": 7,
        "use_linear_in_transformer": True,
        "adm_in_channels": None,
        "use_temporal_attention": False,
    }
    latent_format = latent_formats.SD_X4
    sampling_settings = {"linear_start": 0.0001, "linear_end": 0.02}


class SD15_instructpix2pix(SD15):
    """InstructPix2Pix."""

    unet_config = {**SD15.unet_config, "in_channels": 8}


class SDXL_instructpix2pix(SDXL):
    """InstructPix2Pix of SDXL."""

    unet_config = {**SDXL.unet_config, "in_channels": 8}


def _later(
    name: str, image_model: str, latent: type, base: type[BASE] = BASE, **settings: Any
) -> type[BASE]:
    """The class of a family that this engine does not run."""
    body = {
        "__doc__": f"{name}; not run by this engine.",
        "__module__": __name__,
        "unet_config": {"image_model": image_model},
        "unet_extra_config": {},
        "latent_format": latent,
        "sampling_settings": settings,
    }
    return type(name, (base,), body)


SD3 = _later("SD3", "sd3", latent_formats.SD3, shift=3.0)
StableAudio = _later("StableAudio", "dit1.0", latent_formats.StableAudio1)
AuraFlow = _later("AuraFlow", "auraflow", latent_formats.SDXL, shift=1.73, multiplier=1.0)
PixArtAlpha = _later("PixArtAlpha", "pixart_alpha", latent_formats.SD15)
PixArtSigma = _later("PixArtSigma", "pixart_sigma", latent_formats.SDXL)
HunyuanDiT = _later("HunyuanDiT", "hydit", latent_formats.SDXL)
HunyuanDiT1 = _later("HunyuanDiT1", "hydit1", latent_formats.SDXL, HunyuanDiT)
Flux = _later("Flux", "flux", latent_formats.Flux, shift=1.15)
FluxInpaint = _later("FluxInpaint", "flux", latent_formats.Flux, Flux, shift=1.15)
FluxSchnell = _later("FluxSchnell", "flux", latent_formats.Flux, Flux, multiplier=1.0, shift=1.0)
Flux2 = _later("Flux2", "flux2", latent_formats.Flux2, Flux, shift=2.02)
GenmoMochi = _later("GenmoMochi", "mochi_preview", latent_formats.Mochi, multiplier=1.0, shift=6.0)
LTXV = _later("LTXV", "ltxv", latent_formats.LTXV, shift=2.37)
LTXAV = _later("LTXAV", "ltxav", latent_formats.LTXAV, LTXV, shift=2.37)
HunyuanVideo = _later("HunyuanVideo", "hunyuan_video", latent_formats.HunyuanVideo, shift=7.0)
HunyuanVideoI2V = _later(
    "HunyuanVideoI2V", "hunyuan_video", latent_formats.HunyuanVideo, HunyuanVideo, shift=7.0
)
HunyuanVideoSkyreelsI2V = _later(
    "HunyuanVideoSkyreelsI2V", "hunyuan_video", latent_formats.HunyuanVideo, HunyuanVideo, shift=7.0
)
HunyuanVideo15 = _later(
    "HunyuanVideo15", "hunyuan_video", latent_formats.HunyuanVideo15, HunyuanVideo, shift=7.0
)
HunyuanImage21 = _later(
    "HunyuanImage21", "hunyuan_video", latent_formats.HunyuanImage21, HunyuanVideo, shift=5.0
)
CosmosT2V = _later("CosmosT2V", "cosmos", latent_formats.Cosmos1CV8x8x8)
CosmosI2V = _later("CosmosI2V", "cosmos", latent_formats.Cosmos1CV8x8x8, CosmosT2V)
CosmosT2IPredict2 = _later("CosmosT2IPredict2", "cosmos_predict2", latent_formats.Wan21)
CosmosI2VPredict2 = _later(
    "CosmosI2VPredict2", "cosmos_predict2", latent_formats.Wan21, CosmosT2IPredict2
)
Anima = _later("Anima", "anima", latent_formats.Wan21)
Lumina2 = _later("Lumina2", "lumina2", latent_formats.Flux, multiplier=1.0, shift=6.0)
ZImage = _later("ZImage", "lumina2", latent_formats.Flux, Lumina2, multiplier=1.0, shift=3.0)
WAN21_T2V = _later("WAN21_T2V", "wan2.1", latent_formats.Wan21, shift=8.0)
WAN21_I2V = _later("WAN21_I2V", "wan2.1", latent_formats.Wan21, WAN21_T2V, shift=8.0)
WAN21_FunControl2V = _later(
    "WAN21_FunControl2V", "wan2.1", latent_formats.Wan21, WAN21_T2V, shift=8.0
)
WAN21_Vace = _later("WAN21_Vace", "wan2.1", latent_formats.Wan21, WAN21_T2V, shift=8.0)
WAN21_Camera = _later("WAN21_Camera", "wan2.1", latent_formats.Wan21, WAN21_T2V, shift=8.0)
WAN22_T2V = _later("WAN22_T2V", "wan2.1", latent_formats.Wan22, WAN21_T2V, shift=8.0)
WAN22_S2V = _later("WAN22_S2V", "wan2.1", latent_formats.Wan21, WAN21_T2V, shift=8.0)
Hunyuan3Dv2 = _later("Hunyuan3Dv2", "hunyuan3d2", latent_formats.Hunyuan3Dv2)
HiDream = _later("HiDream", "hidream", latent_formats.Flux, shift=3.0)
Chroma = _later("Chroma", "chroma", latent_formats.Flux, multiplier=1.0)
ChromaRadiance = _later("ChromaRadiance", "chroma_radiance", latent_formats.ChromaRadiance, Chroma)
ACEStep = _later("ACEStep", "ace", latent_formats.ACEAudio, shift=3.0)
Omnigen2 = _later("Omnigen2", "omnigen2", latent_formats.Flux, multiplier=1.0, shift=2.6)
QwenImage = _later("QwenImage", "qwen_image", latent_formats.Wan21, multiplier=1.0, shift=1.15)
Stable_Cascade_C = _later("Stable_Cascade_C", "stable_cascade", latent_formats.SC_Prior, shift=2.0)
Stable_Cascade_B = _later(
    "Stable_Cascade_B", "stable_cascade", latent_formats.SC_B, Stable_Cascade_C, shift=1.0
)

models: list[type[BASE]] = [
    Stable_Zero123, SD15_instructpix2pix, SD15, SD20, SD21UnclipL, SD21UnclipH,
    SDXL_instructpix2pix, SDXLRefiner, SDXL, SSD1B, KOALA_700M, KOALA_1B, Segmind_Vega,
    SD_X4Upscaler, Stable_Cascade_C, Stable_Cascade_B, SV3D_u, SV3D_p, SD3, StableAudio, AuraFlow,
    PixArtAlpha, PixArtSigma, HunyuanDiT, HunyuanDiT1, FluxInpaint, Flux, FluxSchnell, GenmoMochi,
    LTXV, LTXAV, HunyuanVideo15, HunyuanImage21, HunyuanVideoSkyreelsI2V, HunyuanVideoI2V,
    HunyuanVideo, CosmosT2V, CosmosI2V, CosmosT2IPredict2, CosmosI2VPredict2, ZImage, Lumina2,
    WAN22_T2V, WAN21_T2V, WAN21_I2V, WAN21_FunControl2V, WAN21_Vace, WAN21_Camera, WAN22_S2V,
    Hunyuan3Dv2, HiDream, Chroma, ChromaRadiance, ACEStep, Omnigen2, QwenImage, Flux2, Anima,
    SVD_img2vid,
]  # fmt: skip
"""In the order in which a file is compared with them."""
