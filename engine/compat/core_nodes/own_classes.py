"""What classes of built-in nodes have besides their method: attributes and further arguments."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch

from engine.compat.core_nodes.calling import context_of_call
from engine.compat.core_nodes.ltxv_guides import LTXVAddGuide
from engine.compat.core_nodes.saving import PreviewImage, SaveImage, SaveLatent
from engine.compat.v3.node import ClassProperty
from engine.files import VAE_CHOICES


def _choices(cls: Any, name: str) -> list[Any]:
    found = cls.node.schema.input(name)
    return list(found.choices or ()) if found else []


class Scales:
    """Nodes that scale list their methods."""

    @ClassProperty
    def upscale_methods(cls) -> list[Any]:
        """How to scale."""
        return _choices(cls, "upscale_method")

    @ClassProperty
    def crop_methods(cls) -> list[Any]:
        """What to crop before."""
        return _choices(cls, "crop")


class HasOutputFolder:
    """Nodes that save models."""

    def __init__(self) -> None:
        self.output_dir = str(context_of_call().files.folders("output")[0])


class LoadsLora:
    """Remembers nothing: files are read once anyway. Plugins read and set the attribute."""

    def __init__(self) -> None:
        self.loaded_lora: Any = None


class EmptyLatentImage:
    """Has the device that its latents are made on."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")


class VAELoader:
    """Lists its files for subclasses."""

    @staticmethod
    def vae_list(*_: Any) -> list[str]:
        """The names that `load_vae` takes."""
        return context_of_call().files.list(VAE_CHOICES)


class KSamplerAdvanced:
    """Takes the share of the steps to run, too, which its node does not declare."""

    def sample(self, *args: Any, **kwargs: Any) -> Any:
        """As declared, and `denoise`, which goes by the plugins' own sampling function."""
        maker: Any = self
        names = (*maker.argument_order(), "denoise")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        denoise = given.pop("denoise", 1.0)
        if denoise == 1.0:
            plain: Any = super()
            return plain.sample(**given)
        return import_module("nodes").common_ksampler(
            given["model"],
            given["noise_seed"],
            given["steps"],
            given["cfg"],
            given["sampler_name"],
            given["scheduler"],
            given["positive"],
            given["negative"],
            given["latent_image"],
            denoise=denoise,
            disable_noise=given.get("add_noise") == "disable",
            start_step=given.get("start_at_step"),
            last_step=given.get("end_at_step"),
            force_full_denoise=given.get("return_with_leftover_noise") != "enable",
        )


OWN: Mapping[str, type] = {
    "SaveImage": SaveImage,
    "PreviewImage": PreviewImage,
    "SaveLatent": SaveLatent,
    "LoraLoader": LoadsLora,
    "LoraLoaderModelOnly": LoadsLora,
    "ImageScale": Scales,
    "ImageScaleBy": Scales,
    "LatentUpscale": Scales,
    "LatentUpscaleBy": Scales,
    "EmptyLatentImage": EmptyLatentImage,
    "VAELoader": VAELoader,
    "KSamplerAdvanced": KSamplerAdvanced,
    "CheckpointSave": HasOutputFolder,
    "CLIPSave": HasOutputFolder,
    "VAESave": HasOutputFolder,
    "ModelSave": HasOutputFolder,
    "LTXVAddGuide": LTXVAddGuide,
}
