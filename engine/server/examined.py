"""Prompts that were valid lately, so that the same one again is neither parsed nor validated again.

Whether a prompt is valid follows from its text, the catalog and the files that it names: callers
look these files up again each time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.forecast.studied import StudiedPrompt
from engine.graph.problems import Report
from engine.graph.schema import Catalog

_MOST = 4
_LARGEST = 64 << 10
"""Bytes of a prompt's text; what is made of it takes about ten times as many."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A prompt that can run.

    Attributes:
        prompt: in API form, its literals coerced.
        report: of its validation.
        studied: what else was found out about it.
    """

    prompt: Mapping[str, Any]
    report: Report
    studied: StudiedPrompt

    @property
    def is_faultless(self) -> bool:
        """Whether all its outputs can run as they were sent, in an order that is known."""
        return not self.report.node_errors and bool(self.report.ordered)


class ExaminedPrompts:
    """The latest valid prompts by their text. May be used in any thread."""

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[Catalog, Examined]] = {}
        self._lock = threading.Lock()

    def find(self, text: bytes, catalog: Catalog) -> Examined | None:
        """What was found out about this prompt with this catalog; None where it is not known."""
        known = self._found.get(text)
        return known[1] if known is not None and known[0] is catalog else None

    def add(self, text: bytes, catalog: Catalog, examined: Examined) -> None:
        """Note a valid prompt."""
        if len(text) > _LARGEST or not examined.is_faultless:
            return
        with self._lock:
            self._found.pop(text, None)
            self._found[text] = (catalog, examined)
            while len(self._found) > _MOST:
                del self._found[next(iter(self._found))]
