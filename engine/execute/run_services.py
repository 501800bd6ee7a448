"""What a run needs besides its graph, and the context of each of its nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from engine.execute.cache import Cache, NodeResult
from engine.execute.calls import Explain, Retry
from engine.execute.inputs import ClassInfo
from engine.execute.live import GrowingGraph
from engine.files import Files
from engine.nodekit.context import RunningContext
from engine.nodekit.registry import Registry
from engine.wire.messages import AnyEvent, Preview, Progress


@dataclass(frozen=True, slots=True)
class RunServices:
    """What a run needs besides the graph; `executor.execute` describes each part."""

    prompt_id: str
    registry: Registry
    cache: Cache
    report: Callable[[AnyEvent], None]
    files: Files
    extra: Mapping[str, Any]
    stopped: Callable[[], bool]
    retry: Retry | None
    explain: Explain | None
    infos: dict[str, ClassInfo]
    previews: str = "none"

    def files_exist(self, result: NodeResult) -> bool:
        """Whether the files that a cached result shows are still there."""
        for items in (result.shown or {}).values():
            for item in items:
                if isinstance(item, Mapping) and not self.files.has_shown(
                    cast("Mapping[str, object]", item)
                ):
                    return False
        return True

    def context(self, node_id: str, graph: GrowingGraph, call: int = 0) -> RunningContext:
        """The context of one call of a node."""

        def report_progress(node_id: str, step: int, steps: int, preview: bytes | None) -> None:
            node = graph.node_ref(node_id)
            if preview is not None:
                self.report(Preview(self.prompt_id, node, preview))
            self.report(Progress(self.prompt_id, node, step, steps))

        return RunningContext(
            node_id,
            self.files,
            extra=self.extra,
            graph=graph,
            call=call,
            stopped=self.stopped,
            on_progress=report_progress,
            preview_method=self.previews,
            prompt_id=self.prompt_id,
        )
