"""Tiny control networks of transformers, of random weights, in the layouts of published files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

import torch
from torch import nn

from engine.adapters.rows import Rows
from engine.control.flux_network import FluxControl, FluxControlConfig
from engine.control.qwen_image_network import QwenImageControl, QwenImageControlConfig
from engine.control.sd3 import OF_MODEL
from engine.control.sd3_network import JointControl, PictureControl, SD3ControlConfig
from engine.families.flux import keys as flux_keys
from engine.families.flux.network import Flux, FluxConfig
from engine.families.sd3 import keys as sd3_keys
from engine.families.sd3.network import MMDiT
from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import regular_autoencoder
from tests.wet import wan_files
from tests.wet.flux_models import FLUX
from tests.wet.picture_checkpoints import made
from tests.wet.sd3_files import MMDIT
from tests.wet.wan_files import QWEN_IMAGE

INSTANTX = FluxControlConfig(
    in_channels=64,
    hint_channels=64,
    context_channels=FLUX.context_channels,
    vector_channels=FLUX.vector_channels,
    channels=FLUX.channels,
    inner=FLUX.inner,
    double=1,
    single=1,
    guidance=True,
)
FLUX_KINDS = {
    "instantx": INSTANTX,
    "union": replace(INSTANTX, modes=4, single=0),
    "inpainting": replace(INSTANTX, hint_channels=68, mask=True),
    "xlabs": replace(INSTANTX, pixels=16, single=0),
}


QWEN_KINDS = {
    "instantx": QwenImageControlConfig(replace(QWEN_IMAGE, blocks=1), 64),
    "inpainting": QwenImageControlConfig(replace(QWEN_IMAGE, blocks=1), 68, mask=True),
}


_SD3 = replace(MMDIT, depth=1)
SD3_KINDS = {
    "instantx": SD3ControlConfig(_SD3, 16),
    "inpainting": SD3ControlConfig(_SD3, 17, mask=True),
}
SD35_KINDS = {"blur": 0, "canny": 1, "depth": 2}


def under_names(
    tensors: Mapping[str, torch.Tensor], names: Mapping[str, str | Rows]
) -> dict[str, torch.Tensor]:
    """Tensors of ours under others' names; those whose module has no other name keep it."""
    found: dict[str, torch.Tensor] = {}
    renamed = {ours.module if isinstance(ours, Rows) else ours for ours in names.values()}
    for theirs, ours in names.items():
        module = ours.module if isinstance(ours, Rows) else ours
        for kind in ("weight", "bias", "scale"):
            value = tensors.get(f"{module}.{kind}")
            if value is None:
                continue
            if isinstance(ours, Rows):
                value = value[ours.start : ours.stop].clone()
            found[f"{theirs}.{'weight' if kind == 'scale' else kind}"] = value
    kept = {name: each for name, each in tensors.items() if name.rpartition(".")[0] not in renamed}
    return {**found, **kept}


def _flux(tool: ModuleType, config: FluxControlConfig) -> dict[str, torch.Tensor]:
    tensors = _values(tool, FluxControl, config)
    if config.pixels:
        return under_names(tensors, {"pos_embed_input": "controlnet_x_embedder"})
    sizes = FluxConfig(
        64, 0, config.context_channels, config.vector_channels, config.channels, config.inner,
        config.double, config.single, guidance=True,
    )  # fmt: skip
    return under_names(tensors, flux_keys.diffusers_names(sizes))


def _sd3(tool: ModuleType, config: SD3ControlConfig) -> dict[str, torch.Tensor]:
    found = under_names(
        _values(tool, JointControl, config),
        sd3_keys.diffusers_names(config.net.depth + 1, config.net.width),
    )
    return {sd3_keys.POSITIONS if name == "pos_embed" else name: found[name] for name in found}


def _sd35(tool: ModuleType, kind: int) -> dict[str, torch.Tensor]:
    """Without the embedding of the latent, which is the model's."""
    net = replace(MMDIT, norms=False, attend_twice=frozenset())
    found = _values(tool, PictureControl, SD3ControlConfig(net, 16))
    found = {name: each for name, each in found.items() if name not in OF_MODEL}
    names = {theirs: ours for theirs, ours in sd3_keys.OUTER.items() if "embedder." in theirs}
    return {**under_names(found, names), "control_type": torch.tensor([kind], dtype=torch.int32)}


def _values(tool: ModuleType, network: type[nn.Module], config: object) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        net = network(config)
    return made(tool, "", net)


def models(tool: ModuleType) -> dict[str, dict[str, torch.Tensor]]:
    """The models that they fit, and autoencoders."""
    small = {"quantised": False, "blocks": 1}
    autoencoders = {
        f"{name}_vae": regular_autoencoder((32, 32, 32, 32), latent_channels=channels, **small)
        for name, channels in (("flux", 16), ("other", 4))
    }
    found = {name: _values(tool, AutoencoderKL, each) for name, each in autoencoders.items()}
    qwen = {"qwen": wan_files.denoiser(), "qwen_vae": wan_files.autoencoder()}
    return {
        "flux": _values(tool, Flux, FLUX),
        "sd3": _values(tool, MMDiT, MMDIT),
        "sd3_vae": found["flux_vae"],
        **qwen,
        **found,
    }


def files_of_kinds() -> list[str]:
    """Their names."""
    kinds = {"flux": FLUX_KINDS, "qwen": QWEN_KINDS, "sd3": {**SD3_KINDS, **SD35_KINDS}}
    return [f"{family}_{name}" for family, names in kinds.items() for name in names]


def files(tool: ModuleType) -> dict[str, dict[str, torch.Tensor]]:
    """The files by their names."""
    flux = {f"flux_{name}": _flux(tool, config) for name, config in FLUX_KINDS.items()}
    qwen = {
        f"qwen_{name}": _values(tool, QwenImageControl, config)
        for name, config in QWEN_KINDS.items()
    }
    joint = {f"sd3_{name}": _sd3(tool, config) for name, config in SD3_KINDS.items()}
    pictures = {f"sd3_{name}": _sd35(tool, number) for name, number in SD35_KINDS.items()}
    return {**flux, **qwen, **joint, **pictures}
