"""A node's error as the event that ends a run: message, node, traceback and inputs.

Inputs are described by type and shape; short plain values by their text.
"""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any

from engine.errors import CalotypeError, error_text
from engine.execute.inputs import Inputs
from engine.wire.messages import Failed, NodeRef

_LONGEST = 500
_MOST_VALUES = 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_IN_RUST = re.compile(rf"\(os error ({errno.ENOSPC}|{errno.EDQUOT})\)")
"""Libraries written in Rust, such as safetensors, say the number of the error in its text alone."""
_OURS = ("engine.execute", "engine.nodekit")


class NodeFailure(CalotypeError):  # noqa: N818 - carries the event of that name
    """A node raised. The event has the details."""

    def __init__(self, event: Failed) -> None:
        self.event = event
        super().__init__(f"{event.class_type} (node {event.node.id}): {event.message}")


def failure(
    prompt_id: str,
    node: NodeRef,
    class_type: str,
    error: Exception | SystemExit,
    *,
    inputs: Inputs | None,
    executed: list[str],
    message: str | None = None,
) -> NodeFailure:
    """The end of a run in which a node raised `error`.

    Args:
        prompt_id: of the run.
        node: that raised.
        class_type: of the node.
        error: what it raised.
        inputs: what it was called with.
        executed: the nodes that were called before.
        message: replaces the error's own text.
    """
    event = Failed(
        prompt_id=prompt_id,
        node=node,
        class_type=class_type,
        message=message or error_text(error),
        error_type=_type_name(error),
        # What another process raised brings its own lines.
        traceback=getattr(error, "lines", None)
        or tuple(traceback.format_tb(_of_node(error.__traceback__))),
        inputs=_described(inputs or {}),
        executed=tuple(executed),
        at=time(),
        full_disk=full_disk(error),
    )
    return NodeFailure(event)


def explained(
    error: Exception | SystemExit, explain: Callable[[Exception], str | None] | None
) -> str | None:
    """A clearer message for a node's error, where there is one."""
    return explain(error) if explain and isinstance(error, Exception) else None


def full_disk(error: BaseException) -> str | None:
    """Where an error, or what caused it, says that a disk or a quota is full.

    Returns:
        the folder; an empty text where the error does not name one; None for any other error.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return str(Path(cause.filename).parent) if isinstance(cause.filename, str) else ""
        if _FULL_IN_RUST.search(error_text(cause)):
            return ""
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _of_node(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the node's own code on; all of it where the error is the engine's."""
    inner = trace
    while inner is not None:
        module = inner.tb_frame.f_globals.get("__name__", "")
        if not str(module).startswith(_OURS):
            return inner
        inner = inner.tb_next
    return trace


def _described(inputs: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        name: [_describe(value) for value in values[:_MOST_VALUES]]
        for name, values in inputs.items()
    }


def _describe(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else hex(value)
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
    shape = getattr(value, "shape", None)
    if shape is not None:
        dtype = getattr(value, "dtype", "")
        return f"{type(value).__name__} {list(shape)} {dtype}".rstrip()
    if isinstance(value, list | tuple | dict):
        return f"{type(value).__name__} of {len(value)}"  # pyright: ignore[reportUnknownArgumentType]
    return type(value).__name__
