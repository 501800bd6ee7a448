"""`comfy_execution.graph`, `.utils` and `.progress`: what a running node may ask about its run."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from contextvars import Token
from enum import Enum
from typing import Any, NamedTuple, Self, cast

from engine.compat.v3.api import report_progress
from engine.execute.live import GrowingGraph
from engine.graph.prompt import parse
from engine.nodekit.context import CURRENT, RunningContext


class ExecutionContext(NamedTuple):
    """Which call is being made: of which prompt and node, and for which element of its lists."""

    prompt_id: str
    node_id: str
    list_index: int | None


def get_executing_context() -> ExecutionContext | None:
    """The call that is being made, or None outside of a node."""
    context = CURRENT.get(None)
    if context is None:
        return None
    return ExecutionContext(context.prompt_id, context.node_id, context.call)


class CurrentNodeContext:
    """Makes another node the running one, for its progress, as long as a `with` lasts."""

    def __init__(self, prompt_id: str, node_id: str, list_index: int | None = None) -> None:
        self.context = ExecutionContext(prompt_id, node_id, list_index)
        self._token: Token[RunningContext] | None = None

    def __enter__(self) -> Self:
        found = CURRENT.get(None)
        if found is not None:
            inner = found.aside()
            inner.node_id = self.context.node_id
            inner.call = self.context.list_index or 0
            self._token = CURRENT.set(inner)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)


class DynamicPrompt(ABC):  # noqa: B024 - it recognises GrowingGraph
    """A graph with its expansions. What a node gets as DYNPROMPT is one."""

    def __new__(cls, original_prompt: Mapping[str, Any]) -> Any:
        """A graph of a prompt in API form.

        Raises:
            PromptError: it is no prompt.
        """
        return GrowingGraph(parse(original_prompt))


DynamicPrompt.register(GrowingGraph)


class NodeNotFoundError(Exception):
    """There is no node of that id."""


class DependencyCycleError(Exception):
    """The links run in a circle."""


class NodeState(Enum):
    """How far a node is."""

    Pending = "pending"
    Running = "running"
    Finished = "finished"
    Error = "error"


class ProgressHandler:
    """Is told of the progress that plugins report; a plugin derives its own from this."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.enabled = True

    def set_registry(self, registry: ProgressRegistry) -> None:
        """Called when it is added."""

    def start_handler(self, node_id: str, state: dict[str, Any], prompt_id: str) -> None:
        """A node began."""

    def update_handler(
        self,
        node_id: str,
        value: float,
        max_value: float,
        state: dict[str, Any],
        prompt_id: str,
        image: Any = None,
    ) -> None:
        """A node is at `value` of `max_value`."""

    def finish_handler(self, node_id: str, state: dict[str, Any], prompt_id: str) -> None:
        """A node ended."""

    def reset(self) -> None:
        """A run ended."""

    def enable(self) -> None:
        """Be told again."""
        self.enabled = True

    def disable(self) -> None:
        """Be told nothing."""
        self.enabled = False


class ProgressRegistry:
    """The progress that plugins report in this run, and who else is told of it.

    Attributes:
        nodes: by id, `{"state", "value", "max"}`.
    """

    def __init__(self, prompt_id: str = "", dynprompt: Any = None) -> None:
        self.prompt_id = prompt_id
        self.dynprompt = dynprompt
        self.nodes: dict[str, dict[str, Any]] = {}
        self.handlers: dict[str, ProgressHandler] = {}

    def register_handler(self, handler: ProgressHandler) -> None:
        """Tell a handler, too."""
        handler.set_registry(self)
        self.handlers[handler.name] = handler

    def unregister_handler(self, handler_name: str) -> None:
        """Stop telling a handler."""
        self.handlers.pop(handler_name, None)

    def ensure_entry(self, node_id: str) -> dict[str, Any]:
        """A node's state; a new one is pending."""
        return self.nodes.setdefault(
            node_id, {"state": NodeState.Pending, "value": 0.0, "max": 1.0}
        )

    def start_progress(self, node_id: str) -> None:
        """A node begins; the engine reports its own nodes by itself."""
        entry = self.ensure_entry(node_id)
        entry.update(state=NodeState.Running, value=0.0, max=1.0)
        for handler in self._enabled():
            handler.start_handler(node_id, entry, self.prompt_id)

    def update_progress(
        self, node_id: str, value: float, max_value: float, image: Any = None
    ) -> None:
        """Report a step, to the editor and to the handlers.

        Args:
            node_id: a node of the run.
            value, max_value: the step, and how many there are.
            image: a preview: a Pillow image, or `(format, image, size)`.

        Raises:
            Stopped: the user stopped the run.
        """
        entry = self.ensure_entry(node_id)
        entry.update(state=NodeState.Running, value=value, max=max_value)
        for handler in self._enabled():
            handler.update_handler(node_id, value, max_value, entry, self.prompt_id, image)
        if CURRENT.get(None) is not None:
            shown: Any = cast("Any", image)[1] if isinstance(image, tuple) else image
            report_progress(value, max_value, node_id, shown)

    def finish_progress(self, node_id: str) -> None:
        """A node ends."""
        entry = self.ensure_entry(node_id)
        entry.update(state=NodeState.Finished, value=entry["max"])
        for handler in self._enabled():
            handler.finish_handler(node_id, entry, self.prompt_id)

    def reset_handlers(self) -> None:
        """Tell the handlers that the run ended."""
        for handler in self.handlers.values():
            handler.reset()

    def _enabled(self) -> list[ProgressHandler]:
        return [each for each in self.handlers.values() if each.enabled]


_REGISTRY = [ProgressRegistry()]


def get_progress_state() -> ProgressRegistry:
    """The registry of the running prompt; a new one with each prompt."""
    context = CURRENT.get(None)
    if context is not None and _REGISTRY[0].prompt_id != context.prompt_id:
        reset_progress_state(context.prompt_id, context.graph)
    return _REGISTRY[0]


def reset_progress_state(prompt_id: str, dynprompt: Any = None) -> None:
    """Begin a prompt; the handlers that were added stay."""
    before = _REGISTRY[0]
    before.reset_handlers()
    _REGISTRY[0] = ProgressRegistry(prompt_id, dynprompt)
    for handler in before.handlers.values():
        _REGISTRY[0].register_handler(handler)


def add_progress_handler(handler: ProgressHandler) -> None:
    """Tell a handler of the progress that plugins report."""
    get_progress_state().register_handler(handler)
