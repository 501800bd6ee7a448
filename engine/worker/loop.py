"""A worker: one device, the nodes, the results kept. Takes a job, runs it, reports, frees.

The only place that meets everything. Knows no browser and no terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import cast

import msgspec
import torch

from engine.execute.cache import Cache
from engine.execute.checks import own_checks
from engine.execute.executor import Job, Report, Result, execute, never
from engine.files import Files
from engine.graph.problems import Report as Validation
from engine.graph.prompt import Prompt
from engine.graph.schema import Catalog
from engine.graph.validate import validate
from engine.nodekit.registry import Registry
from engine.residency import manager
from engine.residency.device import choose_device, choose_dtype, use_physical_cores
from engine.residency.memory import keep_freed_pages
from engine.settings import Settings
from engine.wire.messages import AnyEvent, Failed, Finished
from engine.worker.gauge import WORTH_MEASURING, Gauge
from engine.worker.memory import Rescue, measure
from nodes import builtin_registry


class Worker:
    """Everything a run needs, made once per process.

    Attributes:
        files: the user's folders.
        registry: every node by class.
        cache: finished results.
        note: which dtype is computed in, and why.
    """

    def __init__(self, settings: Settings) -> None:
        device = choose_device()
        choice = choose_dtype(
            device, settings.dtype, probe_file=settings.cache_directory / "device.json"
        )
        if device.type == "cpu":
            use_physical_cores()
            keep_freed_pages()
        self.note = choice.note
        self.files = Files(settings)
        self.registry: Registry = builtin_registry()
        self.catalog: Catalog = self.registry.catalog()
        self.cache = Cache(settings.cache_bytes, measure=measure)
        self._residency = manager.DeviceResidency(device, choice.dtype)

    def check(self, prompt: Prompt, *, wanted: Collection[str] | None = None) -> Validation:
        """Every problem of a prompt, its nodes' own checks included.

        Args:
            prompt: what to run.
            wanted: look at no other output nodes than these; None for all.
        """
        return validate(
            prompt,
            self.catalog,
            list_folder=self.files.list,
            wanted=wanted,
            complain=own_checks(self.registry, prompt, self.files),
        )

    def has_checks(self, prompt: Prompt) -> bool:
        """Whether some node of the prompt has a check of its own, which only a worker can ask."""
        classes = {node.class_type for node in prompt.nodes.values()}
        return any(self.registry[each].traits.checks for each in classes if each in self.registry)

    def free(self, *, weights: bool, results: bool) -> int:
        """Forget finished results, and take weights that are not in use off the device.

        Returns:
            bytes let go.
        """
        freed = 0
        if results:
            freed += self.cache.size
            self.cache.clear()
        if weights:
            freed += self._residency.release(1 << 62)
        return freed

    def run(
        self,
        job: Job,
        prompt: Prompt,
        report: Report,
        *,
        stopped: Callable[[], bool] = never,
    ) -> Result:
        """Run a checked prompt; events go to `report`, in this thread.

        When memory runs out, weights and results that are not in use are let go and the node is
        called once more; then its error says how many bytes were missing.
        """
        rescue = Rescue(self._residency, self.cache)
        gauge = Gauge(self._residency.device)

        def explained(event: AnyEvent) -> AnyEvent:
            if isinstance(event, Failed) and rescue.shortage and _lacks_memory(event):
                return msgspec.structs.replace(event, message=rescue.shortage)
            return event

        def tell(event: AnyEvent) -> None:
            if isinstance(event, Finished) and event.seconds >= WORTH_MEASURING:
                event = msgspec.structs.replace(event, memory=gauge.highest())
            report(explained(event))

        with manager.installed(self._residency), torch.inference_mode():
            result = execute(
                job,
                prompt,
                self.registry,
                self.cache,
                tell,
                files=self.files,
                stopped=stopped,
                retry=rescue,
            )
        if isinstance(result.end, Failed):
            return replace(result, end=cast("Failed", explained(result.end)))
        return result


def _lacks_memory(event: Failed) -> bool:
    return "memory" in event.message.lower() or event.error_type.endswith("MemoryError")
