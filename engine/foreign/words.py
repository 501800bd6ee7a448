"""The syntax of other programs' prompts, as ours."""

from __future__ import annotations

import re

from engine.foreign.generation import Lora, number

_TAG = re.compile(r"<(lora|lyco|hypernet):([^<>]{0,1000})>", re.IGNORECASE)
_WEAKER = re.compile(r"(?<!\\)\[([^\[\]:|]*)\]")
_EDITED = re.compile(r"(?<!\\)\[[^\[\]]*:[^\[\]]*\]|(?<!\\)\[[^\[\]]*\|[^\[\]]*\]")
_SIGNED = re.compile(
    r"(\(([^()]{1,2000})\)|([\w'-]*[\w']))(\+{1,8}|-{1,8}|(?<=\))[0-9]*\.?[0-9]+)(?![\w])"
)
_ANGLED = re.compile(r"<([\w][\w .-]{0,200})>")
_DYNAMIC = re.compile(r"\.(and|blend|swap)\s*\(")
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")


def take_tags(text: str) -> tuple[str, list[Lora], list[Lora]]:
    """A text without its tags, the LoRAs and the hypernetworks that they name."""
    loras: list[Lora] = []
    networks: list[Lora] = []

    def take(found: re.Match[str]) -> str:
        name, *strengths = found[2].split(":")
        model = number(strengths[0], 1.0) if strengths else 1.0
        clip = number(strengths[1], model) if len(strengths) > 1 else model
        listed = networks if found[1].lower() == "hypernet" else loras
        listed.append(Lora(name.strip(), model, clip))
        return ""

    plain = _TAG.sub(take, text)
    return re.sub(r"[,\s]+$", "", plain).strip(), loras, networks


def a1111_words(text: str) -> tuple[str, list[str]]:
    """Our spelling of weights, and what has none: `[a]` is a word of weight 1 / 1.1."""
    left = ["Prompt editing: [a:b:0.5], [a|b]"] if _EDITED.search(text) else []
    if re.search(r"\bAND\b", text):
        left.append("AND")
    return _WEAKER.sub(r"(\1:0.91)", text), left


def invoke_words(text: str) -> tuple[str, list[str]]:
    """Our spelling of InvokeAI's weights: `word++`, `(some words)1.3`, `<embedding>`.

    Each `+` multiplies by 1.1, each `-` by 0.9.
    """
    left = ["Prompt functions: .and(), .blend(), .swap()"] if _DYNAMIC.search(text) else []
    if left:
        return text, left

    def weigh(found: re.Match[str]) -> str:
        words, sign = found[2] or found[3], found[4]
        if sign[0] not in "+-":
            return f"({words}:{float(sign):.4g})"
        return f"({words}:{(1.1 if sign[0] == '+' else 0.9) ** len(sign):.4g})"

    return _ANGLED.sub(r"embedding:\1", _SIGNED.sub(weigh, text)), left


def bracketed(text: str) -> tuple[str, str]:
    """The words outside and inside of square brackets, which are the negative prompt."""
    negative = ", ".join(each.strip() for each in _BRACKETED.findall(text))
    return re.sub(r"\s{2,}", " ", _BRACKETED.sub("", text)).strip(), negative
