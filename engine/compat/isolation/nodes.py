"""Nodes of an isolated pack in the worker: ordinary nodes whose calls go to another process."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from engine.compat.isolation.process import IsolatedProcess, Item, Pending, Said
from engine.errors import NodeError, Stopped
from engine.graph.schema import NodeSchema
from engine.nodekit.context import Context
from engine.nodekit.node import Node, Outcome, Soon, Traits
from engine.wire.isolated_messages import (
    COMPLAINT,
    FINGERPRINT,
    NEEDED,
    RUN,
    Call,
    CallFailed,
    CallProgress,
    NodeTraits,
)

GRACE_SECONDS = 5.0
"""From a stop until the process of a node that ignores it is ended."""
_LOOK_SECONDS = 0.05
STAYING = frozenset(
    {
        *("MODEL", "CLIP", "VAE", "CONTROL_NET", "CLIP_VISION", "STYLE_MODEL", "UPSCALE_MODEL"),
        *("GUIDER", "SAMPLER", "NOISE", "GLIGEN", "HOOKS", "HOOK_KEYFRAMES", "LORA_MODEL"),
        *("AUDIO_ENCODER", "MODEL_PATCH", "LATENT_OPERATION", "VIDEO", "CLIP_VISION_OUTPUT"),
    }
)
"""Types whose values are objects that stay in the process that made them."""


class RemoteError(NodeError):
    """What a node raised in another process.

    Attributes:
        lines: of its traceback there.
    """

    lines: tuple[str, ...] = ()


class Caller(Protocol):
    """A pack whose nodes another process runs; see `packs.IsolatedPack`."""

    name: str
    traits: Mapping[str, NodeTraits]

    def schema(self, class_type: str) -> NodeSchema:
        """The schema of a class. Raises `NodeError` if there is none."""
        ...

    def call(
        self, call: Call, inputs: dict[str, Any], pending: Pending
    ) -> tuple[IsolatedProcess, int]:
        """Begin a call; the process that has it, and its number there."""
        ...


class RemoteNode(Node):
    """A class of an isolated pack as a Node."""

    def __init__(self, pack: Caller, class_type: str, alias: str = "") -> None:
        """A node.

        Args:
            pack: calls it.
            class_type: its name in the pack.
            alias: its name in prompts, if that is another one.
        """
        self._pack = pack
        self._own = class_type
        self._class_type = alias or class_type

    @property
    def class_type(self) -> str:
        """Its name in prompts."""
        return self._class_type

    def renamed(self, class_type: str) -> RemoteNode:
        """The same class under another name in prompts."""
        return RemoteNode(self._pack, self._own, class_type)

    @property
    def schema(self) -> NodeSchema:
        """Its schema, as the process told it last.

        Raises:
            NodeError: the process did not tell one.
        """
        found = self._pack.schema(self._own)
        name = found.display_name
        if self._class_type != self._own:
            name = f"{name} ({self._pack.name})"
        return replace(
            found,
            class_type=self._class_type,
            display_name=name,
            description=_marked(found),
        )

    @property
    def traits(self) -> Traits:
        """Which of the rarer methods the class has."""
        told = self._told
        return Traits(told.fingerprints, told.chooses, told.checks, told.knows_id)

    def run(self, inputs: Mapping[str, Any], context: Context) -> Soon[Outcome]:
        """Call it, and wait; if it is a coroutine, return one."""
        call = self._call(RUN, context)
        if self._told.is_async:
            return self._later(call, inputs, context)
        return self._now(call, inputs, context)

    def fingerprint_of(self, inputs: Mapping[str, Any], context: Context) -> Soon[Any]:
        """The result of `IS_CHANGED` or `fingerprint_inputs`."""
        return self._now(self._call(FINGERPRINT, context), inputs, context)

    def needed(self, inputs: Mapping[str, Any], context: Context) -> Soon[Sequence[str]]:
        """The result of `check_lazy_status`."""
        return self._now(self._call(NEEDED, context), inputs, context) or ()

    def complaint(
        self, inputs: Mapping[str, Any], linked_types: Mapping[str, str], context: Context
    ) -> Soon[str | None]:
        """The result of `VALIDATE_INPUTS` or `validate_inputs`."""
        call = self._call(COMPLAINT, context, linked_types)
        found = self._now(call, inputs, context)
        return None if found is None else str(found)

    @property
    def _told(self) -> NodeTraits:
        return self._pack.traits.get(self._own, NodeTraits())

    def _call(
        self, method: str, context: Context, linked_types: Mapping[str, str] | None = None
    ) -> Call:
        return Call(
            number=0,
            method=method,
            class_type=self._own,
            node_id=context.node_id,
            inputs=None,
            linked_types={key: str.__str__(each) for key, each in (linked_types or {}).items()},
            call=getattr(context, "call", 0),
            preview_method=getattr(context, "preview_method", "none"),
            prompt_id=getattr(context, "prompt_id", ""),
        )

    def _now(self, call: Call, inputs: Mapping[str, Any], context: Context) -> Any:
        """Make a call, and wait for its end in this thread."""
        items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        pending = Pending(context, call.method, self._class_type, items.put)
        process, number = self._pack.call(call, dict(inputs), pending)
        stop = _Stop(process, number)
        while True:
            stop.look(context.checkpoint)
            try:
                item = items.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if isinstance(item, CallProgress):
                stop.look(lambda item=item: context.progress(item.step, item.steps, item.preview))
            else:
                return stop.value(item)

    async def _later(self, call: Call, inputs: Mapping[str, Any], context: Context) -> Outcome:
        """Make a call, and wait for its end in the event loop."""
        loop = asyncio.get_running_loop()
        items: asyncio.Queue[Item] = asyncio.Queue()

        def deliver(item: Item) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(items.put_nowait, item)

        pending = Pending(context, call.method, self._class_type, deliver)
        process, number = self._pack.call(call, dict(inputs), pending)
        try:
            while True:
                item = await items.get()
                if isinstance(item, CallProgress):
                    context.progress(item.step, item.steps, item.preview)
                else:
                    return _value(item)
        except (asyncio.CancelledError, Stopped):
            process.stop(number)
            raise


class _Stop:
    """Passes the user's stop on to a process, and ends one that ignores it."""

    def __init__(self, process: IsolatedProcess, number: int) -> None:
        self._process, self._number = process, number
        self._since: float | None = None

    def look(self, check: Callable[[], None]) -> None:
        """Call what raises `Stopped` if the user stopped the run; the call is then told.

        Raises:
            Stopped: the process was ended, because the call did not end by itself.
        """
        if self._since is None:
            try:
                check()
            except Stopped:
                self._since = time.monotonic()
                self._process.stop(self._number)
        elif time.monotonic() - self._since > GRACE_SECONDS:
            self._process.kill("was ended because its node did not stop")
            self._process.wait_for_end()
            raise Stopped

    def value(self, item: Item) -> Any:
        """What a call said. Raises what it raised, and `Stopped` after a stop, whatever came."""
        if self._since is not None:
            raise Stopped
        return _value(item)


def _value(item: Item) -> Any:
    if isinstance(item, Said):
        return item.value
    if isinstance(item, CallFailed):
        raise _error(item)
    assert isinstance(item, Exception)  # noqa: S101 - progress is no end
    raise item


def _error(failed: CallFailed) -> Exception:
    """An error of another process as one here: with its text, the name of its class, its lines."""
    if failed.is_stop:
        return Stopped()
    module = failed.module if failed.module.isprintable() else "builtins"
    kind = type(failed.error_type, (RemoteError,), {"__module__": module})
    error = kind(failed.error)
    error.lines = failed.traceback
    return error


def _marked(schema: NodeSchema) -> str:
    """Its description, with a sentence on types that do not reach its process."""
    found = {
        part
        for each in (*schema.inputs, *schema.outputs)
        for part in str.__str__(each.type).split(",")
        if part in STAYING
    }
    if not found:
        return schema.description
    listed = ", ".join(sorted(found))
    sentence = (
        f"Its pack is isolated: {listed} stay in the process that made them and can only be "
        "passed through here."
    )
    return f"{schema.description}\n\n{sentence}" if schema.description else sentence
