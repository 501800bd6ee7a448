"""The progress of a run in a terminal: which node, how far, how fast, how long still.

Writes to stderr, so that stdout stays for results.
"""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class RateColumn(ProgressColumn):
    """Steps a second, or seconds a step where that reads better."""

    def render(self, task: Task) -> Text:
        """The measured speed, or blank before there is one."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f} steps/s" if speed >= 1 else f"{1 / speed:.1f} s/step")


class Bar:
    """A progress bar for a run of nodes; silent where stderr is no terminal, but for node names."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def node(self, name: str) -> None:
        """A node has begun."""
        self._close()
        self._task = self._progress.add_task(name, total=None)
        if not self._console.is_terminal:
            self._console.print(name, highlight=False)

    def step(self, step: int, steps: int) -> None:
        """The node has reached `step` of `steps`."""
        if self._task is not None:
            self._progress.update(self._task, completed=step, total=steps)

    def _close(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
