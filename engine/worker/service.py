"""A worker as the server sees it: runs commands, and always reports how they ended.

Connects `loop.Worker`, which runs prompts, to the channel.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch

from engine.errors import error_text
from engine.execute.executor import Job, Report
from engine.graph.problems import Report as Validation
from engine.graph.prompt import Prompt
from engine.machine import available_memory, total_memory
from engine.packs.plan import Plan
from engine.settings import Settings
from engine.wire.messages import (
    AnyEvent,
    Blocked,
    CacheChanged,
    Device,
    Ended,
    Failed,
    Free,
    Freed,
    NodeRef,
    Ready,
    Run,
    Running,
    Signatures,
    Started,
)
from engine.wire.pack_messages import ServerAnswer
from engine.worker.latest import LatestPrompt
from engine.worker.loop import Worker
from engine.worker.packs import WorkerPacks
from engine.worker.reporter import Reporter, Send
from engine.worker.short_paths import ShortPaths


class Service:
    """One worker, its results and weights, for the lifetime of the process."""

    def __init__(
        self,
        settings: Settings,
        send: Send,
        plan: Plan | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Load the nodes, but no packs.

        Args:
            settings: the user's choices.
            send: sends a message to the server.
            plan: which packs are not loaded.
            look: reads what the server has sent, while a plugin waits for its answer.
        """
        self._send = send
        self._worker = Worker(settings)
        self._packs = WorkerPacks(self._worker, settings, plan or Plan(), send, look)
        self._paths = ShortPaths(settings)
        self._latest = LatestPrompt()

    def ready(self) -> None:
        """Load packs, and report to the server that the worker accepts jobs."""
        self._packs.load()
        self._send(
            Ready(
                self._worker.note, torch.__version__, self._devices(), self._worker.computing.dtype
            )
        )

    def run(self, job: Run, stopped: Callable[[], bool]) -> bool:
        """Run a prompt. The last event sent is its end, whatever happens short of a crash.

        Returns:
            whether a disk was full: the next prompt would fail as well.
        """
        reporter = Reporter(self._send, all_progress=job.all_progress)
        is_full = False
        self._packs.run_began(job)

        def report(event: AnyEvent) -> None:
            nonlocal is_full
            if isinstance(event, Failed):
                is_full = event.full_disk is not None
            if isinstance(event, Running):
                self._packs.node_began(event.node.id)
            if isinstance(event, Ended):
                # Before the end: its reader may query the cached results immediately.
                self._report_cache_changes(more=True)
            elif isinstance(event, Signatures) and reporter.begins_quickly:
                self._latest.note(prompt, event.signatures)
            reporter(self._paths.event(event))

        prompt = Prompt({})
        try:
            prompt = self._latest.read(job.prompt)
            reporter.begins_quickly = not self._worker.has_fingerprints(prompt)
            self._run(job, prompt, report, stopped)
        except BaseException as error:  # noqa: BLE001 - reported in full; the next job must run
            node = job.outputs[0] if job.outputs else ""
            trace = tuple(traceback.format_exception(error))
            sys.stderr.write("".join(trace))
            report(_failed(job, node, "", error_text(error), type(error).__name__, trace))
        self._packs.run_ended()
        self._report_cache_changes()
        return is_full

    def free(self, asked: Free) -> None:
        """Free memory, and report the result."""
        released = self._worker.free(weights=asked.weights, results=asked.results)
        self._report_cache_changes()
        self._send(Freed(released, self._devices()))

    def answered(self, message: ServerAnswer) -> None:
        """The server answers what a plugin asked it."""
        self._packs.answered(message)

    def describe_packs(self) -> None:
        """Describe the nodes of packs again, and report their catalog."""
        self._packs.describe()

    def _report_cache_changes(self, *, more: bool = False) -> None:
        """Report which results were cached and which were dropped since the last report."""
        added, dropped = self._worker.cache.changes()
        if added or dropped:
            self._send(CacheChanged(tuple(added), tuple(dropped)), more=more)

    def _run(self, job: Run, prompt: Prompt, report: Report, stopped: Callable[[], bool]) -> None:
        extra = cast("dict[str, Any]", json.loads(job.extra))
        outputs, ordered = job.outputs, job.ordered
        if self._worker.has_checks(prompt):
            found = self._worker.check(prompt, wanted=outputs, ordered=ordered)
            if found.error is not None:
                node, problems = next(iter(found.node_errors.items()), ("", None))
                lines = [each.details for each in problems.errors] if problems else []
                message = "; ".join(lines) or found.error.message
                report(Started(job.prompt_id, time.time()))
                report(_failed(job, node, _class_of(prompt, node), message, "ValueError", ()))
                return
            prompt, outputs, ordered = found.prompt, found.outputs, tuple(found.ordered)
            report = _with_events(report, _refused(job, found))
        signatures = self._latest.signatures_of(prompt)
        request = Job(
            job.prompt_id, outputs, extra, ordered, job.previews, signatures, job.metadata
        )
        self._worker.run(request, prompt, report, stopped=stopped)

    def _devices(self) -> tuple[Device, ...]:
        """What computes first, then the other devices there are."""
        used, budget = self._worker.device, self._worker.memory_budget
        if used.type == "cpu":
            total, free = total_memory(), available_memory()
            return (Device("cpu", "cpu", None, total, free, budget=budget),)
        current = used.index or 0
        found: list[Device] = []
        for index in sorted(range(torch.cuda.device_count()), key=lambda each: each != current):
            free, total = torch.cuda.mem_get_info(index)
            name = f"cuda:{index} {torch.cuda.get_device_name(index)}"
            held = torch.cuda.memory_reserved(index)
            mine = budget if index == current else 0
            found.append(Device(name, "cuda", index, total, free, held, mine))
        return tuple(found)


def _refused(job: Run, found: Validation) -> tuple[Blocked, ...]:
    """The nodes whose own checks refuse their inputs while other outputs can run."""
    return tuple(
        Blocked(
            job.prompt_id,
            NodeRef(node, node, None, node),
            problems.class_type,
            "; ".join(each.details for each in problems.errors),
        )
        for node, problems in found.node_errors.items()
    )


def _with_events(report: Report, events: Sequence[AnyEvent]) -> Report:
    """A report that adds these events after the start of a run."""

    def report_event(event: AnyEvent) -> None:
        report(event)
        if isinstance(event, Started):
            for each in events:
                report(each)

    return report_event


def _class_of(prompt: Prompt, node: str) -> str:
    found = prompt.nodes.get(node)
    return found.class_type if found else ""


def _failed(
    job: Run, node_id: str, class_type: str, message: str, kind: str, trace: tuple[str, ...]
) -> Failed:
    node = NodeRef(node_id, node_id, None, node_id)
    return Failed(job.prompt_id, node, class_type, message, kind, trace, {}, (), time.time())
