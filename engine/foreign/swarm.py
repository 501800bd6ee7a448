"""The JSON that SwarmUI writes under `parameters`: `sui_image_params`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.foreign.generation import (
    Enlarged,
    Generation,
    Lora,
    Refiner,
    number,
    seed_of,
    side,
    text_of,
    whole,
)
from engine.foreign.words import take_tags
from engine.graph.prompt import is_list, is_mapping

_PARAMETERS = "sui_image_params"
_SECTIONS = re.compile(r"<(segment|object|region|break|video|refiner|base|edit)\b[^<>]*>")
_BEYOND: Mapping[str, str] = {
    "initimage": "img2img",
    "initimagecreativity": "img2img",
    "maskimage": "Inpainting",
    "variationseed": "Variation seed",
    "controlnetmodel": "ControlNet",
    "controlnetstrength": "ControlNet",
    "videomodel": "Image to video",
    "sigmashift": "Sigma shift",
    "seamlesstileable": "Tiling",
    "promptimages": "Prompt images",
    "ipadapterstart": "IP-Adapter",
}


def read_swarm(raw: object) -> Generation | None:
    """A picture from decoded JSON; None for that of another program."""
    given = raw.get(_PARAMETERS) if is_mapping(raw) else None
    if not is_mapping(given):
        return None
    settings: dict[str, Any] = {str(key).lower(): value for key, value in given.items()}
    positive, loras, networks = take_tags(text_of(settings.get("prompt")))
    left = list(dict.fromkeys(name for key, name in _BEYOND.items() if settings.get(key)))
    if _SECTIONS.search(positive):
        left.append("Sections of the prompt: <segment:...>")
        positive = _SECTIONS.split(positive)[0].strip()
    stop = whole(settings.get("clipstopatlayer"), -1, -24, -1)
    guidance = settings.get("fluxguidancescale")
    steps = whole(settings.get("steps"), 20, 1)
    return Generation(
        "SwarmUI",
        positive,
        text_of(settings.get("negativeprompt")),
        model=text_of(settings.get("model")),
        vae=_named(settings.get("vae")),
        loras=[*loras, *_loras(settings)],
        hypernetworks=networks,
        clip_skip=-stop,
        sampler=text_of(settings.get("sampler")) or "euler",
        scheduler=text_of(settings.get("scheduler")) or "normal",
        steps=steps,
        cfg=number(settings.get("cfgscale"), 7.0),
        seed=seed_of(settings.get("seed", 0)),
        width=side(settings.get("width")),
        height=side(settings.get("height")),
        guidance=None if guidance is None else number(guidance, 3.5),
        enlarged=_enlarged(settings),
        refiner=_refiner(settings),
        left=left,
    )


def _named(value: object) -> str:
    text = text_of(value)
    return "" if text.lower() in {"none", "automatic", "(none)"} else text


def _loras(settings: Mapping[str, Any]) -> list[Lora]:
    """LoRAs and their weights, each a list or a text with commas."""
    names, weights = _items(settings.get("loras")), _items(settings.get("loraweights"))
    weights += ["1"] * (len(names) - len(weights))
    strengths = [number(each, 1.0) for each in weights]
    return [Lora(str(name), each, each) for name, each in zip(names, strengths, strict=False)]


def _items(value: object) -> list[Any]:
    if is_list(value):
        return [*value]
    return [each.strip() for each in text_of(value).split(",") if each.strip()]


def _enlarged(settings: Mapping[str, Any]) -> Enlarged | None:
    scale = number(settings.get("refinerupscale"), 1.0)
    if scale <= 1.0:
        return None
    method = text_of(settings.get("refinerupscalemethod"))
    latent = method.startswith("latent") or not method
    share = min(1.0, max(0.0, number(settings.get("refinercontrolpercentage"), 0.2)))
    steps = whole(settings.get("refinersteps"), 0)
    return Enlarged(scale, 0, 0, steps, share, "" if latent else method.partition("-")[2] or method)


def _refiner(settings: Mapping[str, Any]) -> Refiner | None:
    name = _named(settings.get("refinermodel"))
    if not name or name.lower().startswith("(use base"):
        return None
    share = number(settings.get("refinercontrolpercentage"), 0.2)
    return Refiner(name, min(1.0, max(0.0, 1.0 - share)))
