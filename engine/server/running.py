"""A prompt while it runs: a worker's events become browser messages and, at the end, an outcome.

The order of messages is that of `docs/http_api.md`. Pure logic: no sockets, store or processes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import UNSET

from engine.forecast.studied import StudiedPrompt
from engine.graph.problems import Problem
from engine.server import messages
from engine.server.answers import is_array, is_object
from engine.server.hub import Hub, Outgoing
from engine.server.messages import Body, NodeProgress, name_of
from engine.store.entries import End, Ending, Entry
from engine.wire.messages import (
    AnyEvent,
    Blocked,
    Cached,
    Failed,
    Finished,
    Interrupted,
    NodeOutput,
    NodeRef,
    Preview,
    Progress,
    Run,
    Running,
    Signatures,
    Started,
    Succeeded,
)

State = Literal["running", "finished", "error"]
_FOR_ALL = (
    Outgoing,
    messages.Progress,
    messages.ProgressState,
    messages.ExecutionInterrupted,
)
"""What is sent of a prompt that no client owns."""
_PREVIEW_METHODS = ("auto", "latent2rgb", "taesd")
"""Previews come only when a prompt asks for them: some clients take any picture for the result."""
_LONGEST_TEXT = 300
"""Characters of a text that lists show."""
NODE_ERRORS = "node_errors"
"""In `extra_data` and in history: the outputs that were not run, with the reasons."""
MOST_NODE_ERRORS = 100
"""Failed nodes that history shows, at most."""
_MOST_RUNNING_SHOWN = 32
"""With more running nodes than this, only the one that changed is sent."""


class RunningJob:
    """One prompt from the moment a worker has it.

    Attributes:
        entry: the prompt.
        ending: how it ended, None while it runs.
        node: the node that was called last.
        started: whether the worker reported that it began.
        stopping: whether a stop was requested.
        acknowledged: when the running node acknowledged the stop, by `time.monotonic`.
        accepted: whether the prompt is on disk; before, nothing of its run may be reported.
        has_ended: whether the worker has nothing more to report of it.
        stored: set when its beginning is on disk; what happened is sent only then.
        unsent: what is to be sent once it is.
    """

    def __init__(self, entry: Entry, *, accepted: bool = True) -> None:
        """Make the state of a run; not `accepted` is a prompt that is not on disk yet."""
        self.entry = entry
        self.accepted = accepted
        self.has_ended = False
        self._delayed_end: Callable[[], None] | None = None
        self.started = False
        self.stopping = False
        self.acknowledged: float | None = None
        self.stored = asyncio.Event()
        self.unsent: list[Body | Outgoing] = []
        self.ending: Ending | None = None
        self.node: NodeRef | None = None
        self._wants_previews = _preview_method(entry) != "none"
        self._running: dict[str, NodeProgress] = {}
        self._preview: Preview | None = None
        self._outputs: dict[str, dict[str, Any]] = {}
        self._meta: dict[str, dict[str, Any]] = {}
        self._messages: list[list[Any]] = []
        self._executed: list[str] = []
        self._error: messages.ExecutionError | None = None
        errors = entry.extra.get(NODE_ERRORS)
        self._node_errors: dict[str, Any] = dict(errors) if is_object(errors) else {}

    def once_accepted(self, end: Callable[[], None]) -> None:
        """The run has ended: call `end` now, or when the prompt is on disk."""
        self.has_ended = True
        if self.accepted:
            (self._delayed_end or end)()
        else:
            self._delayed_end = end

    def accept(self) -> None:
        """The prompt is on disk."""
        self.accepted = True
        end, self._delayed_end = self._delayed_end, None
        if end is not None:
            end()

    def discard(self, forget: Callable[[], None]) -> bool:
        """The prompt was not stored: `forget` replaces its end; whether the run goes on."""
        self.accepted = True
        self._delayed_end = forget
        if self.has_ended:
            forget()
        return not self.has_ended

    def handle(self, event: AnyEvent) -> list[Body | Outgoing]:
        """Apply an event; returns the messages to send, to the prompt's client or to all."""
        bodies = self._messages_for(event)
        if self.entry.client is not None:
            return list(bodies)
        return [each for each in bodies if isinstance(each, _FOR_ALL)]

    def state(self) -> Body | None:
        """The running nodes, for a client that connects meanwhile; None where there are none."""
        running = dict(list(self._running.items())[:_MOST_RUNNING_SHOWN])
        return messages.ProgressState(self.entry.id, running) if running else None

    def class_of(self, node_id: str) -> str:
        """The class of a node of the prompt."""
        found = self.entry.prompt.get(node_id)
        return str(found.get("class_type", "")) if is_object(found) else ""

    def crash_event(self, reason: str, kind: str = "WorkerDied") -> Failed:
        """The final event of a prompt whose worker is gone, naming the node that ran."""
        node_id = next(iter(self.entry.wanted), "")
        node = self.node or NodeRef(node_id, node_id, None, node_id)
        class_type = self.class_of(node.real_id)
        at = f" while node {node.id} ({class_type}) ran" if self.node else " before any node ran"
        if kind != "WorkerDied":
            at = ""
        executed = tuple(self._executed)
        return Failed(
            self.entry.id, node, class_type, reason + at, kind, (), {}, executed, time.time()
        )

    def interrupted_event(self) -> Interrupted:
        """The final event of a prompt that was stopped and whose worker is gone or never had it."""
        node = self.node
        class_type = None if node is None else self.class_of(node.real_id)
        return Interrupted(self.entry.id, node, class_type, tuple(self._executed), time.time())

    def end(self, now: float) -> End:
        """The record to store; `now` in seconds since 1970."""
        return End(self.entry.id, self.ending or "failed", self.outcome(), now, self.summary())

    def outcome(self) -> dict[str, Any]:
        """What history stores besides the prompt itself."""
        done = self.ending == "done"
        status: dict[str, Any] = {
            "status_str": "success" if done else "error",
            "completed": done,
            "messages": self._messages,
        }
        if self._node_errors:
            status[NODE_ERRORS] = self._node_errors
        return {"outputs": self._outputs, "meta": self._meta, "status": status}

    def summary(self) -> dict[str, Any]:
        """What lists of jobs show."""
        count, preview = summarize_outputs(self._outputs)
        found: dict[str, Any] = {"outputs_count": count}
        if preview is not None:
            found["preview_output"] = preview
        if text := next(_texts(self._outputs), None):
            found["preview_text"] = text[:_LONGEST_TEXT]
        if self._error is not None:
            found["execution_error"] = msgspec.to_builtins(self._error)
        return found

    def _messages_for(self, event: AnyEvent) -> Iterator[Body | Outgoing]:
        prompt_id = self.entry.id
        match event:
            case Started():
                self.started = True
                yield self._record(messages.ExecutionStart(prompt_id, _ms(event.at)))
            case Signatures():
                return
            case Cached():
                at = _ms(event.at)
                yield self._record(messages.ExecutionCached(event.nodes, prompt_id, at))
            case Running():
                self.node = event.node
                yield self._state(event.node, 0, 1, "running")
                yield messages.Executing(event.node.id, event.node.display_id, prompt_id)
            case Preview():
                self._preview = event if self._wants_previews else None
            case Progress():
                yield from self._progress(event)
            case NodeOutput():
                self._show(event)
                node = event.node
                yield messages.Executed(node.id, node.display_id, event.shown, prompt_id)
            case Finished():
                self._executed.append(event.node.id)
                before = self._running.get(event.node.id)
                most = before.max if before else 1
                yield self._state(event.node, most, most, "finished", event)
            case Blocked():
                self._note_problem(event)
                yield self._blocked(event)
            case Failed() | Interrupted() | Succeeded():
                yield from self._end(event)

    def _progress(self, event: Progress) -> Iterator[Body | Outgoing]:
        prompt_id, node = self.entry.id, event.node
        preview, self._preview = self._preview, None
        yield self._state(node, event.step, event.steps, "running")
        plain = with_metadata = None
        if preview is not None and preview.node == node:
            plain = messages.preview_frame(preview.image)
            with_metadata = messages.preview_frame_with_metadata(preview.image, prompt_id, node)
            yield Outgoing(b"", with_metadata, skippable=True)
        yield messages.Progress(event.step, event.steps, prompt_id, node.id)
        if plain is not None:
            yield Outgoing(plain, b"", skippable=True)

    def _state(
        self,
        node: NodeRef,
        value: float,
        most: float,
        state: State,
        finished: Finished | None = None,
    ) -> Body:
        """`progress_state` with this node and the others that run."""
        changed = NodeProgress(
            value,
            most,
            state,
            node.id,
            self.entry.id,
            node.display_id,
            node.parent_id,
            node.real_id,
            finished.seconds if finished else UNSET,
            (finished.memory or UNSET) if finished else UNSET,
        )
        if state == "running":
            self._running[node.id] = changed
        else:
            self._running.pop(node.id, None)
        beside = self._running if len(self._running) <= _MOST_RUNNING_SHOWN else {}
        return messages.ProgressState(self.entry.id, {**beside, node.id: changed})

    def _show(self, event: NodeOutput) -> None:
        node = event.node
        if event.shown is None:
            return
        self._outputs[node.id] = event.shown
        self._meta[node.id] = {
            "node_id": node.id,
            "display_node": node.display_id,
            "parent_node": node.parent_id,
            "real_node_id": node.real_id,
        }

    def _note_problem(self, event: Blocked) -> None:
        """Record for history why an output was not made although the run went on."""
        if len(self._node_errors) >= MOST_NODE_ERRORS and event.node.id not in self._node_errors:
            return
        problem = Problem("execution_blocked", "The node was not run", event.message)
        errors = self._node_errors.get(event.node.id, {}).get("errors", [])
        self._node_errors[event.node.id] = {
            "errors": [*errors, problem.to_json()],
            "dependent_outputs": [event.node.id],
            "class_type": event.class_type,
        }

    def _blocked(self, event: Blocked) -> Body:
        return messages.ExecutionError(
            prompt_id=self.entry.id,
            node_id=event.node.id,
            node_type=event.class_type,
            executed=tuple(self._executed),
            exception_message=event.message,
            exception_type="ExecutionBlocked",
            traceback=(),
            current_inputs={},
            current_outputs=(),
        )

    def _end(self, event: Failed | Interrupted | Succeeded) -> Iterator[Body]:
        prompt_id, at = self.entry.id, _ms(event.at)
        if isinstance(event, Succeeded):
            self.ending = "done"
            yield self._record(messages.ExecutionSuccess(prompt_id, at))
            return
        if isinstance(event, Interrupted):
            self.ending = "stopped"
            node = event.node.id if event.node else None
            yield self._record(
                messages.ExecutionInterrupted(prompt_id, node, event.class_type, event.executed, at)
            )
            return
        self.ending = "failed"
        before = self._running.get(event.node.id)
        if before is not None:
            yield self._state(event.node, before.value, before.max, "error")
        self._error = messages.ExecutionError(
            prompt_id=prompt_id,
            node_id=event.node.id,
            node_type=event.class_type,
            executed=event.executed,
            exception_message=event.message,
            exception_type=event.error_type,
            traceback=event.traceback,
            current_inputs=event.inputs,
            current_outputs=event.executed,
            timestamp=at,
        )
        yield self._record(self._error)

    def _record(self, body: Body) -> Body:
        """Record a message for history."""
        self._messages.append([name_of(body), msgspec.to_builtins(body, enc_hook=str)])
        return body


def run_message(entry: Entry, hub: Hub) -> Run:
    """What a worker is sent to run a prompt; every step is reported if it or its client asks."""
    all_progress = entry.extra.get("all_progress") is True or hub.wants_all_progress(entry.client)
    prompt = entry.prompt_json.encode() if entry.prompt_json else msgspec.json.encode(entry.prompt)
    extra = msgspec.json.encode(entry.extra.get("extra_pnginfo") or {})
    ordered = entry.studied.ordered if isinstance(entry.studied, StudiedPrompt) else ()
    return Run(
        prompt_id=entry.id,
        prompt=prompt,
        outputs=tuple(entry.wanted),
        extra=extra,
        all_progress=all_progress,
        ordered=ordered,
        previews=_preview_method(entry),
        client=entry.client,
        number=entry.number,
        metadata=entry.extra.get("metadata") is not False,
    )


def _preview_method(entry: Entry) -> str:
    method = entry.extra.get("preview_method")
    return method if method in _PREVIEW_METHODS else "none"


def failed_outcome(prompt_id: str, reason: str, kind: str = "ServerDied") -> dict[str, Any]:
    """What history shows of a prompt whose end no worker reported."""
    data = {"prompt_id": prompt_id, "exception_type": kind, "exception_message": reason}
    status = {"status_str": "error", "completed": False, "messages": [["execution_error", data]]}
    return {"outputs": {}, "meta": {}, "status": status}


def summarize_outputs(
    outputs: Mapping[str, Mapping[str, Any]],
) -> tuple[int, dict[str, Any] | None]:
    """The number of files shown, and the one that represents them: a saved one before a preview."""
    count = 0
    best: dict[str, Any] | None = None
    for node_id, shown in outputs.items():
        for kind, items in shown.items():
            for item in items if is_array(items) else ():
                if not is_object(item) or "filename" not in item:
                    continue
                count += 1
                if best is None or (best.get("type") == "temp" and item.get("type") != "temp"):
                    best = {**item, "nodeId": node_id, "mediaType": kind}
    return count, best


def _texts(outputs: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The texts that nodes showed."""
    for shown in outputs.values():
        items = shown.get("text")
        for item in items if is_array(items) else ():
            if isinstance(item, str) and item:
                yield item


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
