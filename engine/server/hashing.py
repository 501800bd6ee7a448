"""Hashes the files of prompts in the background, so that records of later runs can name them.

Reads only while no prompt runs, in a thread of its own; a prompt that arrives interrupts it within
a few megabytes.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from engine.errors import CalotypeError, FilesError
from engine.graph.prompt import Prompt
from engine.graph.schema import Catalog
from engine.record.make import Recorder
from engine.record.named import locate, named_files

_QUIET_SECONDS = 2.0
"""Without a prompt, before reading begins: the next one often follows at once."""
_MOST_PENDING = 256
"""Prompts that wait."""


class BackgroundHasher:
    """One thread that computes hashes while nothing runs."""

    def __init__(
        self,
        recorder: Recorder,
        catalog: Callable[[], Catalog],
        is_idle: Callable[[], bool],
        *,
        quiet: float = _QUIET_SECONDS,
    ) -> None:
        """Nothing is read before `start`.

        Args:
            recorder: has the folders and the stored hashes.
            catalog: gives the schemas.
            is_idle: whether no prompt runs; called in the thread.
            quiet: seconds without a prompt before reading begins.
        """
        self._recorder = recorder
        self._catalog = catalog
        self._is_idle = is_idle
        self._quiet = quiet
        self._pending: queue.Queue[Prompt | None] = queue.Queue(_MOST_PENDING)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, prompt: Prompt) -> None:
        """Hash the files of this prompt when there is time.

        Forgets it where many others wait; the next run of it comes here again.
        """
        with contextlib.suppress(queue.Full):
            self._pending.put_nowait(prompt)

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._work, name="hashes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give up what is being read, and end."""
        self._stopping.set()
        with contextlib.suppress(queue.Full):
            self._pending.put_nowait(None)
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _work(self) -> None:
        while not self._stopping.is_set():
            prompt = self._pending.get()
            if prompt is not None:
                with contextlib.suppress(CalotypeError):  # a hash that is missing harms nothing
                    self._hash(prompt)

    def _hash(self, prompt: Prompt) -> None:
        for named in named_files(prompt, self._catalog()):
            path = locate(named, self._recorder.files)
            if path is not None:
                with contextlib.suppress(FilesError):
                    self._wait_for_quiet()
                    self._recorder.hashes.compute(path, self._pause)

    def _wait_for_quiet(self) -> None:
        """Wait until nothing has run for a while."""
        while True:
            self._pause()
            if self._stopping.wait(self._quiet) or self._is_idle():
                return

    def _pause(self) -> None:
        """Wait while a prompt runs.

        Raises:
            FilesError: the server stops.
        """
        while not self._stopping.is_set() and not self._is_idle():
            self._stopping.wait(0.2)
        if self._stopping.is_set():
            raise FilesError("the server stops")
