"""`run` and `check`: a workflow from a file, in this process, without a server and its store.

This module has the steps and the exit codes; the worker runs, `report.py` prints.
"""

from __future__ import annotations

import random
import signal
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from engine import errors
from engine.cli.check_table import Checked, checked
from engine.cli.document import (
    Change,
    Source,
    changed,
    changed_workflow,
    parse_change,
    read_document,
)
from engine.cli.pack_loading import quiet_output, worker_with_packs
from engine.cli.progress import Bar
from engine.cli.report import (
    DONE,
    FAILED,
    INTERRUPTED,
    INVALID,
    Outcome,
    copy_files,
    explain,
    explain_nodes,
    print_outcome,
    print_outcomes,
    written_files,
)
from engine.downloads.needs import describe_needs
from engine.errors import CalotypeError, PromptError, WorkflowError
from engine.execute.executor import Job, Result
from engine.graph.problems import Report
from engine.graph.workflow import Conversion
from engine.settings import Settings
from engine.wire.messages import AnyEvent, Blocked, Failed, Interrupted, Progress, Running
from engine.worker.loop import Worker


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of the command line.

    Attributes:
        changes: `NODE.INPUT=VALUE`, each as typed.
        output: where a copy of the results is wanted, a file or a folder.
        as_json: report on stdout for a program.
    """

    path: Path
    changes: Sequence[str] = ()
    output: Path | None = None
    overwrite: bool = False
    as_json: bool = False


def run_file(options: RunOptions, settings: Settings) -> int:
    """Check and run a workflow, print the files written; returns the exit code."""
    with _timed() as began:
        outcome = _outcome_of(lambda: _run_file(options, settings))
    outcome.seconds = began()
    print_outcome(outcome, as_json=options.as_json)
    return outcome.code


def check_all(
    paths: Sequence[Path], changes: Sequence[str], settings: Settings, *, as_json: bool
) -> int:
    """Report the problems of these files; returns the exit code, the highest of all."""
    outcomes: dict[Path, Outcome] = {}
    worker: list[Worker] = []  # it takes long to load, and a file may not need it

    def loaded() -> Worker:
        if not worker:
            worker.append(worker_with_packs(settings))
        return worker[0]

    for path in dict.fromkeys(paths):
        with _timed() as began:
            outcome = _outcome_of(lambda path=path: _check(path, changes, loaded, settings))
        outcome.seconds = began()
        outcomes[path] = outcome
    if len(outcomes) == 1:
        print_outcome(*outcomes.values(), as_json=as_json)
    else:
        print_outcomes(outcomes, as_json=as_json)
    return max(outcome.code for outcome in outcomes.values())


@contextmanager
def _timed() -> Generator[Callable[[], float]]:
    began = time.perf_counter()
    yield lambda: time.perf_counter() - began


def _outcome_of(work: Callable[[], Outcome]) -> Outcome:
    try:
        with quiet_output():  # packs may print at any time
            return work()
    except (WorkflowError, PromptError) as error:
        return Outcome("invalid", INVALID, message=str(error))
    except CalotypeError as error:
        return Outcome("failed", FAILED, message=str(error))


def _check(
    path: Path, texts: Sequence[str], loaded: Callable[[], Worker], settings: Settings
) -> Outcome:
    changes = [parse_change(text) for text in texts]
    source = read_document(path)
    worker = loaded()
    try:
        conversion = source.convert(worker.catalog, worker.files, random.Random())
    except WorkflowError as error:
        return Outcome("invalid", INVALID, message=str(error), checked=Checked(opens=True))
    outcome = _validated(conversion, changes, worker)
    needs = describe_needs(
        *(source.document, conversion, worker.catalog, worker.files, settings),
        find_pack=worker.recorder.installed,
    )
    outcome.needs = needs
    if count := sum(each["host"] is not None for each in needs["models"]):
        advice = f"{count} of the missing files can be downloaded: python main.py fetch {path}"
        outcome.message = "\n".join(filter(None, (outcome.message, advice)))
    return outcome


def _validated(conversion: Conversion, changes: Sequence[Change], worker: Worker) -> Outcome:
    if conversion.missing:
        outcome = _missing(conversion, worker)
        files = worker.missing_files(conversion.prompt)
        outcome.checked = checked(conversion, None, files)
        return outcome
    prompt = changed(conversion.prompt, changes, worker.catalog)
    report = worker.check(prompt)
    row = checked(conversion, report, worker.missing_files(prompt))
    if report.error is None and not report.node_errors:
        return Outcome("valid", DONE, notes=conversion.notes, checked=row)
    return Outcome(
        "invalid",
        INVALID,
        message=explain(report),
        problems=report.node_errors_json(),
        notes=conversion.notes,
        checked=row,
    )


def _missing(conversion: Conversion, worker: Worker) -> Outcome:
    """Which classes are missing, and which of the files that the other nodes name."""
    files = worker.missing_files(conversion.prompt)
    try:
        conversion.require_classes()
        message = ""
    except WorkflowError as error:
        message = str(error)
    lines = filter(None, (message, explain_nodes(files)))
    problems = {node_id: each.to_json() for node_id, each in files.items()}
    return Outcome(
        "invalid", INVALID, message="\n".join(lines), problems=problems, notes=conversion.notes
    )


def _run_file(options: RunOptions, settings: Settings) -> Outcome:
    changes = [parse_change(text) for text in options.changes]
    source = read_document(options.path)
    worker = worker_with_packs(settings)
    conversion = source.convert(worker.catalog, worker.files, random.Random())
    if conversion.missing:
        return _missing(conversion, worker)
    prompt = changed(conversion.prompt, changes, worker.catalog)
    report = worker.check(prompt)
    problems = report.node_errors_json()
    if report.error is not None:
        return Outcome(
            "invalid", INVALID, message=explain(report), problems=problems, notes=conversion.notes
        )
    workflow = changed_workflow(Source(source.document, source.workflow), prompt, worker.catalog)
    outcome = _run(worker, report, {} if workflow is None else {"workflow": workflow}, options)
    outcome.notes = conversion.notes
    if problems:
        # What could run did, and its files are there; but not all that was requested was done.
        if outcome.code == DONE:
            outcome.status, outcome.code = "failed", FAILED
        outcome.problems = problems
        outcome.message = "\n".join(filter(None, (outcome.message, explain(report))))
    return outcome


def _run(worker: Worker, report: Report, extra: Mapping[str, Any], options: RunOptions) -> Outcome:
    blocked: list[str] = []
    with _stop_on_interrupt() as stopped, Bar(quiet=options.as_json) as bar:

        def show_event(event: AnyEvent) -> None:
            match event:
                case Running(node=place):
                    bar.node(_name(report, place.id))
                case Progress(step=step, steps=steps):
                    bar.step(step, steps)
                case Blocked(node=place, message=message):
                    blocked.append(f"{_name(report, place.id)}: {message}")
                case _:
                    pass

        job = Job(str(uuid.uuid4()), report.outputs, extra)
        result = worker.run(job, report.prompt, show_event, stopped=lambda: bool(stopped))
    return _outcome(result, report, worker, options, blocked)


def _outcome(
    result: Result, report: Report, worker: Worker, options: RunOptions, blocked: Sequence[str]
) -> Outcome:
    files = written_files(result.shown, worker.files)
    if options.output is not None:
        files = copy_files(files, options.output, overwrite=options.overwrite)
    outcome = Outcome("done", DONE, files=files, message="\n".join(blocked) or None)
    match result.end:
        case Failed(message=message, node=place, traceback=traceback, error_type=kind):
            outcome.status, outcome.code = "failed", FAILED
            outcome.message = f"{_name(report, place.id)} (node {place.id}): {message}"
            # An error that was written for the user needs no traceback.
            outcome.traceback = [] if kind.startswith(errors.__name__) else list(traceback)
        case Interrupted() as end:
            outcome.status, outcome.code = "interrupted", INTERRUPTED
            at = f" in {_name(report, end.node.id)}" if end.node is not None else ""
            outcome.message = f"stopped{at}; what was finished before is kept"
        case _:
            pass
    return outcome


def _name(report: Report, node_id: str) -> str:
    node = report.prompt.nodes.get(node_id)
    return (node.title or node.class_type) if node else node_id


@contextmanager
def _stop_on_interrupt() -> Generator[list[int]]:
    """In this context, Ctrl+C stops the run at its next block; a second one kills it."""
    pressed: list[int] = []

    def on_interrupt(number: int, _: FrameType | None) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
