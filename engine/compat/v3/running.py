"""The context of the node that is now running, for plugin code that gets no parameter for it."""

from __future__ import annotations

from engine.errors import NodeError
from engine.nodekit.context import CURRENT, RunningContext


def current(what: str) -> RunningContext:
    """The context of the running node.

    Args:
        what: what needs it, for the error.

    Raises:
        NodeError: no node is running.
    """
    context = CURRENT.get(None)
    if context is None:
        raise NodeError(f"{what} works only while a node runs; call it from the node's function")
    return context
