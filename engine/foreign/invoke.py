"""The JSON of InvokeAI: `invokeai_metadata` since version 3, `sd-metadata` before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.foreign.generation import (
    Generation,
    Lora,
    Refiner,
    number,
    seed_of,
    side,
    text_of,
    whole,
)
from engine.foreign.samplers import invoke_sampler
from engine.foreign.words import bracketed, invoke_words
from engine.graph.prompt import is_list, is_mapping

_BEYOND: Mapping[str, str] = {
    "init_image": "img2img",
    "controlnets": "ControlNet",
    "control_layers": "Control layers",
    "ipAdapters": "IP-Adapter",
    "t2iAdapters": "T2I-Adapter",
    "hrf_enabled": "High resolution fix",
    "seamless_x": "Tiling",
    "seamless_y": "Tiling",
    "regions": "Regions",
    "canvas_v2_metadata": "Canvas",
}


def read_invoke(raw: object) -> Generation | None:
    """A picture from the decoded JSON of version 3 and later; None for that of another program."""
    if not is_mapping(raw) or "positive_prompt" not in raw:
        return None
    positive, left = invoke_words(text_of(raw.get("positive_prompt")))
    negative, more = invoke_words(text_of(raw.get("negative_prompt")))
    left = [name for key, name in _BEYOND.items() if raw.get(key)] + left + more
    styles = text_of(raw.get("positive_style_prompt")), text_of(raw.get("negative_style_prompt"))
    if any(each and each != text_of(raw.get("positive_prompt")) for each in styles):
        left.append("Style prompt")
    if "img2img" in text_of(raw.get("generation_mode")):
        left.append("img2img")
    sampler, scheduler = invoke_sampler(text_of(raw.get("scheduler")) or "euler")
    guidance = raw.get("guidance")
    return Generation(
        "InvokeAI",
        positive,
        negative,
        model=_name(raw.get("model")),
        vae=_name(raw.get("vae")),
        loras=_loras(raw.get("loras")),
        clip_skip=1 + whole(raw.get("clip_skip"), 0, 0, 23),
        sampler=sampler,
        scheduler=scheduler,
        steps=whole(raw.get("steps"), 20, 1),
        cfg=number(raw.get("cfg_scale"), 7.0),
        seed=seed_of(raw.get("seed", 0)),
        width=side(raw.get("width")),
        height=side(raw.get("height")),
        guidance=None if guidance is None else number(guidance, 4.0),
        refiner=_refiner(raw),
        left=list(dict.fromkeys(left)),
    )


def read_old_invoke(raw: object) -> Generation | None:
    """A picture from the decoded JSON of version 2; None for that of another program."""
    image = raw.get("image") if is_mapping(raw) else None
    if not is_mapping(raw) or not is_mapping(image) or "prompt" not in image:
        return None
    words, negative = bracketed(_prompt(image.get("prompt")))
    positive, left = invoke_words(words)
    negative, more = invoke_words(negative)
    sampler, scheduler = invoke_sampler(text_of(image.get("sampler")) or "k_lms")
    if image.get("type") == "img2img" or image.get("init_image_path"):
        left.append("img2img")
    if image.get("variations"):
        left.append("Variation seed")
    return Generation(
        "InvokeAI",
        positive,
        negative,
        model=text_of(raw.get("model_weights")),
        sampler=sampler,
        scheduler=scheduler,
        steps=whole(image.get("steps"), 50, 1),
        cfg=number(image.get("cfg_scale"), 7.5),
        seed=seed_of(image.get("seed", 0)),
        width=side(image.get("width")),
        height=side(image.get("height")),
        left=[*left, *more],
    )


def _prompt(value: object) -> str:
    """A text, or a list of `{prompt, weight}`."""
    if is_list(value):
        return ", ".join(text_of(each.get("prompt")) for each in value if is_mapping(each))
    return text_of(value)


def _name(value: object) -> str:
    """The name of a model: a text, `{name}` of version 4, `{model_name}` of version 3."""
    if not is_mapping(value):
        return text_of(value)
    inner: Any = value.get("model")
    return text_of(value.get("name")) or text_of(value.get("model_name")) or _name(inner)


def _loras(value: object) -> list[Lora]:
    found: list[Lora] = []
    for each in value if is_list(value) else ():
        if is_mapping(each):
            strength = number(each.get("weight"), 0.75)
            found.append(Lora(_name(each.get("lora") or each.get("model")), strength, strength))
    return found


def _refiner(raw: Mapping[Any, Any]) -> Refiner | None:
    name = _name(raw.get("refiner_model"))
    if not name:
        return None
    return Refiner(name, min(1.0, max(0.0, number(raw.get("refiner_start"), 0.8))))
