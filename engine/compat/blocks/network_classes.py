# pyright: basic
"""Classes of denoisers that plugins test for; they are built by the engine only."""

from __future__ import annotations

from typing import Any, NoReturn

from torch import nn

from engine.compat.blocks.alike import Alike
from engine.compat.placeholders import refuse
from engine.families.anima import network as anima
from engine.families.chroma import network as chroma
from engine.families.flux import network as flux
from engine.families.flux2 import network as flux2
from engine.families.qwen_image import network as qwen_image
from engine.families.sd3 import network as sd3
from engine.families.zimage import network as zimage


class _Denoiser(Alike):
    """The class of such classes: one that a plugin derives from can be built, they cannot."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - a metaclass
        if "alike" in cls.__dict__:
            _refuse(cls)
        return super().__call__(*args, **kwargs)


def _refuse(cls: type) -> NoReturn:
    refuse(f"{cls.__module__}.{cls.__qualname__}")


def _class(module: str, name: str, *ours: type) -> type[nn.Module]:
    body = {"__module__": module, "__doc__": f"As {ours[0].__name__} of ours.", "alike": ours}
    return _Denoiser(name, (nn.Module,), body)


Flux = _class("comfy.ldm.flux.model", "Flux", flux.Flux, flux2.Flux2)
Chroma = _class("comfy.ldm.chroma.model", "Chroma", chroma.Chroma)
Anima = _class("comfy.ldm.anima.model", "Anima", anima.Anima)
QwenImageTransformer2DModel = _class(
    "comfy.ldm.qwen_image.model", "QwenImageTransformer2DModel", qwen_image.QwenImage
)
NextDiT = _class("comfy.ldm.lumina.model", "NextDiT", zimage.NextDiT)
MMDiT = _class("comfy.ldm.modules.diffusionmodules.mmdit", "MMDiT", sd3.MMDiT)
OpenAISignatureMMDITWrapper = _class(
    "comfy.ldm.modules.diffusionmodules.mmdit", "OpenAISignatureMMDITWrapper", sd3.MMDiT
)
JointBlock = _class("comfy.ldm.modules.diffusionmodules.mmdit", "JointBlock", sd3.JointBlock)
