"""The table of `check FILES...`: a line a workflow, and the sum of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.graph.problems import NodeProblems, Report
from engine.graph.workflow import Conversion

Validates = Literal["yes", "but for files", "no"]
_COLUMNS = ("workflow", "opens", "converts", "nodes", "classes", "files", "validates")


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of one workflow.

    Attributes:
        opens: whether the file could be read as a document.
        converts: whether a prompt could be made of it.
        nodes: that the prompt has.
        missing_classes: that are not here.
        missing_files: that the other nodes name, as `node.input`.
        validates: `but for files` where nothing else is wrong.
    """

    opens: bool = False
    converts: bool = False
    nodes: int = 0
    missing_classes: tuple[str, ...] = ()
    missing_files: tuple[str, ...] = ()
    validates: Validates = "no"


def checked(
    conversion: Conversion, report: Report | None, files: Mapping[str, NodeProblems]
) -> Checked:
    """What a check has found.

    Args:
        conversion: the prompt.
        report: of its validation; None where classes are missing.
        files: the missing files by node.
    """
    missing = _places(files)
    found: Validates = "no"
    if report is not None:
        others = _places(report.node_errors) - missing
        if report.error is None and not report.node_errors:
            found = "yes"
        elif report.node_errors and not others:
            found = "but for files"
    return Checked(
        True,
        True,
        len(conversion.prompt.nodes),
        tuple(sorted(conversion.missing)),
        tuple(sorted(missing)),
        found,
    )


def table(rows: Mapping[Path, Checked]) -> str:
    """The rows below the names of the columns, and how many workflows each column is true of."""
    lines = [_COLUMNS, *(_line(path, each) for path, each in rows.items()), _sum([*rows.values()])]
    widths = [max(len(line[index]) for line in lines) for index in range(len(_COLUMNS))]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join(texts) + "\n"


def _line(path: Path, row: Checked) -> tuple[str, ...]:
    counts = (_missing(len(row.missing_classes)), _missing(len(row.missing_files)))
    if not row.converts:
        return (str(path), _word(is_true=row.opens), "no", "-", "-", "-", "-")
    return (str(path), "yes", "yes", str(row.nodes), *counts, row.validates)


def _sum(listed: Sequence[Checked]) -> tuple[str, ...]:
    converted = [each for each in listed if each.converts]
    counts = (
        sum(each.opens for each in listed),
        len(converted),
        sum(each.nodes for each in converted),
        sum(not each.missing_classes for each in converted),
        sum(not each.missing_files for each in converted),
        sum(each.validates != "no" for each in converted),
    )
    return (f"{len(listed)} workflows", *map(str, counts))


def _places(problems: Mapping[str, NodeProblems]) -> set[str]:
    """`node.input` of each problem; a problem without an input counts for the whole node."""
    return {
        f"{node_id}.{each.extra_info.get('input_name', '')}"
        for node_id, found in problems.items()
        for each in found.errors
    }


def _missing(count: int) -> str:
    return "all here" if count == 0 else f"{count} missing"


def _word(*, is_true: bool) -> str:
    return "yes" if is_true else "no"
