"""Recognises which program wrote the texts of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.foreign.a1111 import read_a1111
from engine.foreign.fooocus import read_fooocus
from engine.foreign.generation import Generation
from engine.foreign.invoke import read_invoke, read_old_invoke
from engine.foreign.swarm import read_swarm
from engine.json_text import JsonError, read_json

PARAMETERS = "parameters"
KEYWORDS = ("invokeai_metadata", "sd-metadata", PARAMETERS, "comment")
"""Under which keywords files hold such texts, the most certain first."""
_READERS = (read_swarm, read_invoke, read_old_invoke, read_fooocus)


def read_generation(texts: Mapping[str, str]) -> Generation | None:
    """What the texts of a file say of its making; None where no program is recognised.

    Args:
        texts: by keyword, in any case; a user comment of EXIF counts as `parameters`.
    """
    lower = {keyword.lower(): text for keyword, text in texts.items()}
    for keyword in KEYWORDS:
        text = lower.get(keyword)
        found = None if text is None else _read(text)
        if found is not None:
            return found
    return None


def _read(text: str) -> Generation | None:
    decoded = _json(text)
    if decoded is None:
        return read_a1111(text)
    return next((found for read in _READERS if (found := read(decoded)) is not None), None)


def _json(text: str) -> Any:
    """Decoded JSON, or None for a text that is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return read_json(text)
    except JsonError:
        return None
