"""The note stored with an accepted prompt: its title, an excerpt, the words to search.

Heuristics on the plain JSON of a prompt; the node catalog is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.server.answers import is_array, is_object
from engine.store.notes import Note

_LONGEST_EXCERPT = 240
_LONGEST_TITLE = 200
_MOST_WORDS = 20_000
_SEEDS = ("seed", "noise_seed")
_TEXTS = ("text", "prompt", "text_g", "clip_l", "t5xxl", "string", "value")
_STEPS_BACK = 12
"""The most links followed from `positive` to the text behind it."""


def note_of(prompt: Mapping[str, Any], extra: Mapping[str, Any]) -> Note:
    """The note of a prompt and its `extra_data`, where an editor may have said more."""
    said: Any = extra.get("calotype")
    fields: dict[str, Any] = said if is_object(said) else {}
    title, batch, place = fields.get("title"), fields.get("batch"), fields.get("place")
    name = title[:_LONGEST_TITLE] if isinstance(title, str) and title else None
    excerpt = _excerpt(prompt)
    words = "\n".join([*([name] if name else []), *dict.fromkeys(_words(prompt))])
    return Note(
        title=name,
        excerpt=excerpt,
        words=words[:_MOST_WORDS].casefold(),
        batch=batch[:_LONGEST_TITLE] if isinstance(batch, str) and batch else None,
        place=place if is_object(place) else None,
    )


def _words(prompt: Mapping[str, Any]) -> Iterator[str]:
    """Texts, names of files and choices, and seeds."""
    for inputs in map(_inputs, prompt.values()):
        for name, value in inputs.items():
            if isinstance(value, str) and value:
                yield value
            elif name in _SEEDS and isinstance(value, int):
                yield str(value)


def _excerpt(prompt: Mapping[str, Any]) -> str:
    """The text behind a `positive` input; else the longest one that is a prompt by its name."""
    for inputs in map(_inputs, prompt.values()):
        if "positive" in inputs and (found := _text_behind(prompt, inputs["positive"])):
            return found[:_LONGEST_EXCERPT]
    texts = [
        value
        for inputs in map(_inputs, prompt.values())
        for name, value in inputs.items()
        if name in _TEXTS and isinstance(value, str)
    ]
    return max(texts, key=len, default="")[:_LONGEST_EXCERPT]


def _text_behind(prompt: Mapping[str, Any], link: object) -> str:
    for _ in range(_STEPS_BACK):
        if not is_array(link) or not link:
            return ""
        inputs = _inputs(prompt.get(str(link[0])))
        for name in _TEXTS:
            if isinstance(text := inputs.get(name), str) and text:
                return text
        onward = [inputs[name] for name in (*_TEXTS, "positive", "conditioning") if name in inputs]
        link = next(iter(onward), next((each for each in inputs.values() if is_array(each)), None))
    return ""


def _inputs(node: object) -> dict[str, Any]:
    given: Any = node.get("inputs") if is_object(node) else None
    return given if is_object(given) else {}
