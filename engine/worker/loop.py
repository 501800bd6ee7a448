"""A worker: one device, the nodes, the cached results. Runs jobs, reports events, frees memory.

The one module where graph, nodes, weights and memory meet.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import msgspec
import torch

from engine.execute.cache import Cache
from engine.execute.checks import own_checks
from engine.execute.executor import Job, Report, Result, execute, never_stopped
from engine.execute.inputs import ClassInfo
from engine.files import Files
from engine.graph.problems import NodeProblems
from engine.graph.problems import Report as Validation
from engine.graph.prompt import Prompt
from engine.graph.schema import Catalog
from engine.graph.validate import missing_files, validate
from engine.machine import total_memory
from engine.nodekit.registry import Registry
from engine.record.make import Recorder
from engine.record.record import Computing, to_json
from engine.residency import manager
from engine.residency.budget import choose_budget, memory_of
from engine.residency.device import DTYPES, choose_device, choose_dtype, use_physical_cores
from engine.residency.memory import keep_freed_pages
from engine.settings import Settings
from engine.wire.messages import AnyEvent, Finished, Running
from engine.worker.gauge import SHORTEST_MEASURED, MemoryGauge
from engine.worker.memory import FreedPages, GrowthLimit, MemoryRetry, kept_pages, measure
from engine.worker.recorded import RecordedExtra, without_metadata
from nodes import builtin_registry


class Worker:
    """Everything a run needs, made once per process.

    Attributes:
        files: the user's folders.
        recorder: makes the records of runs.
        registry: every node by class.
        cache: finished results.
        note: which dtype is computed in, and why.
    """

    def __init__(self, settings: Settings) -> None:
        device = choose_device(settings.device)
        choice = choose_dtype(
            device, settings.dtype, probe_file=settings.cache_directory / "device.json"
        )
        if device.type == "cpu":
            use_physical_cores()
            keep_freed_pages()
        budget = choose_budget(
            memory_of(device, cache=settings.cache_bytes),
            vram=settings.vram,
            reserve=settings.reserve_vram,
            resident=settings.resident,
        )
        self.note = "; ".join(filter(None, (choice.note, budget.note)))
        self.files = Files(settings)
        self.recorder = Recorder(settings, self.files)
        self.registry: Registry = builtin_registry()
        self.catalog: Catalog = self.registry.catalog()
        # Pages that the process retains between runs count against the user's budget.
        kept = kept_pages(settings.cache_bytes)
        self.cache = Cache(max(0, settings.cache_bytes - kept), measure=measure)
        is_chosen = settings.vram is not None or not settings.reserve_vram.is_nothing
        self._residency = manager.DeviceResidency(
            device,
            choice.dtype,
            # A budget the user did not choose is a plan, not a limit that ends a run.
            budget=budget.nbytes if is_chosen else None,
            reserved=settings.cache_bytes,
            resident=budget.resident,
        )
        self._pages = FreedPages(self._accounted, kept)
        self._growth = GrowthLimit(limited=device.type == "cpu")
        self._gauge = MemoryGauge(device)
        self._infos: dict[str, ClassInfo] = {}

    def check(
        self,
        prompt: Prompt,
        *,
        wanted: Collection[str] | None = None,
        ordered: Sequence[str] = (),
    ) -> Validation:
        """Every problem of a prompt, its nodes' own checks included.

        Args:
            prompt: what to run.
            wanted: check only these output nodes; None for all.
            ordered: the nodes that these need, in order, where that is known.
        """
        return validate(
            prompt,
            self.catalog,
            list_folder=self.files.list,
            has_file=self.files.has,
            wanted=wanted,
            complain=own_checks(self.registry, prompt, self.files),
            most_bytes=total_memory(),
            ordered=ordered,
        )

    def missing_files(self, prompt: Prompt) -> Mapping[str, NodeProblems]:
        """The files that a prompt names and that do not exist, by node."""
        return missing_files(prompt, self.catalog, self.files.list, self.files.has)

    def has_checks(self, prompt: Prompt) -> bool:
        """Whether some node of the prompt has its own check, which only a worker can run."""
        classes = {node.class_type for node in prompt.nodes.values()}
        return any(self.registry[each].traits.checks for each in classes if each in self.registry)

    def has_fingerprints(self, prompt: Prompt) -> bool:
        """Whether some node of the prompt has a fingerprint, such as the identity of a file."""
        classes = {node.class_type for node in prompt.nodes.values()}
        return any(
            self.registry[each].traits.fingerprints for each in classes if each in self.registry
        )

    def free(self, *, weights: bool, results: bool) -> int:
        """Delete cached results, and take weights that are not in use off the device.

        Returns:
            bytes freed.
        """
        freed = 0
        if results:
            freed += self.cache.size
            self.cache.clear()
        if weights:
            freed += self._residency.release(1 << 62)
        self._pages.release()
        return freed

    @property
    def device(self) -> torch.device:
        """What computes."""
        return self._residency.device

    @property
    def residency(self) -> manager.Residency:
        """What manages the device's memory."""
        return self._residency

    @property
    def computing(self) -> Computing:
        """What computes, for the record of a run."""
        device, dtype = self.device, self._residency.dtype
        name = platform.machine() if device.type == "cpu" else torch.cuda.get_device_name(device)
        dtypes = {value: key for key, value in DTYPES.items()}
        return Computing(dtypes[dtype], device.type, name, str(torch.__version__))

    @property
    def memory_budget(self) -> int:
        """Bytes of the device for weights and activations."""
        return self._residency.budget

    @property
    def weights_held(self) -> int:
        """Bytes that weights take on the device now."""
        return self._residency.held

    def _accounted(self) -> int:
        """Bytes of main memory that results and weights are known to take."""
        on_cpu = self._residency.device.type == "cpu"
        return self.cache.size + (self.weights_held if on_cpu else 0)

    def run(
        self,
        job: Job,
        prompt: Prompt,
        report: Report,
        *,
        stopped: Callable[[], bool] = never_stopped,
    ) -> Result:
        """Run a checked prompt; events go to `report`, in this thread.

        When memory runs out, weights and results that are not in use are freed and the node is
        called once more; then its error says how many bytes were missing.
        """
        files = self.files if job.metadata else without_metadata(self.files)
        if files.embed_metadata:
            job = replace(job, extra=RecordedExtra(job.extra, lambda: self._record(prompt)))
        retry = MemoryRetry(self._residency, self.cache, growth=self._growth)
        gauge, measuring = self._gauge, False

        def report_event(event: AnyEvent) -> None:
            nonlocal measuring
            if isinstance(event, Running):
                self._growth.renew()
                if not measuring:
                    measuring = True
                    gauge.begin()
            elif isinstance(event, Finished) and event.seconds >= SHORTEST_MEASURED:
                event = msgspec.structs.replace(event, memory=gauge.peak())
            report(event)

        with manager.installed(self._residency), torch.inference_mode():
            result = execute(
                job,
                prompt,
                self.registry,
                self.cache,
                report_event,
                files=files,
                stopped=stopped,
                retry=retry,
                explain=retry.explain,
                infos=self._infos,
            )
        if measuring:  # else nothing ran
            self._pages.trim()
        return result

    def _record(self, prompt: Prompt) -> Mapping[str, object]:
        return to_json(self.recorder.record(prompt, self.catalog, self.computing))
