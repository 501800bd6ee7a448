"""What was found out about a prompt when it was accepted, so that it is not computed again."""

from __future__ import annotations

from dataclasses import dataclass

from engine.graph.problems import Report
from engine.graph.prompt import Prompt
from engine.graph.schema import Catalog

_MOST_QUICK = 200


@dataclass(frozen=True, slots=True)
class StudiedPrompt:
    """A valid prompt.

    Attributes:
        prompt: parsed, its literals coerced.
        ordered: the nodes that the wanted outputs need, each after what it needs; empty where that
            is not known.
        is_quick: whether it is small and names no files, so that a forecast of it takes no thread.
    """

    prompt: Prompt
    ordered: tuple[str, ...]
    is_quick: bool


def study(report: Report, catalog: Catalog) -> StudiedPrompt:
    """A studied prompt from the report of a valid one."""
    ordered = tuple(report.ordered)
    classes = {report.prompt.nodes[each].class_type for each in ordered}
    names_files = any(
        given.folder is not None for each in classes for given in catalog[each].inputs
    )
    quick = 0 < len(ordered) <= _MOST_QUICK and not names_files
    return StudiedPrompt(report.prompt, ordered, quick)
