"""The isolated packs of a worker: starts their processes, and again those that have ended."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from engine.compat.isolation.nodes import RemoteNode
from engine.compat.isolation.process import (
    IsolatedProcess,
    IsolatedProcessError,
    Pending,
    variables,
)
from engine.compat.isolation.stand_ins import Handles, holds_lost
from engine.compat.pack_contents import Contents
from engine.compat.serving.events import encode_json
from engine.errors import CalotypeError, NodeError
from engine.execute.cache import Cache
from engine.graph.catalog_file import read_pack_catalog
from engine.graph.schema import NodeSchema
from engine.machine import available_memory
from engine.packs.environments import environment_of, underlay
from engine.packs.found import Pack
from engine.packs.plan import Plan
from engine.settings import Settings, settings_to_json
from engine.wire.channel import start_joined
from engine.wire.isolated_messages import Call, IsolatedReady, NodeTraits, PassedOn, RunOf
from engine.wire.messages import Run
from engine.wire.pack_messages import (
    FAILED,
    HUNG,
    AskServer,
    FolderChange,
    FoldersChanged,
    PackReport,
    PackRoutes,
    ServerAnswer,
)

_LEFT = 0.9
"""Share of the memory that is available which an isolated pack may take."""
_PROMPT_SECONDS = 8.0
_SOON = 10.0
"""Seconds: a process that ended sooner is started again only when it is used."""
Tell = Callable[[Any], None]


class IsolatedPack:
    """One isolated pack, whichever process has it now.

    Attributes:
        name: of the pack.
        traits: of its classes.
        folders: what it has changed in the folders of files.
    """

    def __init__(self, pack: Pack, owner: IsolatedPacks, *, is_offline: bool) -> None:
        """Nothing is started yet."""
        self.name = pack.name
        self.pack = pack
        self.traits: Mapping[str, NodeTraits] = {}
        self.folders: Mapping[str, FolderChange] = {}
        self.report = PackReport(pack.name, pack.version)
        self._owner = owner
        self._is_offline = is_offline
        self._schemas: Mapping[str, NodeSchema] = {}
        self._process: IsolatedProcess | None = None
        self._routes: tuple[tuple[str, str], ...] = ()
        self._began = 0.0
        self._starting = threading.RLock()

    def schema(self, class_type: str) -> NodeSchema:
        """The schema of a class.

        Raises:
            NodeError: the process has not told it.
        """
        found = self._schemas.get(class_type)
        if found is None:
            raise NodeError(f"the isolated pack {self.name} has not described {class_type}")
        return found

    def begin(self) -> None:
        """Start its process, without waiting for it.

        Raises:
            CalotypeError: it cannot be started.
        """
        self._began = time.monotonic()
        self._process = self._owner.start(self, is_offline=self._is_offline)

    def collect(self) -> PackReport:
        """Wait until the process has imported the pack; how that went."""
        process, seconds = self._process, self._owner.settings.pack_seconds
        if process is None:
            return self.report
        state, error = FAILED, ""
        try:
            ready = process.ready(seconds)
            if ready is not None:
                return self._take(ready)
            error = f"its process {process.reason} while it was loaded"
        except TimeoutError:
            process.kill(f"was ended after {seconds:g} s")
            state, error = HUNG, f"its import took longer than {seconds:g} s and was ended"
        self._process = None
        self.report = PackReport(self.name, self.pack.version, state=state, error=error)
        return self.report

    def describe(self) -> None:
        """Have its nodes described again; where that fails, they stay as they were."""
        process = self._process
        if process is None or process.gone.is_set():
            return
        try:
            ready = process.describe(self._owner.settings.pack_seconds)
        except TimeoutError:
            process.kill("was ended because it described its nodes without end")
            return
        if ready is not None:
            self._take(ready)

    def running(self) -> IsolatedProcess:
        """Its process, started again if it has ended.

        Raises:
            IsolatedProcessError: it cannot be started.
        """
        with self._starting:
            process = self._process
            if process is not None and not process.gone.is_set():
                return process
            try:
                self.begin()
            except CalotypeError as error:
                raise IsolatedProcessError(
                    f"the process of the isolated pack {self.name} cannot be started: {error}"
                ) from error
            report = self.collect()
            if self._process is None or report.error:
                raise IsolatedProcessError(
                    f"the isolated pack {self.name} cannot be started again: {report.error}"
                )
            return self._process

    def call(
        self, call: Call, inputs: dict[str, Any], pending: Pending
    ) -> tuple[IsolatedProcess, int]:
        """Begin a call, in a process that is started first if there is none.

        Raises:
            CalotypeError: it cannot be made.
        """
        process = self.running()
        if call.prompt_id and process.told_run != call.prompt_id:
            process.told_run = call.prompt_id
            context = pending.context
            prompt, extra = encode_json(context.prompt), encode_json(dict(context.extra))
            told = RunOf(prompt, extra, self._owner.job)
            call = msgspec.structs.replace(call, run=told)
        return process, process.call(call, inputs, pending)

    def change_prompt(self, body: dict[str, Any]) -> dict[str, Any]:
        """A prompt's body as the pack changes it; for `add_on_prompt_handler`."""
        return msgspec.json.decode(self.running().change_prompt(body, _PROMPT_SECONDS))

    def ended(self, process: IsolatedProcess) -> None:
        """A process of it has ended."""
        if process is self._process:
            self._owner.tell(PackRoutes(self.name))
            sys.stderr.write(f"Calotype: {process.sentence()}\n")
            is_asked = self._routes or self._owner.has_handler(self)
            if is_asked and time.monotonic() - self._began > _SOON:
                self._owner.start_again(self)

    def contents(self) -> Contents:
        """Its nodes, as the loader registers them."""
        missing = environment_of(self._owner.settings, self.pack).missing
        lines = (f"not in its environment: {line}: {why}" for line, why in missing.items())
        return Contents(
            {name: RemoteNode(self, name) for name in self._schemas},
            web=dict(self.report.web),
            left_out=dict(self.report.left_out),
            warnings=[*self.report.warnings, *lines],
        )

    def close(self) -> None:
        """End its process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill("was ended with the worker")

    def _take(self, told: IsolatedReady) -> PackReport:
        self.report, ready = told.report, told.ready
        if self.report.error:
            return self.report
        self._schemas = read_pack_catalog(ready.catalog)
        self.traits, self.folders, self._routes = told.traits, ready.folders, ready.route_paths
        pid = 0 if self._process is None else self._process.pid
        self._owner.tell(PackRoutes(self.name, pid, ready.routes, ready.route_paths))
        self._owner.folders_changed()
        if ready.handles_prompts:
            self._owner.handle_prompts(self)
        return self.report


class IsolatedPacks:
    """The isolated packs of one worker.

    Attributes:
        settings: the user's choices.
        job: the prompt that runs, as the server sent it.
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        tell: Tell,
        *,
        ask: Callable[[AskServer, Callable[[ServerAnswer], None]], None],
        on_folders: Callable[[], None],
        on_handler: Callable[[Callable[[dict[str, Any]], dict[str, Any]]], None],
    ) -> None:
        """Nothing is started yet.

        Args:
            settings: the user's choices.
            plan: which packs are isolated, which of them have no network.
            tell: sends a message to the server.
            ask: asks the server for a pack, and gives the answer to a function.
            on_folders: called when a pack has changed the folders of files.
            on_handler: gets the function by which a pack changes prompts.
        """
        self.settings = settings
        self.job: Run | None = None
        self.tell = tell
        self._plan = plan
        self._ask, self._on_folders, self._on_handler = ask, on_folders, on_handler
        self._packs: dict[str, IsolatedPack] = {}
        self._handling: set[str] = set()
        self._has_lost = False
        # Linux ends such a process with the thread that started it: this one lives as long as
        # the worker.
        self._starter = ThreadPoolExecutor(1, "isolated packs")
        self._paths = underlay(sys.path)

    def __getitem__(self, name: str) -> IsolatedPack:
        return self._packs[name]

    @property
    def folders(self) -> list[Mapping[str, FolderChange]]:
        """What each has changed in the folders of files."""
        return [each.folders for each in self._packs.values() if each.folders]

    def begin(self, packs: Sequence[Pack]) -> None:
        """Start the processes of these packs; they load side by side."""
        for pack in packs:
            made = IsolatedPack(pack, self, is_offline=pack.name in self._plan.offline)
            self._packs[pack.name] = made
            try:
                made.begin()
            except CalotypeError as error:
                made.report = PackReport(pack.name, pack.version, state=FAILED, error=str(error))

    def start(self, pack: IsolatedPack, *, is_offline: bool) -> IsolatedProcess:
        """Start a process for a pack.

        Raises:
            CalotypeError: it has no environment, or the system refuses.
        """
        environment = environment_of(self.settings, pack.pack)
        environment.check()
        environment.lay_under(self._paths)
        memory = self._plan.memory.get(pack.name) or int(_LEFT * available_memory())
        command = [str(environment.python), "-m", "engine.compat.isolation"]
        command += ["--settings", settings_to_json(self.settings), "--pack", pack.name]
        command += ["--memory", str(memory), *(("--offline",) if is_offline else ())]
        try:
            starting = self._starter.submit(start_joined, command, variables(), output=2)
            process, connection = starting.result()
        except OSError as error:
            raise NodeError(f"the system did not start {command[0]}: {error}") from error
        handles = Handles(
            lambda kind: (
                f"this {kind} is an object of the isolated pack {pack.name}, in a process of its "
                "own: only nodes of that pack can use it; to use it elsewhere, run: "
                f"python main.py packs share {pack.name}"
            )
        )
        return IsolatedProcess(
            pack.name,
            process,
            connection,
            handles,
            self.settings.temp_directory / "isolated",
            lambda process, message: self._pass_on(pack, process, message),
            lambda ended: self._ended(pack, ended),
        )

    def start_again(self, pack: IsolatedPack) -> None:
        """Start the process of a pack in the background: its routes are wanted."""

        def start() -> None:
            try:
                pack.running()
            except CalotypeError as error:
                sys.stderr.write(f"Calotype: {error}\n")

        threading.Thread(target=start, name="start again", daemon=True).start()

    def run_began(self, job: Run | None, cache: Cache) -> None:
        """A prompt begins; results that were lost with a process are dropped before."""
        self.job = job
        if self._has_lost:
            self._has_lost = False
            cache.remove_if(lambda result: any(holds_lost(each) for each in result.outputs))

    def folders_changed(self) -> None:
        """A pack has told its folders."""
        self._on_folders()

    def handle_prompts(self, pack: IsolatedPack) -> None:
        """A pack has handlers of prompts."""
        if pack.name not in self._handling:
            self._handling.add(pack.name)
            self._on_handler(pack.change_prompt)

    def has_handler(self, pack: IsolatedPack) -> bool:
        """Whether a pack changes prompts."""
        return pack.name in self._handling

    def close(self) -> None:
        """End all processes."""
        for pack in self._packs.values():
            pack.close()

    def _pass_on(self, pack: IsolatedPack, process: IsolatedProcess, message: PassedOn) -> None:
        match message:
            case FoldersChanged(folders=folders):
                pack.folders = folders
                self._on_folders()
            case AskServer():
                self._ask(message, process.send)
            case _:
                self.tell(message)

    def _ended(self, pack: IsolatedPack, process: IsolatedProcess) -> None:
        self._has_lost = True
        pack.ended(process)


def merged_folders(
    first: Mapping[str, FolderChange], more: Sequence[Mapping[str, FolderChange]]
) -> dict[str, FolderChange]:
    """What several processes have changed in the folders of files, together."""
    found = dict(first)
    for folders in more:
        for kind, change in folders.items():
            before = found.get(kind)
            if before is None:
                found[kind] = change
                continue
            is_any = not (before.extensions and change.extensions)
            found[kind] = FolderChange(
                tuple(dict.fromkeys((*before.paths, *change.paths))),
                () if is_any else tuple(dict.fromkeys((*before.extensions, *change.extensions))),
            )
    return found
