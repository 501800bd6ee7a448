"""The inside of an isolated pack's process: imports the pack, calls its nodes, describes them."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable

import torch

from engine.compat.host import state
from engine.compat.host.folders import sync_folders
from engine.compat.isolation.calls import Calls
from engine.compat.isolation.stand_ins import Handles
from engine.compat.isolation.values import Reader
from engine.compat.loading import PackLoader
from engine.compat.serving.events import encode_json
from engine.compat.serving.link import ServerLink
from engine.compat.serving.plugin_routes import Routed, serve_routes
from engine.compat.serving.prompt_server import PromptServer, install_prompt_server
from engine.errors import WireError
from engine.files import Files
from engine.graph.catalog_file import pack_catalog
from engine.nodekit.registry import Registry
from engine.packs.found import Pack
from engine.packs.plan import Plan, find_pack
from engine.residency import manager
from engine.residency.budget import choose_budget, memory_of
from engine.residency.device import choose_device, choose_dtype
from engine.residency.memory import keep_freed_pages, limit_growth
from engine.settings import Settings
from engine.wire.isolated_messages import (
    Call,
    ChangePrompt,
    Describe,
    GraphTold,
    IsolatedCommand,
    IsolatedReady,
    NodeTraits,
    PromptChanged,
    Released,
    StopCall,
)
from engine.wire.pack_messages import (
    FolderChange,
    FoldersChanged,
    PackLoaded,
    PackLoading,
    PackMessage,
    PackReport,
    PacksReady,
    ServerAnswer,
)
from engine.wire.shared_memory import BlockChannel
from nodes import builtin_registry


class Server:
    """Serves one pack to the worker that started this process."""

    def __init__(
        self, settings: Settings, channel: BlockChannel[IsolatedCommand], *, memory: int = 0
    ) -> None:
        """Nothing is imported yet.

        Args:
            settings: the user's choices.
            channel: to the worker.
            memory: bytes that the pack may take in addition to what is taken before it is
                imported; 0 is no limit.
        """
        self._settings = settings
        self._channel = channel
        self._memory = memory
        self._files = Files(settings)
        self._registry: Registry = builtin_registry()
        self._handles = Handles(
            lambda kind: (
                f"a {kind} is an object of the worker, and this pack is isolated: it runs in a "
                "process of its own, which such objects do not reach; to use the node with it, "
                f"run: python main.py packs share {self._name}"
            )
        )
        self._name = ""
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._prompts: PromptServer | None = None
        self._routed = Routed()
        self._loader: PackLoader | None = None
        self._pack: Pack | None = None
        self._calls = Calls(self._registry, self._files, channel, self._handles)
        self._reports: list[PackReport] = []
        self._link = ServerLink(channel.send)
        self._has_told = False

    def run(self, name: str) -> None:
        """Import the pack, and answer calls until the worker is gone."""
        self._name = name
        self._prompts = install_prompt_server(self._settings, self._link)
        self._calls.prompts = self._prompts
        reader = threading.Thread(target=self._read, name="worker", daemon=True)
        reader.start()
        with manager.installed(self._residency()), torch.inference_mode():
            self._load(name)
            while True:
                work = self._calls.next(self._work)
                if work is None:
                    return
                work()

    def _residency(self) -> manager.DeviceResidency:
        device = choose_device(self._settings.device)
        if device.type == "cpu":
            keep_freed_pages()
        probe = self._settings.cache_directory / "device.json"
        choice = choose_dtype(device, self._settings.dtype, probe_file=probe)
        budget = choose_budget(
            memory_of(device, cache=0),
            vram=self._settings.vram,
            reserve=self._settings.reserve_vram,
            resident=self._settings.resident,
        )
        return manager.DeviceResidency(device, choice.dtype, budget=None, resident=budget.resident)

    def _load(self, name: str) -> None:
        state.start(self._settings, self._files, on_folders_changed=self._folders_changed)

        def note(message: PackMessage) -> None:
            if isinstance(message, PackLoaded):
                self._reports = [message.report]
            elif isinstance(message, PackLoading):
                self._channel.send(message)  # the time of this step begins

        self._loader = PackLoader(self._registry, Plan(), note)
        self._pack = find_pack(self._settings, name)
        if self._memory and not limit_growth(self._memory):
            sys.stderr.write(f"Calotype: this system does not limit the memory of {name}\n")
        if self._pack is not None:
            self._loader.load([self._pack])
            sync_folders()
            assert self._prompts is not None  # noqa: S101 - made in `run`
            self._routed = serve_routes(self._prompts)
        self._tell()

    def _describe(self) -> None:
        if self._loader is not None and self._pack is not None:
            self._loader.describe([self._pack])
        self._tell()

    def _tell(self) -> None:
        """Report the pack as it is now."""
        loader, own = self._loader, f"{self._name}/"
        schemas = {} if loader is None else loader.schemas
        content, left_out = pack_catalog(
            {name: each for name, each in schemas.items() if not name.startswith(own)}
            | {  # a class with the name of a built-in one has only the long name here
                name.removeprefix(own): each
                for name, each in schemas.items()
                if name.startswith(own)
            }
        )
        if loader is not None:
            loader.leave_out(left_out)
        report = self._reports[0] if self._reports else PackReport(self._name)
        names = [*report.nodes]
        folders = {
            kind: FolderChange(paths, suffixes)
            for kind, (paths, suffixes) in state.host().changed.items()
        }
        routed = self._routed
        ready = PacksReady(
            content, folders, {}, routed.address, routed.paths, routed.handles_prompts
        )
        traits = {name: found for name in names if (found := self._traits(name)) is not None}
        self._has_told = True
        self._channel.send(IsolatedReady(report, ready, traits))

    def _traits(self, name: str) -> NodeTraits | None:
        node = self._calls.node(name, self._name)
        try:
            found = node.traits if node is not None else None
        except (Exception, SystemExit):  # noqa: BLE001 - it was left out with its reason
            return None
        if node is None or found is None:
            return None
        return NodeTraits(
            found.fingerprints, found.chooses, found.checks, found.knows_id, self._calls.waits(node)
        )

    def _folders_changed(self, changed: state.Folders) -> None:
        if self._has_told:
            told = {kind: FolderChange(*each) for kind, each in changed.items()}
            self._channel.send(FoldersChanged(told))

    def _read(self) -> None:
        """Sort what the worker sends, in a thread of its own."""
        try:
            for message in self._channel.receive():
                self._sort(message)
        except WireError as error:
            sys.stderr.write(f"Calotype: the process of {self._name} ends: {error}\n")
        finally:
            self._calls.stop_all()
            self._work.put(None)

    def _sort(self, message: IsolatedCommand) -> None:
        match message:
            case Call():
                # In this thread, so that what was lent is found before it is taken back.
                with self._channel.reading(message.block) as memory:
                    inputs = self._calls.read(message, Reader(self._handles, memory))
                self._work.put(lambda: self._calls.begin(message, inputs, self._name))
            case StopCall(number=number):
                self._calls.stop(number)
            case Describe():
                self._work.put(self._describe)
            case ChangePrompt():
                self._change(message)
            case GraphTold():
                self._calls.graph_told(message)
            case Released(numbers=numbers):
                self._handles.take_back(numbers)
            case ServerAnswer():
                self._link.answered(message)

    def _change(self, message: ChangePrompt) -> None:
        """Change a prompt, in the thread of routes: nodes may compute meanwhile."""
        prompts = self._prompts
        assert prompts is not None  # noqa: S101 - made in `run`

        async def change() -> None:
            body = prompts.trigger_on_prompt(json.loads(message.body))
            self._channel.send(PromptChanged(message.number, encode_json(body)))

        prompts.threads.start(change())
