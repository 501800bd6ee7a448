"""The text that A1111, Forge and their kin write: prompts, then a line of `Key: value` pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.foreign.generation import (
    Enlarged,
    Generation,
    Refiner,
    number,
    seed_of,
    size_of,
    whole,
)
from engine.foreign.samplers import a1111_sampler
from engine.foreign.words import a1111_words, take_tags

_NEGATIVE = "Negative prompt:"
_LEAST_SETTINGS = 3
_KEY = re.compile(r"[A-Za-z][\w .+/-]*")
_NONE = re.compile(r"none|automatic|", re.IGNORECASE)
_LATENT = re.compile(r"latent\b", re.IGNORECASE)
_HASH = re.compile(r"\s*\[[0-9a-f]{6,64}\]$")
_BEYOND: tuple[tuple[str, str], ...] = (
    ("Mask blur", "Inpainting"),
    ("Inpaint", "Inpainting"),
    ("Masked content", "Inpainting"),
    ("ControlNet", "ControlNet"),
    ("ADetailer", "ADetailer"),
    ("Variation seed", "Variation seed"),
    ("Face restoration", "Face restoration"),
    ("Tiling", "Tiling"),
    ("Hires prompt", "Hires prompt"),
    ("Hires negative prompt", "Hires prompt"),
    ("Hires checkpoint", "Hires checkpoint"),
    ("Dynamic thresholding", "Dynamic thresholding"),
)


def read_a1111(text: str) -> Generation | None:
    """A picture from its text; None for a text in another format.

    The last line counts as settings if it has at least three pairs.
    """
    lines = text.strip().splitlines()
    settings = settings_in(lines[-1]) if lines else {}
    if len(settings) < _LEAST_SETTINGS:
        return None
    words = lines[:-1]
    at = next((i for i, line in enumerate(words) if line.startswith(_NEGATIVE)), len(words))
    positive, loras, networks = take_tags("\n".join(words[:at]).strip())
    negative, more, _ = take_tags("\n".join(words[at:])[len(_NEGATIVE) :].strip())
    positive, left = a1111_words(positive)
    negative, also = a1111_words(negative)
    sampler, scheduler = a1111_sampler(
        settings.get("Sampler", "Euler"), settings.get("Schedule type")
    )
    width, height = size_of(settings.get("Size", ""))
    enlarged = _enlarged(settings)
    found = Generation(
        "A1111",
        positive,
        negative,
        model=settings.get("Model", ""),
        vae="" if _NONE.fullmatch(settings.get("VAE", "")) else settings["VAE"],
        modules=_modules(settings),
        loras=[*loras, *more],
        hypernetworks=networks,
        clip_skip=whole(settings.get("Clip skip"), 1, 1, 24),
        sampler=sampler,
        scheduler=scheduler,
        steps=whole(settings.get("Steps"), 20, 1),
        cfg=number(settings.get("CFG scale"), 7.0),
        seed=seed_of(settings.get("Seed", "")),
        width=width,
        height=height,
        guidance=_guidance(settings),
        enlarged=enlarged,
        refiner=_refiner(settings),
    )
    found.left = [*_beyond(settings, is_enlarged=enlarged is not None), *left, *also]
    found.left = list(dict.fromkeys(found.left))
    return found


def settings_in(line: str) -> dict[str, str]:
    """`Key: value` pairs separated by commas; a quoted value may hold commas and colons."""
    settings: dict[str, str] = {}
    at = 0
    while (colon := line.find(":", at)) >= 0:
        key, start = line[at:colon].strip(), colon + 1
        while line[start : start + 1] == " ":
            start += 1
        quoted = _end_of_quote(line, start) if line[start : start + 1] == '"' else -1
        comma = line.find(",", start if quoted < 0 else quoted)
        end = len(line) if comma < 0 else comma
        value = line[start:end].strip()
        if _KEY.fullmatch(key):
            settings[key] = value if quoted < 0 else _unquoted(value)
        at = end + 1
    return settings


def _end_of_quote(line: str, start: int) -> int:
    at = start + 1
    while at < len(line):
        if line[at] == "\\":
            at += 1
        elif line[at] == '"':
            return at + 1
        at += 1
    return -1


def _unquoted(value: str) -> str:
    inside = value.rpartition('"')[0].removeprefix('"')
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], inside)


def _modules(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Forge's separate text encoders and autoencoders, `Module 1` and so on."""
    numbers = (f"Module {index}" for index in range(1, 10))
    return tuple(settings[each] for each in numbers if settings.get(each))


def _guidance(settings: Mapping[str, str]) -> float | None:
    given = settings.get("Distilled CFG Scale")
    return None if given is None else number(given, 3.5)


def _enlarged(settings: Mapping[str, str]) -> Enlarged | None:
    width, height = size_of(settings.get("Hires resize", ""), (0, 0))
    if "Hires upscale" not in settings and not width:
        return None
    upscaler = settings.get("Hires upscaler", "Latent")
    return Enlarged(
        0 if width else number(settings.get("Hires upscale"), 2.0),
        width,
        height,
        whole(settings.get("Hires steps"), 0),
        min(1.0, max(0.0, number(settings.get("Denoising strength"), 0.7))),
        "" if _LATENT.match(upscaler) else upscaler,
    )


def _refiner(settings: Mapping[str, str]) -> Refiner | None:
    name = _HASH.sub("", settings.get("Refiner", ""))
    if _NONE.fullmatch(name):
        return None
    return Refiner(name, min(1.0, max(0.0, number(settings.get("Refiner switch at"), 0.8))))


def _beyond(settings: Mapping[str, str], *, is_enlarged: bool) -> list[str]:
    left = [name for start, name in _BEYOND if any(key.startswith(start) for key in settings)]
    if "Denoising strength" in settings and not is_enlarged:
        left.append("img2img")
    return left
