"""Calls of a pack's nodes, inside of its process: one after the other, coroutines side by side."""

from __future__ import annotations

import asyncio
import inspect
import json
import queue
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from engine.compat.isolation.stand_ins import Handles
from engine.compat.isolation.values import Reader, Writer
from engine.compat.serving.events import encode_json
from engine.compat.serving.prompt_server import PromptServer
from engine.errors import CalotypeError, NodeError, Stopped, error_text
from engine.execute.coroutines import Coroutines
from engine.files import Files
from engine.nodekit.context import CURRENT, RunningContext
from engine.nodekit.node import Node, Outcome
from engine.nodekit.registry import Registry
from engine.nodekit.v1 import V1Node
from engine.nodekit.v3 import V3Node
from engine.wire.isolated_messages import (
    COMPLAINT,
    FINGERPRINT,
    NEEDED,
    Answer,
    AskGraph,
    Call,
    CallFailed,
    CallProgress,
    GraphTold,
    IsolatedCommand,
    Released,
    RunOf,
)
from engine.wire.shared_memory import BlockChannel

_TURN = 0.01
"""Seconds for coroutines between two looks for another call."""
_GRAPH_SECONDS = 30.0
Inputs = dict[str, Any] | Exception


class Calls:
    """Begins calls and reports their ends.

    Attributes:
        prompts: told what runs.
    """

    def __init__(
        self,
        registry: Registry,
        files: Files,
        channel: BlockChannel[IsolatedCommand],
        handles: Handles,
    ) -> None:
        """Nothing runs yet."""
        self.prompts: PromptServer | None = None
        self._registry = registry
        self._files = files
        self._channel = channel
        self._handles = handles
        self._coroutines = Coroutines()
        self._unfinished: dict[int, asyncio.Task[None]] = {}
        self._stopped: set[int] = set()
        self._is_ending = False
        self._run = ("", RunOf(b"{}", b"{}"))
        self._read_run: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._graphs: dict[int, tuple[threading.Event, list[bytes]]] = {}

    def next(self, work: queue.SimpleQueue[Callable[[], None] | None]) -> Callable[[], None] | None:
        """The next thing to do; coroutines of earlier calls run meanwhile."""
        while self._unfinished:
            self._cancel_stopped()
            self._coroutines.turn(_TURN)
            try:
                return work.get_nowait()
            except queue.Empty:
                continue
        return work.get()

    def read(self, call: Call, reader: Reader) -> Inputs:
        """The inputs of a call, or why they cannot be read."""
        try:
            return reader.value(call.inputs)
        except CalotypeError as error:
            return error

    def begin(self, call: Call, inputs: Inputs, pack: str) -> None:
        """Make a call. Whatever it raises is reported."""
        try:
            if isinstance(inputs, Exception):
                raise inputs
            answer = self._called(call, inputs, pack)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - costs this call alone
            self._failed(call, error)
            return
        if inspect.isawaitable(answer):
            self._unfinished[call.number] = self._coroutines.start(self._later(call, answer))
        else:
            self._ended(call, answer)

    def node(self, class_type: str, pack: str) -> Node | None:
        """The pack's node of that name, which a built-in one may have, too."""
        found = self._registry.get(f"{pack}/{class_type}")
        return found if found is not None else self._registry.get(class_type)

    @staticmethod
    def waits(node: Node) -> bool:
        """Whether its function is a coroutine."""
        if isinstance(node, V1Node):
            function = getattr(node.made_from, str(getattr(node.made_from, "FUNCTION", "")), None)
            return inspect.iscoroutinefunction(function)
        if isinstance(node, V3Node):
            return inspect.iscoroutinefunction(getattr(node.made_from, "execute", None))
        return False

    def stop(self, number: int) -> None:
        """The user stopped that call; it learns so when it looks."""
        self._stopped.add(number)

    def stop_all(self) -> None:
        """The worker is gone."""
        self._is_ending = True
        for event, _ in [*self._graphs.values()]:
            event.set()

    def graph_told(self, told: GraphTold) -> None:
        """The worker has sent the graph of a run."""
        found = self._graphs.get(told.number)
        if found is not None:
            found[1].append(told.body)
            found[0].set()

    def _called(self, call: Call, inputs: dict[str, Any], pack: str) -> Any:
        node = self.node(call.class_type, pack)
        if node is None:
            raise NodeError(f"{pack} has no class {call.class_type!r} any more")
        context = self._context(call)
        CURRENT.set(context)
        if self.prompts is not None and call.method == "run":
            self.prompts.node_began(call.node_id)
        match call.method:
            case method if method == FINGERPRINT:
                return node.fingerprint_of(inputs, context)
            case method if method == NEEDED:
                return node.needed(inputs, context)
            case method if method == COMPLAINT:
                return node.complaint(inputs, call.linked_types, context)
            case _:
                answer = node.run(inputs, context)
                if inspect.isawaitable(answer):
                    return _with_shown(answer, context)
                return _merged(answer, context)

    def _context(self, call: Call) -> RunningContext:
        if call.run is not None and self._run[0] != call.prompt_id:
            self._begin_run(call.prompt_id, call.run)
        prompt_id, told = self._run
        is_current = call.prompt_id == prompt_id
        prompt, extra = self._texts(told) if is_current else ({}, {})
        number = call.number

        def progress(_: str, step: int, steps: int, preview: bytes | None) -> None:
            self._channel.send(CallProgress(number, step, steps, preview))

        return RunningContext(
            call.node_id,
            self._files,
            prompt=prompt,
            extra=extra,
            graph=RemoteGraph(lambda: self._ask_graph(number)),
            call=call.call,
            stopped=lambda: number in self._stopped or self._is_ending,
            on_progress=progress,
            preview_method=call.preview_method,
            prompt_id=call.prompt_id,
        )

    def _begin_run(self, prompt_id: str, told: RunOf) -> None:
        self._run, self._read_run = (prompt_id, told), {}
        prompt, _ = self._texts(told)
        self._registry.forget_instances(lambda node: node.partition(".")[0] in prompt)
        if self.prompts is not None and told.job is not None:
            self.prompts.run_began(told.job)

    def _texts(self, told: RunOf) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self._read_run.get("")
        if found is None:
            found = (json.loads(told.prompt), json.loads(told.extra))
            self._read_run[""] = found
        return found

    def _ask_graph(self, number: int) -> dict[str, Any]:
        event, bodies = self._graphs[number] = (threading.Event(), [])
        try:
            self._channel.send(AskGraph(number))
            if not event.wait(_GRAPH_SECONDS) or not bodies:
                raise NodeError("the worker did not send the graph that the node asked for")
            return json.loads(bodies[0])
        finally:
            self._graphs.pop(number, None)

    async def _later(self, call: Call, answer: Awaitable[Any]) -> None:
        try:
            self._ended(call, await answer)
        except asyncio.CancelledError:
            self._failed(call, Stopped())
        except BaseException as error:  # noqa: BLE001 - costs this call alone
            self._failed(call, error)
        finally:
            self._unfinished.pop(call.number, None)

    def _cancel_stopped(self) -> None:
        for number, task in [*self._unfinished.items()]:
            if number in self._stopped:
                task.cancel()

    def _ended(self, call: Call, found: Any) -> None:
        writer = Writer(self._handles)
        try:
            answer = _answer(call.number, found, writer)
            self._channel.send_with(answer, writer.parts, writer.size)
        except CalotypeError as error:
            self._failed(call, error)
        self._release(call)

    def _failed(self, call: Call, error: BaseException) -> None:
        kind = type(error)
        lines = traceback.format_tb(_of_pack(error))
        self._channel.send(
            CallFailed(
                call.number,
                error_text(error),
                kind.__name__,
                kind.__module__,
                tuple(lines),
                isinstance(error, Stopped),
            )
        )
        self._release(call)

    def _release(self, call: Call) -> None:
        self._stopped.discard(call.number)
        unused = self._handles.unused()
        if unused:
            self._channel.send(Released(unused))


class RemoteGraph:
    """The graph of a run, read from the worker when a node first asks."""

    def __init__(self, ask: Callable[[], dict[str, Any]]) -> None:
        self._ask = ask
        self._told: dict[str, Any] | None = None

    def get_node(self, node_id: str) -> Mapping[str, Any]:
        """A node in API form."""
        return self._nodes[node_id]["node"]

    def has_node(self, node_id: str) -> bool:
        """Whether there is such a node."""
        return node_id in self._nodes

    def get_display_node_id(self, node_id: str) -> str:
        """The node on which the editor shows this one's progress."""
        return self._nodes[node_id]["display"]

    def get_real_node_id(self, node_id: str) -> str:
        """The node of the user's prompt that this one came from."""
        return self._nodes[node_id]["real"]

    def get_parent_node_id(self, node_id: str) -> str | None:
        """The node whose expansion added this one, or None."""
        return self._nodes[node_id]["parent"]

    def all_node_ids(self) -> Iterable[str]:
        """The ids of all nodes."""
        return set(self._nodes)

    def get_original_prompt(self) -> Mapping[str, Any]:
        """The prompt as it was sent."""
        return self._whole["original"]

    @property
    def ephemeral_prompt(self) -> Mapping[str, Any]:
        """The nodes that expansions added, in API form."""
        original = self.get_original_prompt()
        return {name: each["node"] for name, each in self._nodes.items() if name not in original}

    @property
    def _nodes(self) -> dict[str, Any]:
        return self._whole["nodes"]

    @property
    def _whole(self) -> dict[str, Any]:
        if self._told is None:
            self._told = self._ask()
        return self._told


async def _with_shown(answer: Awaitable[Outcome], context: RunningContext) -> Outcome:
    return _merged(await answer, context)


def _merged(outcome: Outcome, context: RunningContext) -> Outcome:
    """An outcome with what the node has shown by its context."""
    if not context.shown:
        return outcome
    context.show(**dict(outcome.shown or {}))
    return Outcome(outcome.values, context.shown, outcome.expansion)


def _answer(number: int, found: Any, writer: Writer) -> Answer:
    if not isinstance(found, Outcome):
        return Answer(number, writer.tree(found))
    shown = writer.tree(None if found.shown is None else _plain(found.shown))
    if found.expansion is not None:
        result: Any = found.expansion.result
        result = tuple(result) if isinstance(result, list | tuple) else result
        graph = writer.tree(dict(found.expansion.graph))
        return Answer(number, shown=shown, graph=graph, result=writer.tree(result))
    return Answer(number, writer.tree(tuple(found.values)), shown)


def _plain(shown: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown, as JSON has it: it goes to the browser."""
    found: dict[str, Any] = {}
    for name, items in shown.items():
        found[str(name)] = msgspec.json.decode(encode_json(items))
    return found


def _of_pack(error: BaseException) -> Any:
    """The traceback from the node's own code on."""
    trace = error.__traceback__
    inner = trace
    while inner is not None:
        module = str(inner.tb_frame.f_globals.get("__name__", ""))
        if not module.startswith(("engine.compat.isolation", "engine.nodekit")):
            return inner
        inner = inner.tb_next
    return trace
