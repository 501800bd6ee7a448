# pyright: basic
"""From the engine's configurations of models to those of `supported_models.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.compat.models import supported_models, transformers
from engine.compat.models.latent_formats import format_of
from engine.families.bridge.family import BridgedConfig, BridgedFamily
from engine.families.bridge.ltxv import LtxVideoFamily
from engine.families.bridge.wan import WanFamily
from engine.families.ldm.family import LatentDiffusionOfClasses, LatentDiffusionOfText
from engine.families.sd2.family import StableDiffusion2
from engine.families.sd2.unclip import StableDiffusionUnclip
from engine.families.sd15.family import StableDiffusion1
from engine.families.sdxl.family import StableDiffusionXL, StableDiffusionXLRefiner
from engine.families.svd.family import StableVideoDiffusion
from engine.families.x4.family import StableDiffusionUpscaler
from engine.families.zero123.family import StableZero123
from engine.inference.values import Model
from engine.nets.unet import UNetConfig
from engine.nets.unet_blocks import DownsampleConfig, ResidualConfig, TransformerConfig

EDITING = 8
"""Channels of x of a model that edits by instruction."""


def config_of(value: Model) -> supported_models.BASE:
    """The configuration of a model, of the class of its family."""
    unet: UNetConfig | None = getattr(value.config, "unet", None)
    made = _of_transformer(value) if unet is None else class_of(value.family, unet)(unet_dict(unet))
    made.latent_format = format_of(value.family.latent(value.config))
    return made


def _of_transformer(value: Model) -> supported_models.BASE:
    """The configuration of a denoiser that is no UNet, by the package of its family."""
    if isinstance(value.family, BridgedFamily):
        return _of_bridged(value)
    *_, package, _ = f"..{type(value.family).__module__}".split(".")
    kind = _PACKAGES.get(package, supported_models.BASE)
    sizes = transformers.sizes_of(getattr(value.config, "blocks", value.config))
    if type(value.family).__name__ == "Lumina2":  # in the package of Z-Image
        kind = supported_models.Lumina2
    if kind is supported_models.HunyuanVideo15 and len(value.config.axes) == 2:
        kind = supported_models.HunyuanImage21
    if kind is supported_models.Flux:
        kind = _of_flux(value.config)
    if kind is supported_models.HunyuanVideo:
        kind = _HUNYUAN.get(value.config.in_channels, kind)
    return kind({**kind.unet_config, **sizes})


def _of_bridged(value: Model) -> supported_models.BASE:
    """The configuration of a denoiser of another package, with the arguments of its class."""
    config: BridgedConfig = value.config
    kind, sizes = supported_models.BASE, dict(config.arguments)
    if isinstance(value.family, WanFamily):
        taken, made = sizes["in_channels"], sizes["out_channels"]
        of_text = supported_models.WAN21_T2V if made == 16 else supported_models.WAN22_T2V
        kind = of_text if taken == made else supported_models.WAN21_I2V
        sizes |= {"model_type": "t2v" if taken == made else "i2v", "dim": config.channels}
        if made == 16 and taken >= 3 * made:
            kind = supported_models.WAN21_FunControl2V
        if config.argument("rays"):
            kind, sizes["model_type"] = supported_models.WAN21_Camera, "camera"
        if "vace_layers" in sizes:
            kind = supported_models.WAN21_Vace
            sizes |= {"model_type": "vace", "vace_layers": len(sizes["vace_layers"])}
        sizes |= {"in_dim": taken, "out_dim": made, "num_heads": sizes["num_attention_heads"]}
    if isinstance(value.family, LtxVideoFamily):
        kind = supported_models.LTXV
    return kind({**kind.unet_config, **sizes})


def _of_flux(config: Any) -> type[supported_models.BASE]:
    """The class of one of FLUX.1's models.

    Without guidance it is schnell; with more channels than it predicts it sees a picture, too.
    """
    if not config.guidance:
        return supported_models.FluxSchnell
    beside = config.in_channels > config.out_channels
    return supported_models.FluxInpaint if beside else supported_models.Flux


_HUNYUAN: Mapping[int, type[supported_models.BASE]] = {
    32: supported_models.HunyuanVideoSkyreelsI2V,
    33: supported_models.HunyuanVideoI2V,
}
"""By the channels of x and of a picture beside it."""
_PACKAGES: Mapping[str, type[supported_models.BASE]] = {
    "anima": supported_models.Anima,
    "auraflow": supported_models.AuraFlow,
    "chroma": supported_models.Chroma,
    "flux": supported_models.Flux,
    "flux2": supported_models.Flux2,
    "glyphs": supported_models.HunyuanVideo15,
    "hunyuan_video": supported_models.HunyuanVideo,
    "lumina2": supported_models.Lumina2,
    "qwen_image": supported_models.QwenImage,
    "sd3": supported_models.SD3,
    "zimage": supported_models.ZImage,
}


def class_of(family: Any, unet: UNetConfig) -> type[supported_models.BASE]:
    """The class of a family's configurations."""
    edits = unet.in_channels == EDITING
    match family:
        case StableZero123():
            return supported_models.Stable_Zero123
        case StableDiffusionUnclip():
            wide = (unet.vector_channels or 0) > 1536
            return supported_models.SD21UnclipH if wide else supported_models.SD21UnclipL
        case StableDiffusion2():
            return supported_models.SD20
        case StableDiffusionXLRefiner():
            return supported_models.SDXLRefiner
        case StableDiffusionXL():
            return supported_models.SDXL_instructpix2pix if edits else _of_xl(unet)
        case StableVideoDiffusion():
            return supported_models.SVD_img2vid
        case StableDiffusionUpscaler():
            return supported_models.SD_X4Upscaler
        case StableDiffusion1():
            return supported_models.SD15_instructpix2pix if edits else supported_models.SD15
        case LatentDiffusionOfText() | LatentDiffusionOfClasses():
            return supported_models.SD15
        case _:
            return supported_models.BASE


def _of_xl(unet: UNetConfig) -> type[supported_models.BASE]:
    """SDXL, or one of its distilled relatives by the depth of its transformers."""
    depth = unet_dict(unet)["transformer_depth"]
    kinds = (
        supported_models.SSD1B,
        supported_models.Segmind_Vega,
        supported_models.KOALA_700M,
        supported_models.KOALA_1B,
    )
    found = (kind for kind in kinds if kind.unet_config["transformer_depth"] == depth)
    return next(found, supported_models.SDXL)


def unet_dict(unet: UNetConfig) -> dict[str, Any]:
    """The sizes of a UNet by the names of the original code."""
    widths: list[int] = []
    counts: list[int] = []
    depths: list[int] = []
    begins = True
    for block in unet.input_blocks[1:]:
        if isinstance(block[0], DownsampleConfig):
            begins = True
            continue
        if begins:
            widths.append(block[0].channels_out // unet.model_channels)
            counts.append(0)
        begins = False
        counts[-1] += 1
        depths.append(_depth(block))
    layers = [layer for block in (*unet.input_blocks, unet.middle_block) for layer in block]
    attending = [each for each in layers if isinstance(each, TransformerConfig)]
    first = attending[0] if attending else None
    return {
        "image_size": 32,
        "in_channels": unet.in_channels,
        "out_channels": unet.out_channels,
        "model_channels": unet.model_channels,
        "num_res_blocks": counts,
        "transformer_depth": depths,
        "transformer_depth_middle": _depth(unet.middle_block),
        "transformer_depth_output": [
            _depth(block) for block in unet.output_blocks if isinstance(block[0], ResidualConfig)
        ],
        "channel_mult": widths,
        "use_spatial_transformer": bool(attending),
        "use_linear_in_transformer": bool(first and first.linear),
        "context_dim": unet.context_channels,
        "num_heads": first.heads if first else -1,
        "num_head_channels": first.inner // first.heads if first else -1,
        "adm_in_channels": unet.vector_channels,
        "num_classes": "sequential" if unet.vector_channels is not None else None,
        "use_temporal_attention": any(each.temporal for each in attending),
        "use_temporal_resblock": any(
            each.temporal for each in layers if isinstance(each, ResidualConfig)
        ),
        "legacy": False,
    }


def _depth(block: Any) -> int:
    return next((each.depth for each in block if isinstance(each, TransformerConfig)), 0)
