"""The JSON that Fooocus writes under `parameters`, and the labels of its older log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.foreign.generation import (
    Generation,
    Lora,
    Refiner,
    number,
    seed_of,
    size_of,
    text_of,
    whole,
)
from engine.foreign.words import take_tags
from engine.graph.prompt import is_list, is_mapping

_STEPS: Mapping[str, int] = {
    "quality": 60,
    "speed": 30,
    "extreme speed": 8,
    "lightning": 4,
    "hyper-sd": 4,
}
"""Steps by performance, where the text has none."""
_LORA = re.compile(r"lora(_combined)?_[0-9]+")


def read_fooocus(raw: object) -> Generation | None:
    """A picture from decoded JSON; None for that of another program."""
    if not is_mapping(raw):
        return None
    settings: dict[str, Any] = {
        str(key).strip().lower().replace(" ", "_"): value for key, value in raw.items()
    }
    if "base_model" not in settings or "performance" not in settings:
        return None
    positive, loras, networks = take_tags(_full(settings, "full_prompt", "prompt"))
    left = _beyond(settings, has_full=bool(settings.get("full_prompt")))
    performance = text_of(settings.get("performance")).lower()
    width, height = size_of(str(settings.get("resolution", "")), (1024, 1024))
    vae = text_of(settings.get("vae"))
    return Generation(
        "Fooocus",
        positive,
        _full(settings, "full_negative_prompt", "negative_prompt"),
        model=text_of(settings["base_model"]),
        vae="" if vae.lower().startswith("default") else vae,
        loras=[*loras, *_loras(settings)],
        hypernetworks=networks,
        clip_skip=whole(settings.get("clip_skip"), 2, 1, 12),
        sampler=text_of(settings.get("sampler")) or "dpmpp_2m_sde_gpu",
        scheduler=text_of(settings.get("scheduler")) or "karras",
        steps=whole(settings.get("steps"), _STEPS.get(performance, 30), 1),
        cfg=number(settings.get("guidance_scale"), 7.0),
        seed=seed_of(settings.get("seed", 0)),
        width=width,
        height=height,
        refiner=_refiner(settings),
        left=left,
    )


def _full(settings: Mapping[str, Any], full: str, plain: str) -> str:
    """The prompt with its styles, where the text has it: a list of parts."""
    parts = settings.get(full)
    if is_list(parts):
        found = ", ".join(each.strip() for each in parts if isinstance(each, str) and each.strip())
        if found:
            return found
    return text_of(settings.get(plain))


def _beyond(settings: Mapping[str, Any], *, has_full: bool) -> list[str]:
    left: list[str] = []
    styles = settings.get("styles")
    if not has_full and styles and str(styles) not in {"[]", "['Fooocus V2']"}:
        left.append(f"Styles: {styles}"[:200])
    if number(settings.get("sharpness"), 0.0) > 0:
        left.append("Sharpness")
    if settings.get("adm_guidance"):
        left.append("ADM guidance")
    if "inpaint_engine_version" in settings:
        left.append("Inpainting")
    return left


def _loras(settings: Mapping[str, Any]) -> list[Lora]:
    """`loras: [[name, weight, hash]]`, or `lora_combined_1: "name : weight"`."""
    listed = settings.get("loras")
    found = [
        _lora(each[0], each[1])
        for each in (listed if is_list(listed) else ())
        if is_list(each) and len(each) > 1 and isinstance(each[0], str)
    ]
    if found:
        return found
    for key, value in settings.items():
        if _LORA.fullmatch(key) and isinstance(value, str):
            name, _, weight = value.rpartition(" : ")
            found.append(_lora(name, weight))
    return [each for each in found if each.name and each.name != "None"]


def _lora(name: str, weight: object) -> Lora:
    strength = number(weight, 1.0)
    return Lora(name.strip(), strength, strength)


def _refiner(settings: Mapping[str, Any]) -> Refiner | None:
    name = text_of(settings.get("refiner_model"))
    if name in {"", "None"}:
        return None
    return Refiner(name, min(1.0, max(0.0, number(settings.get("refiner_switch"), 0.5))))
