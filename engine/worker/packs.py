"""The packs of one worker: loaded once, before it takes jobs; described again on request.

Without packs nothing of `engine.compat` is imported.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from engine.errors import PromptError
from engine.graph.catalog_file import pack_catalog
from engine.graph.problems import refusal
from engine.graph.prompt import parse
from engine.packs.found import Pack, wanted_packs
from engine.packs.plan import Plan
from engine.residency import manager
from engine.settings import Settings
from engine.wire.message import Message
from engine.wire.messages import Run
from engine.wire.pack_messages import (
    FolderChange,
    FoldersChanged,
    PackMessage,
    PackReport,
    PacksReady,
    ServerAnswer,
)
from engine.worker.loop import Worker

if TYPE_CHECKING:
    from argparse import Namespace

    from engine.compat.host.state import Folders, Host, Validation
    from engine.compat.isolation.packs import IsolatedPacks
    from engine.compat.loading import PackLoader
    from engine.compat.process_state import ProcessState
    from engine.compat.serving.link import ServerLink
    from engine.compat.serving.plugin_routes import Routed
    from engine.compat.serving.prompt_server import PromptServer

Tell = Callable[[PackMessage], None]


class WorkerPacks:
    """Loads packs into a worker, and says what they brought."""

    def __init__(
        self,
        worker: Worker,
        settings: Settings,
        plan: Plan,
        tell: Tell,
        look: Callable[[], None] | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            worker: gets the nodes.
            settings: where packs are.
            plan: which of them are not loaded.
            tell: gets the messages for the server.
            look: reads what the server has sent; None where there is no server.
        """
        self._worker = worker
        self._settings = settings
        self._plan = plan
        self._tell = tell
        self._builtin = dict(worker.catalog)
        self._packs: list[Pack] = []
        self._look = look
        self._loader: PackLoader | None = None
        self._server: PromptServer | None = None
        self._link: ServerLink | None = None
        self._routed: Routed | None = None
        self._host: Host | None = None
        self._isolated: IsolatedPacks | None = None
        self._state: ProcessState | None = None
        self._has_told = False
        self._arguments: Namespace | None = None

    def load(self) -> None:
        """Load all packs, and report them. Whatever a pack raises costs that pack alone."""
        self._packs = wanted_packs(self._settings)
        if self._packs:
            self._load()
        self._tell(self._ready())

    def describe(self) -> None:
        """Describe the nodes of all packs again: what their lists offer may have changed."""
        if self._loader is not None:
            self._loader.describe(self._packs)
        self._tell(self._ready())

    @property
    def reports(self) -> dict[str, PackReport]:
        """How each pack was loaded, by name."""
        return {} if self._loader is None else self._loader.reports

    def answered(self, message: ServerAnswer) -> None:
        """The server answers what a pack asked it."""
        if self._link is not None:
            self._link.answered(message)

    def run_began(self, job: Run) -> None:
        """A prompt begins: packs may ask which."""
        if self._arguments is not None:
            metadata = job.metadata and self._settings.embed_metadata
            self._arguments.disable_metadata = not metadata
        if self._server is not None:
            self._server.run_began(job)
        if self._isolated is not None:
            self._isolated.run_began(job, self._worker.cache)

    def node_began(self, node_id: str) -> None:
        """A node of it is called."""
        if self._server is not None:
            self._server.node_began(node_id)

    def run_ended(self) -> None:
        """The prompt has ended."""
        if self._server is not None:
            self._server.run_ended()
        changed = self._state and self._state.put_back()
        if changed:
            sys.stderr.write(f"Calotype: a node of this prompt did harm: {changed}\n")

    def _load(self) -> None:
        began = time.perf_counter()
        from engine.compat.host import state  # noqa: PLC0415 - only with packs
        from engine.compat.host.folders import sync_folders  # noqa: PLC0415
        from engine.compat.install import host_module  # noqa: PLC0415
        from engine.compat.isolation.packs import IsolatedPacks  # noqa: PLC0415
        from engine.compat.loading import PackLoader, summary  # noqa: PLC0415
        from engine.compat.process_state import ProcessState  # noqa: PLC0415
        from engine.compat.sampling import path  # noqa: PLC0415
        from engine.compat.serving.link import ServerLink  # noqa: PLC0415
        from engine.compat.serving.plugin_routes import serve_routes  # noqa: PLC0415
        from engine.compat.serving.prompt_server import install_prompt_server  # noqa: PLC0415

        link = ServerLink() if self._look is None else ServerLink(self._send, self._look)
        self._link, self._server = link, install_prompt_server(self._settings, link)
        self._host = state.start(
            self._settings,
            self._worker.files,
            on_folders_changed=lambda _: self._folders_changed(),
            validate=self._validate,
        )
        if self._plan.isolated:
            self._isolated = IsolatedPacks(
                self._settings,
                self._plan,
                self._tell,
                ask=link.pass_on,
                on_folders=self._folders_changed,
                on_handler=self._server.add_on_prompt_handler,
            )
        self._loader = PackLoader(self._worker.registry, self._plan, self._tell, self._isolated)
        self._arguments = host_module("comfy.cli_args").args
        path.install()
        with manager.installed(self._worker.residency):
            self._loader.load(self._packs)
        sync_folders()
        if self._look is not None:
            self._routed = serve_routes(self._server)
        self._state = ProcessState()
        sys.stderr.write(summary(self._loader.reports, time.perf_counter() - began))

    def _send(self, message: Message) -> None:
        self._tell(cast("PackMessage", message))

    def _validate(self, graph: object, outputs: Sequence[str] | None) -> Validation:
        """Check a prompt for a pack."""
        try:
            found = self._worker.check(parse(graph), wanted=outputs)
        except PromptError as error:
            return False, refusal(error)["error"], [], {}
        problem = None if found.error is None else found.error.to_json()
        return problem is None, problem, [*found.outputs], found.node_errors_json()

    def _folders_changed(self) -> None:
        folders = self._folders()
        if self._isolated is not None and self._isolated.folders:
            together = {kind: (each.paths, each.extensions) for kind, each in folders.items()}
            self._worker.files.change_folders(together)
        if self._has_told:
            self._tell(FoldersChanged(folders))

    def _folders(self) -> dict[str, FolderChange]:
        """What packs have changed in the folders of files, the isolated ones too."""
        own = {} if self._host is None else _folders(self._host.changed)
        if self._isolated is None:
            return own
        from engine.compat.isolation.packs import merged_folders  # noqa: PLC0415 - only with packs

        return merged_folders(own, self._isolated.folders)

    def _ready(self) -> PacksReady:
        loader = self._loader
        if loader is None:
            return PacksReady(b"[]")
        from engine.compat.sampling.menus import extended  # noqa: PLC0415 - only with packs

        registry = self._worker.registry
        builtin = extended(registry.describe(registry.builtin)[0])
        changed = {name: each for name, each in builtin.items() if each != self._builtin[name]}
        schemas = {**loader.schemas, **changed}
        content, left_out = pack_catalog(schemas)
        for name, reason in left_out.items():
            sys.stderr.write(f"Calotype: the class {name} is left out: {reason}\n")
        loader.leave_out(left_out)
        kept = {name: each for name, each in schemas.items() if name not in left_out}
        self._worker.catalog = {**self._builtin, **kept}
        self._has_told = True
        routed, folders = self._routed, self._folders()
        if routed is None:
            return PacksReady(content, folders, loader.claims)
        return PacksReady(
            content, folders, loader.claims, routed.address, routed.paths, routed.handles_prompts
        )


def _folders(changed: Folders) -> dict[str, FolderChange]:
    return {kind: FolderChange(paths, suffixes) for kind, (paths, suffixes) in changed.items()}
