# pyright: basic
"""The classes of models by family, which plugins test for, and the object of each weights."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakValueDictionary

from engine.compat.models.model_base import BaseModel
from engine.compat.models.model_configs import config_of
from engine.inference.values import Model

_shown: WeakValueDictionary[int, BaseModel] = WeakValueDictionary()
"""The objects in use, by the identity of their weights' handles, which they keep alive."""


def _named(name: str, *bases: type) -> type:
    body = {"__doc__": f"A model of the family {name}.", "__module__": __name__}
    return type(name, bases or (BaseModel,), body)


SD21UNCLIP = _named("SD21UNCLIP")
SDXLRefiner = _named("SDXLRefiner")
SDXL = _named("SDXL")
SVD_img2vid = _named("SVD_img2vid")
SV3D_u = _named("SV3D_u", SVD_img2vid)
SV3D_p = _named("SV3D_p", SVD_img2vid)
Stable_Zero123 = _named("Stable_Zero123")
SD_X4Upscaler = _named("SD_X4Upscaler")
IP2P = _named("IP2P")
SD15_instructpix2pix = _named("SD15_instructpix2pix", IP2P, BaseModel)
SDXL_instructpix2pix = _named("SDXL_instructpix2pix", IP2P, SDXL)
StableCascade_C = _named("StableCascade_C")
StableCascade_B = _named("StableCascade_B")
SD3 = _named("SD3")
AuraFlow = _named("AuraFlow")
StableAudio1 = _named("StableAudio1")
HunyuanDiT = _named("HunyuanDiT")
PixArt = _named("PixArt")
Flux = _named("Flux")
Flux2 = _named("Flux2", Flux)
GenmoMochi = _named("GenmoMochi")
LTXV = _named("LTXV")
LTXAV = _named("LTXAV")
HunyuanVideo = _named("HunyuanVideo")
HunyuanVideoI2V = _named("HunyuanVideoI2V", HunyuanVideo)
HunyuanVideoSkyreelsI2V = _named("HunyuanVideoSkyreelsI2V", HunyuanVideo)
HunyuanVideo15 = _named("HunyuanVideo15", HunyuanVideo)
HunyuanImage21 = _named("HunyuanImage21")
CosmosVideo = _named("CosmosVideo")
CosmosPredict2 = _named("CosmosPredict2")
Anima = _named("Anima")
Lumina2 = _named("Lumina2")
WAN21 = _named("WAN21")
WAN21_Vace = _named("WAN21_Vace", WAN21)
WAN21_Camera = _named("WAN21_Camera", WAN21)
WAN22 = _named("WAN22", WAN21)
WAN22_S2V = _named("WAN22_S2V", WAN21)
Hunyuan3Dv2 = _named("Hunyuan3Dv2")
HiDream = _named("HiDream")
Chroma = _named("Chroma", Flux)
ChromaRadiance = _named("ChromaRadiance", Chroma)
ACEStep = _named("ACEStep")
Omnigen2 = _named("Omnigen2")
QwenImage = _named("QwenImage")

_CLASSES: Mapping[str, type[BaseModel]] = {
    "SD21UnclipL": SD21UNCLIP,
    "SD21UnclipH": SD21UNCLIP,
    "SDXLRefiner": SDXLRefiner,
    "SDXL": SDXL,
    "SSD1B": SDXL,
    "Segmind_Vega": SDXL,
    "KOALA_700M": SDXL,
    "KOALA_1B": SDXL,
    "SVD_img2vid": SVD_img2vid,
    "SV3D_u": SV3D_u,
    "SV3D_p": SV3D_p,
    "Stable_Zero123": Stable_Zero123,
    "SD_X4Upscaler": SD_X4Upscaler,
    "SD15_instructpix2pix": SD15_instructpix2pix,
    "SDXL_instructpix2pix": SDXL_instructpix2pix,
    "SD3": SD3,
    "AuraFlow": AuraFlow,
    "Flux": Flux,
    "FluxInpaint": Flux,
    "FluxSchnell": Flux,
    "Flux2": Flux2,
    "Chroma": Chroma,
    "Lumina2": Lumina2,
    "ZImage": Lumina2,
    "QwenImage": QwenImage,
    "Anima": Anima,
    "WAN21_T2V": WAN21,
    "WAN21_I2V": WAN21,
    "LTXV": LTXV,
    "HunyuanVideo": HunyuanVideo,
    "HunyuanVideo15": HunyuanVideo15,
    "HunyuanVideoI2V": HunyuanVideoI2V,
    "HunyuanVideoSkyreelsI2V": HunyuanVideoSkyreelsI2V,
    "WAN21_Vace": WAN21_Vace,
    "WAN21_Camera": WAN21_Camera,
    "WAN21_FunControl2V": WAN21,
    "WAN22_T2V": WAN22,
}


def shown_model(value: Model) -> BaseModel:
    """The object of a model's weights; one for all models of the same weights."""
    base = value.net.base
    found = _shown.get(id(base))
    if found is None:
        family, config = value.family, config_of(value)
        kind = _CLASSES.get(type(config).__name__, BaseModel)
        plain = Model(
            family,
            value.config,
            base,
            family.latent(value.config),
            family.parameterization(value.config),
        )
        found = _shown[id(base)] = kind.showing(plain, config)
    return found
