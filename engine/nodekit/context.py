"""What a running node may request from the engine, and nothing else.

`Context` is the protocol; `RunningContext` implements it with what the caller passes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

from engine.errors import Stopped
from engine.files import Files


class LiveGraph(Protocol):
    """The graph as it is while it runs, expansions included, under the incumbent's names."""

    def get_node(self, node_id: str) -> Mapping[str, Any]:
        """A node in API form."""
        ...

    def has_node(self, node_id: str) -> bool:
        """Whether there is such a node by now."""
        ...

    def get_display_node_id(self, node_id: str) -> str:
        """The node of the user's prompt on which the editor shows this one's progress."""
        ...

    def get_real_node_id(self, node_id: str) -> str:
        """The node of the user's prompt that this one derives from."""
        ...

    def get_parent_node_id(self, node_id: str) -> str | None:
        """The node whose expansion added this one, or None."""
        ...

    def all_node_ids(self) -> Iterable[str]:
        """The ids of all nodes, those of expansions too."""
        ...

    def get_original_prompt(self) -> Mapping[str, Any]:
        """The prompt as it was sent."""
        ...


@runtime_checkable
class Context(Protocol):
    """All that a running node may use. A node receives one by naming a parameter of this type."""

    @property
    def node_id(self) -> str:
        """The id of this node in the prompt. Declare `hidden=("UNIQUE_ID",)` to rely on it."""
        ...

    @property
    def files(self) -> Files:
        """The user's folders: list, find inside, name a new file."""
        ...

    @property
    def prompt(self) -> Mapping[str, Any]:
        """The prompt being run, in API form, for a picture's metadata."""
        ...

    @property
    def workflow(self) -> Mapping[str, Any] | None:
        """The saved workflow the prompt came from, if one was sent along."""
        ...

    @property
    def extra(self) -> Mapping[str, Any]:
        """What a client requested to store in a picture next to the prompt, `workflow` included."""
        ...

    @property
    def preview_method(self) -> str:
        """How a sampler makes previews: `none`, `auto`, `latent2rgb` or `taesd`."""
        ...

    @property
    def graph(self) -> LiveGraph | None:
        """The graph with its expansions, while one runs."""
        ...

    def progress(self, step: int, steps: int, preview: bytes | None = None) -> None:
        """Report `step` of `steps`, with a JPEG preview if there is one. Raises Stopped."""
        ...

    def checkpoint(self) -> None:
        """Raise `Stopped` when the user stopped the run. Call it at every block, tile and step."""
        ...

    def show(self, **shown: object) -> None:
        """Send the editor something to show under the node, e.g. `images=[...]`, `text=[...]`."""
        ...


OnProgress = Callable[[str, int, int, bytes | None], None]
"""Takes a node id, step, steps and a preview."""


class RunningContext:
    """A Context made from its arguments; for the executor, and for calling a node alone.

    Args:
        node_id: the node it is for.
        files: the user's folders.
        prompt: in API form; without it, that of the graph.
        extra: what a client sent along to be stored in pictures.
        graph: the graph being run.
        call: which of the node's calls it is for, where lists make several.
        stopped: called at each checkpoint; returns whether the user stopped the run.
        on_progress: called at each step.
        preview_method: how a sampler makes previews.
        prompt_id: the run it is for.
    """

    __slots__ = (
        "_on_progress",
        "_prompt",
        "_stopped",
        "call",
        "extra",
        "files",
        "graph",
        "node_id",
        "preview_method",
        "prompt_id",
        "shown",
    )

    def __init__(
        self,
        node_id: str,
        files: Files,
        *,
        prompt: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        graph: LiveGraph | None = None,
        call: int = 0,
        stopped: Callable[[], bool] | None = None,
        on_progress: OnProgress | None = None,
        preview_method: str = "none",
        prompt_id: str = "",
    ) -> None:
        self.node_id = node_id
        self.files = files
        self.extra: Mapping[str, Any] = extra or {}
        self.graph = graph
        self.call = call
        self.preview_method = preview_method
        self.prompt_id = prompt_id
        self.shown: dict[str, list[Any]] = {}
        self._prompt = prompt
        self._stopped = stopped
        self._on_progress = on_progress

    @property
    def prompt(self) -> Mapping[str, Any]:
        """The prompt being run, in API form."""
        if self._prompt is not None:
            return self._prompt
        return self.graph.get_original_prompt() if self.graph is not None else {}

    @property
    def workflow(self) -> Mapping[str, Any] | None:
        """The saved workflow the prompt came from, if one was sent along."""
        return self.extra.get("workflow")

    def progress(self, step: int, steps: int, preview: bytes | None = None) -> None:
        """Report a step, then check whether to stop."""
        if self._on_progress is not None:
            self._on_progress(self.node_id, step, steps, preview)
        self.checkpoint()

    def checkpoint(self) -> None:
        """Raise `Stopped` if the user stopped the run."""
        if self._stopped is not None and self._stopped():
            raise Stopped

    def show(self, **shown: object) -> None:
        """Keep what is shown in `shown`; what several calls show under one name adds up."""
        for name, items in shown.items():
            added: list[Any] = [*items] if isinstance(items, list | tuple) else [items]
            self.shown.setdefault(name, []).extend(added)

    def aside(self) -> RunningContext:
        """The same but for what is shown: for a node called by another node's code."""
        return RunningContext(
            self.node_id,
            self.files,
            prompt=self._prompt,
            extra=self.extra,
            graph=self.graph,
            call=self.call,
            stopped=self._stopped,
            on_progress=self._on_progress,
            preview_method=self.preview_method,
            prompt_id=self.prompt_id,
        )


CURRENT: ContextVar[RunningContext] = ContextVar("calotype_context")
"""The context of the node now being called, for plugin code that has no parameter for one."""
