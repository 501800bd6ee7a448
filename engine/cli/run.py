"""`run` and `check`: a workflow from a file, in this process, without a server and its store.

Knows the steps and the exit codes; the worker knows how to run, `report.py` how to tell.
"""

from __future__ import annotations

import random
import signal
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from engine import errors
from engine.cli.document import Source, changed, changed_workflow, parse_change, read_document
from engine.cli.progress import Bar
from engine.cli.report import (
    DONE,
    FAILED,
    INTERRUPTED,
    INVALID,
    Outcome,
    copy_files,
    explain,
    tell,
    written_files,
)
from engine.errors import CalotypeError, PromptError, WorkflowError
from engine.execute.executor import Job, Result
from engine.graph.problems import Report
from engine.graph.workflow import convert
from engine.settings import Settings
from engine.wire.messages import AnyEvent, Blocked, Failed, Interrupted, Progress, Running
from engine.worker.loop import Worker


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for on the command line.

    Attributes:
        changes: `NODE.INPUT=VALUE`, each as typed.
        output: where a copy of the results is wanted, a file or a folder.
        as_json: report on stdout for a program.
        check_only: say what is wrong and run nothing.
    """

    path: Path
    changes: Sequence[str] = ()
    output: Path | None = None
    overwrite: bool = False
    as_json: bool = False
    check_only: bool = False


def carry_out(order: Order, settings: Settings) -> int:
    """Check and run a workflow, print the files written; returns the exit code."""
    began = time.perf_counter()
    try:
        outcome = _carry_out(order, settings)
    except (WorkflowError, PromptError) as error:
        outcome = Outcome("invalid", INVALID, message=str(error))
    except CalotypeError as error:
        outcome = Outcome("failed", FAILED, message=str(error))
    outcome.seconds = time.perf_counter() - began
    tell(outcome, as_json=order.as_json)
    return outcome.code


def _carry_out(order: Order, settings: Settings) -> Outcome:
    changes = [parse_change(text) for text in order.changes]
    source = read_document(order.path)
    worker = Worker(settings)
    conversion = convert(source.document, worker.catalog, chance=random.Random())
    prompt = changed(conversion.require_classes(), changes, worker.catalog)
    report = worker.check(prompt)
    problems = report.node_errors_json()
    if report.error is not None or (order.check_only and problems):
        return Outcome("invalid", INVALID, message=explain(report), problems=problems)
    if order.check_only:
        return Outcome("valid", DONE)
    workflow = changed_workflow(Source(source.document, source.workflow), prompt, worker.catalog)
    outcome = _run(worker, report, {} if workflow is None else {"workflow": workflow}, order)
    if problems:
        # What could run did, and its files are there; but not all that was asked for was done.
        if outcome.code == DONE:
            outcome.status, outcome.code = "failed", FAILED
        outcome.problems = problems
        outcome.message = "\n".join(filter(None, (outcome.message, explain(report))))
    return outcome


def _run(worker: Worker, report: Report, extra: Mapping[str, Any], order: Order) -> Outcome:
    blocked: list[str] = []
    with _stop_on_interrupt() as stopped, Bar(quiet=order.as_json) as bar:

        def see(event: AnyEvent) -> None:
            match event:
                case Running(place=place):
                    bar.node(_name(report, place.node))
                case Progress(step=step, steps=steps):
                    bar.step(step, steps)
                case Blocked(place=place, message=message):
                    blocked.append(f"{_name(report, place.node)}: {message}")
                case _:
                    pass

        job = Job(str(uuid.uuid4()), report.outputs, extra)
        result = worker.run(job, report.prompt, see, stopped=lambda: bool(stopped))
    return _outcome(result, report, worker, order, blocked)


def _outcome(
    result: Result, report: Report, worker: Worker, order: Order, blocked: Sequence[str]
) -> Outcome:
    files = written_files(result.shown, worker.files)
    if order.output is not None:
        files = copy_files(files, order.output, overwrite=order.overwrite)
    outcome = Outcome("done", DONE, files=files, message="\n".join(blocked) or None)
    match result.end:
        case Failed(message=message, place=place, traceback=traceback, error_type=kind):
            outcome.status, outcome.code = "failed", FAILED
            outcome.message = f"{_name(report, place.node)} (node {place.node}): {message}"
            # An error that was written for the user says all there is to say.
            outcome.traceback = [] if kind.startswith(errors.__name__) else list(traceback)
        case Interrupted() as end:
            outcome.status, outcome.code = "interrupted", INTERRUPTED
            at = f" in {_name(report, end.place.node)}" if end.place is not None else ""
            outcome.message = f"stopped{at}; what was finished before is kept"
        case _:
            pass
    return outcome


def _name(report: Report, node_id: str) -> str:
    node = report.prompt.nodes.get(node_id)
    return (node.title or node.class_type) if node else node_id


@contextmanager
def _stop_on_interrupt() -> Iterator[list[int]]:
    """While this lasts, Ctrl+C asks the run to stop at its next block; a second one ends it."""
    pressed: list[int] = []

    def press(number: int, _: FrameType | None) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
