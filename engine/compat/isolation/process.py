"""One process of an isolated pack as the worker sees it: its calls, and its end.

A thread reads what it sends. Who waits for an answer gets it through a queue, or in its event loop.
"""

from __future__ import annotations

import itertools
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.compat.isolation.stand_ins import Handles
from engine.compat.isolation.values import Reader, Writer
from engine.compat.serving.events import encode_json
from engine.errors import CalotypeError, NodeError, WireError
from engine.nodekit.context import Context
from engine.nodekit.node import Expansion, Outcome
from engine.wire.isolated_messages import (
    RUN,
    Answer,
    AskGraph,
    Call,
    CallFailed,
    CallProgress,
    ChangePrompt,
    Describe,
    GraphTold,
    IsolatedMessage,
    IsolatedReady,
    PassedOn,
    PromptChanged,
    Released,
    StopCall,
)
from engine.wire.pack_messages import PackLoading
from engine.wire.shared_memory import BlockChannel, BlocksGivenBack

_EXIT_SECONDS = 5.0
_START_SECONDS = 300.0
"""Until the first step of a pack: several processes may load torch side by side."""


class IsolatedProcessError(NodeError):
    """The process of an isolated pack has ended, or could not be started."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a call said at its end: an outcome, or what a hook returned."""

    value: Any


Item = CallProgress | CallFailed | Said | CalotypeError


@dataclass(slots=True)
class Pending:
    """A call that has not ended.

    Attributes:
        context: of the node.
        deliver: gets what arrives, in the reading thread.
    """

    context: Context
    method: str
    class_type: str
    deliver: Callable[[Item], None]


@dataclass(slots=True)
class _Waiting:
    """A question with one answer."""

    event: threading.Event = field(default_factory=threading.Event)
    answers: list[Any] = field(default_factory=list[Any])


class IsolatedProcess:
    """A started process. Not started again: see `IsolatedPack`.

    Attributes:
        gone: set when it has ended.
        reason: how, as the end of a sentence.
        told_run: the prompt that it was told of last.
    """

    def __init__(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        connection: socket.socket,
        handles: Handles,
        folder: Any,
        pass_on: Callable[[IsolatedProcess, PassedOn], None],
        on_end: Callable[[IsolatedProcess], None],
    ) -> None:
        """Take over a process that was just started.

        Args:
            name: of its pack.
            process: the process.
            connection: our end of its socket.
            handles: of objects that it and this process hold of each other.
            folder: for blocks of memory, see `BlockChannel`.
            pass_on: gets its messages for the server.
            on_end: called once, in another thread, when it has ended.
        """
        self.name = name
        self.gone = threading.Event()
        self.reason = ""
        self.told_run = ""
        self.handles = handles
        self._process = process
        self._channel: BlockChannel[IsolatedMessage] = BlockChannel(
            connection, IsolatedMessage, folder
        )
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._ready: queue.SimpleQueue[IsolatedReady | PackLoading | None] = queue.SimpleQueue()
        self._pass_on, self._on_end = pass_on, on_end
        self._kill_reason: str | None = None
        self._ending = threading.Lock()
        threading.Thread(target=self._read, name=f"isolated {name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def ready(self, seconds: float) -> IsolatedReady | None:
        """Wait until it has told its nodes; None where it ended before.

        Args:
            seconds: for each step of the pack's; Python and torch may take longer to load.

        Raises:
            TimeoutError: it did not in time.
        """
        deadline = time.monotonic() + max(seconds, _START_SECONDS)
        while True:
            try:
                found = self._ready.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty as error:
                raise TimeoutError from error
            if not isinstance(found, PackLoading):
                return found
            deadline = time.monotonic() + seconds

    def describe(self, seconds: float) -> IsolatedReady | None:
        """Have it describe its nodes again, and wait; None where it has ended.

        Raises:
            TimeoutError: it did not in time.
        """
        try:
            self._channel.send(Describe())
        except WireError:
            return None
        return self.ready(seconds)

    def call(self, call: Call, inputs: Any, pending: Pending) -> int:
        """Begin a call; `pending.deliver` gets what becomes of it.

        Returns:
            its number.

        Raises:
            CalotypeError: it cannot be made.
        """
        number = next(self._numbers)
        writer = Writer(self.handles)
        fields = {name: getattr(call, name) for name in call.__struct_fields__}
        tree = writer.tree(inputs)
        sent = Call(**{**fields, "number": number, "inputs": tree})
        self._pending[number] = pending
        try:
            unused = self.handles.unused()
            if unused:
                self._channel.send(Released(unused))
            self._channel.send_with(sent, writer.parts, writer.size)
        except WireError as error:
            self._pending.pop(number, None)
            if self.gone.is_set() or "gone" in str(error):
                self.wait_for_end()
                raise IsolatedProcessError(self.sentence(call.class_type)) from error
            raise
        if self.gone.is_set():  # it ended meanwhile, and may not have seen this call
            self._fail(self._pending.pop(number, None))
        return number

    def stop(self, number: int) -> None:
        """Tell it that the user stopped a call."""
        if not self.gone.is_set():
            try:
                self._channel.send(StopCall(number))
            except WireError:
                return

    def change_prompt(self, body: dict[str, Any], seconds: float) -> bytes:
        """A prompt's body as the pack changes it.

        Raises:
            TimeoutError: it took longer.
            WireError: it is gone.
        """
        number, waiting = next(self._numbers), _Waiting()
        self._waiting[number] = waiting
        try:
            self._channel.send(ChangePrompt(number, encode_json(body)))
            if not waiting.event.wait(seconds):
                raise TimeoutError(f"{self.name} took longer than {seconds:g} s")
        finally:
            self._waiting.pop(number, None)
        if not waiting.answers:
            raise WireError(f"the process of {self.name} ended")
        return waiting.answers[0]

    def send(self, message: Any) -> None:
        """Send a message, if it is still there."""
        try:
            self._channel.send(message)
        except WireError:
            return

    def kill(self, reason: str) -> None:
        """End it at once; `reason` is why."""
        self._kill_reason = self._kill_reason or reason
        self._process.kill()

    def wait_for_end(self) -> None:
        """Wait until its end is known; it closed its socket."""
        self.gone.wait(_EXIT_SECONDS)

    def sentence(self, class_type: str = "") -> str:
        """What to say of its end to the user whose node it costs."""
        during = f" while {class_type} ran" if class_type else ""
        return (
            f"the process of the isolated pack {self.name} {self.reason or 'ended'}{during}; "
            "it is started again for the next use"
        )

    def _read(self) -> None:
        try:
            for message in self._channel.receive():
                self._sort(message)
        except WireError as error:
            self.kill(f"was ended because it broke the protocol: {error}")
        self._end()

    def _end(self) -> None:
        """Its socket is closed: wait for its exit, and fail what waits for it."""
        try:
            code = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self.reason = self._kill_reason or _reason(code)
        self.handles.close()
        self.gone.set()
        self._channel.close()
        while self._pending:
            _, pending = self._pending.popitem()
            self._fail(pending)
        for waiting in [*self._waiting.values()]:
            waiting.event.set()
        self._ready.put(None)
        self._on_end(self)

    def _fail(self, pending: Pending | None) -> None:
        if pending is not None:
            pending.deliver(IsolatedProcessError(self.sentence(pending.class_type)))

    def _sort(self, message: IsolatedMessage) -> None:
        match message:
            case Answer(number=number):
                # Opened for every answer, in their order: also where nobody waits any more.
                with self._channel.reading(message.block) as memory:
                    pending = self._pending.pop(number, None)
                    if pending is not None:
                        pending.deliver(self._said(message, Reader(self.handles, memory), pending))
            case CallFailed(number=number):
                pending = self._pending.pop(number, None)
                if pending is not None:
                    pending.deliver(message)
            case CallProgress(number=number):
                pending = self._pending.get(number)
                if pending is not None:
                    pending.deliver(message)
            case AskGraph(number=number):
                pending = self._pending.get(number)
                told = {} if pending is None else _graph_of(pending.context)
                self.send(GraphTold(number, encode_json(told)))
            case IsolatedReady() | PackLoading():
                self._ready.put(message)
            case PromptChanged(number=number, body=body):
                waiting = self._waiting.get(number)
                if waiting is not None:
                    waiting.answers.append(body)
                    waiting.event.set()
            case Released(numbers=numbers):
                self.handles.take_back(numbers)
            case BlocksGivenBack():
                pass  # its channel has noted them
            case _:
                self._pass_on(self, message)

    @staticmethod
    def _said(message: Answer, reader: Reader, pending: Pending) -> Item:
        try:
            if pending.method != RUN:
                return Said(reader.value(message.value))
            shown = reader.value(message.shown)
            if message.graph is not None:
                expansion = Expansion(reader.value(message.graph), reader.value(message.result))
                return Said(Outcome((), shown, expansion))
            return Said(Outcome(reader.value(message.value) or (), shown))
        except CalotypeError as error:
            return error


def _graph_of(context: Context) -> dict[str, Any]:
    """The graph of a run, as `RemoteGraph` reads it."""
    graph = context.graph
    if graph is None:
        return {"nodes": {}, "original": context.prompt}
    nodes = {
        name: {
            "node": graph.get_node(name),
            "display": graph.get_display_node_id(name),
            "real": graph.get_real_node_id(name),
            "parent": graph.get_parent_node_id(name),
        }
        for name in graph.all_node_ids()
    }
    return {"nodes": nodes, "original": graph.get_original_prompt()}


def _reason(code: int) -> str:
    if code >= 0:
        return f"ended by itself (exit code {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    hint = ", the system may have run out of memory" if -code == signal.SIGKILL else ""
    return f"was ended by signal {-code} ({name}{hint})"


def variables() -> dict[str, str]:
    """The environment variables of such a process: those of this one, but for Python's own."""
    own = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    kept = {name: each for name, each in os.environ.items() if name not in own}
    return {**kept, "PYTHONUNBUFFERED": "1"}
