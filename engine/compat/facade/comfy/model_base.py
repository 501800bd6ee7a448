"""Models by family."""

import math

import torch

from engine.compat.models.model_base import (
    BaseModel,
    Timestep,
    convert_tensor,
    sdxl_pooled,
)
from engine.compat.models.model_families import (
    IP2P,
    LTXAV,
    LTXV,
    SD3,
    SD21UNCLIP,
    SDXL,
    WAN21,
    WAN22,
    WAN22_S2V,
    ACEStep,
    Anima,
    AuraFlow,
    Chroma,
    ChromaRadiance,
    CosmosPredict2,
    CosmosVideo,
    Flux,
    Flux2,
    GenmoMochi,
    HiDream,
    Hunyuan3Dv2,
    HunyuanDiT,
    HunyuanImage21,
    HunyuanVideo,
    HunyuanVideo15,
    HunyuanVideoI2V,
    HunyuanVideoSkyreelsI2V,
    Lumina2,
    Omnigen2,
    PixArt,
    QwenImage,
    SD15_instructpix2pix,
    SD_X4Upscaler,
    SDXL_instructpix2pix,
    SDXLRefiner,
    Stable_Zero123,
    StableAudio1,
    StableCascade_B,
    StableCascade_C,
    SV3D_p,
    SV3D_u,
    SVD_img2vid,
    WAN21_Camera,
    WAN21_Vace,
)
from engine.compat.models.model_kinds import (
    ModelType,
    model_sampling,
)
