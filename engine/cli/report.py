"""How a command ended, for a user or for a program.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.atomic import flush, make_folder, part_beside, publish, refusals
from engine.cli.check_table import Checked, table
from engine.errors import FilesError
from engine.files import Files
from engine.graph.problems import NodeProblems, Report

DONE, FAILED, INVALID, INTERRUPTED = 0, 1, 2, 130


@dataclass(slots=True)
class Outcome:
    """What is reported at the end.

    Attributes:
        status: `done`, `valid`, `failed`, `invalid` or `interrupted`.
        code: the exit code.
        files: paths of what was written.
        problems: what is wrong with single nodes, in the API's shape.
        traceback: the lines of a node's error.
        notes: what was damaged in the document and how it was read.
        needs: models and packs, see `engine/downloads/needs.py`.
        checked: the workflow's line in the table of `check`.
    """

    status: str
    code: int
    files: list[str] = field(default_factory=list[str])
    message: str | None = None
    problems: Mapping[str, Any] = field(default_factory=dict[str, Any])
    traceback: list[str] = field(default_factory=list[str])
    notes: Sequence[str] = ()
    needs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    checked: Checked | None = None
    seconds: float = 0.0


def print_outcomes(outcomes: Mapping[Path, Outcome], *, as_json: bool) -> None:
    """Write how several files are: details to stderr and a table to stdout, or all as JSON."""
    if as_json:
        reports = [{"workflow": str(path), **_as_json(each)} for path, each in outcomes.items()]
        sys.stdout.write(json.dumps(reports, indent=2, default=str) + "\n")
        return
    for path, outcome in outcomes.items():
        sys.stderr.write(f"{path}: {outcome.status}\n")
        for line in (*outcome.notes, *(outcome.message or "").splitlines()):
            sys.stderr.write(f"    {line}\n")
    sys.stderr.flush()
    sys.stdout.write(table({path: each.checked or Checked() for path, each in outcomes.items()}))


def _as_json(outcome: Outcome) -> dict[str, Any]:
    report = {key: value for key, value in asdict(outcome).items() if value or key == "files"}
    return {**report, "seconds": round(outcome.seconds, 3)}


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Write the files (or the whole report, as JSON) to stdout and the message to stderr."""
    if as_json:
        sys.stdout.write(json.dumps(_as_json(outcome), indent=2, default=str) + "\n")
        return
    for path in outcome.files:
        sys.stdout.write(f"{path}\n")
    sys.stdout.flush()
    for note in outcome.notes:
        sys.stderr.write(f"{note}\n")
    if outcome.traceback:
        sys.stderr.write("".join(outcome.traceback))
    if outcome.message:
        sys.stderr.write(f"{outcome.message}\n")
    summary = {"done": f"done in {outcome.seconds:.1f} s", "valid": "the workflow is valid"}
    sys.stderr.write(summary.get(outcome.status, outcome.status) + "\n")


def explain(report: Report) -> str:
    """What is wrong with a prompt, a line a problem, each with its node."""
    if report.error is not None and not report.node_errors:
        return f"{report.error.message}: {report.error.details}"
    return explain_nodes(report.node_errors)


def explain_nodes(problems: Mapping[str, NodeProblems]) -> str:
    """The problems of nodes, a line each."""
    return "\n".join(
        f"{found.class_type} (node {node_id}): {problem.message}: {problem.details}"
        for node_id, found in problems.items()
        for problem in found.errors
    )


def written_files(shown: Mapping[str, Mapping[str, Any]], files: Files) -> list[str]:
    """The paths of everything that output nodes showed as files, in order, each once."""
    found: list[str] = []
    for items in shown.values():
        for entries in items.values():
            for entry in entries if isinstance(entries, Sequence) else ():
                if isinstance(entry, Mapping) and {"filename", "subfolder", "type"} <= set(entry):
                    folder = files.folders(str(entry["type"]))[0]
                    found.append(str(folder / str(entry["subfolder"]) / str(entry["filename"])))
    return list(dict.fromkeys(found))


def copy_files(written: Sequence[str], wanted: Path, *, overwrite: bool) -> list[str]:
    """Copy results to where they are wanted: into a folder, or to a name, numbered from the second.

    Raises:
        FilesError: a file of that name exists and `overwrite` is not set, or it cannot be written.
    """
    into_folder = wanted.is_dir() or not wanted.suffix
    copied: list[str] = []
    for number, source in enumerate(map(Path, written), start=1):
        if into_folder:
            target = wanted / source.name
        else:
            name = wanted.stem if number == 1 else f"{wanted.stem}_{number}"
            target = wanted.with_name(name + source.suffix)
        with refusals(f"--output {target}"):
            copy = _copy(source, target, overwrite=overwrite)
        if not copy:
            raise FilesError(f"--output {target}: exists already; add --overwrite to replace it")
        copied.append(str(target))
    return copied


def _copy(source: Path, target: Path, *, overwrite: bool) -> bool:
    make_folder(target.parent)
    if target.exists() and not overwrite:
        return False
    part = part_beside(target)
    try:
        with source.open("rb") as content, part.open("xb") as stream:
            shutil.copyfileobj(content, stream)
            flush(stream)
        return publish(part, target, replace=overwrite)
    finally:
        part.unlink(missing_ok=True)
