"""Loads the packs of a start into this process: each on its own, whatever one of them does.

What ends or blocks the process is the supervisor's: it learns from `PackLoading` whom to blame.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Protocol

import msgspec

from engine.compat import live, placeholders
from engine.compat.absent_names import with_placeholders
from engine.compat.attribution import set_plugin_folders
from engine.compat.boundary import plugin_boundary
from engine.compat.host import module_moves
from engine.compat.host.memory import reserve_for_module
from engine.compat.install import host_module, install_facade
from engine.compat.no_installs import refuse_installs, refused_installs
from engine.compat.pack_contents import Contents, HostMappings, python_module, read_contents
from engine.compat.pack_errors import failure_report, log_lines, refusal_report
from engine.compat.pack_modules import (
    event_loop,
    import_pack,
    libraries_kept,
    run_prestartup,
    show_custom_nodes,
)
from engine.compat.process_state import ProcessState
from engine.errors import is_from_user
from engine.graph.schema import NodeSchema
from engine.nodekit.registry import Registry
from engine.packs.distributions import install_plan
from engine.packs.found import Pack, misplaced_package
from engine.packs.plan import Plan
from engine.settings import ROOT
from engine.wire.pack_messages import (
    ISOLATED,
    LOADED,
    PackLoaded,
    PackLoading,
    PackMessage,
    PackReport,
)

Tell = Callable[[PackMessage], None]


class IsolatedOne(Protocol):
    """A pack that another process loads."""

    def collect(self) -> PackReport:
        """Wait until it is loaded; how that went."""
        ...

    def contents(self) -> Contents:
        """What it brings, once it is loaded."""
        ...

    def describe(self) -> None:
        """Have its nodes described again."""
        ...


class Isolated(Protocol):
    """Loads packs in processes of their own; see `engine.compat.isolation.packs`."""

    def begin(self, packs: Sequence[Pack]) -> None:
        """Start their processes."""
        ...

    def __getitem__(self, name: str) -> IsolatedOne: ...


_PRELOADED = (
    *("folder_paths", "comfy", "comfy.utils", "comfy.model_management", "comfy.samplers"),
    *("comfy.sd", "node_helpers", "nodes", "execution", "server", "latent_preview", "app"),
    *("utils", "comfy_execution", "comfy_execution.graph_utils", "comfy_extras", "comfy_api"),
)
"""Imported before any pack, so that a pack with a `utils.py` on `sys.path` hides none of them."""
_NOTED_SECONDS = 0.5
"""A pack that took so long is named in the log."""


class PackLoader:
    """Loads packs into one registry, once per process.

    Attributes:
        schemas: of the packs' classes that can be described.
        claims: classes that several packs have, and these packs.
        reports: of every pack that was to be loaded.
    """

    def __init__(
        self, registry: Registry, plan: Plan, tell: Tell, isolated: Isolated | None = None
    ) -> None:
        """Nothing is loaded yet.

        Args:
            registry: gets the nodes.
            plan: which packs are not imported.
            tell: gets `PackLoading` and `PackLoaded`.
            isolated: loads the packs that the plan isolates, in other processes.
        """
        self.schemas: dict[str, NodeSchema] = {}
        self.claims: dict[str, tuple[str, ...]] = {}
        self.reports: dict[str, PackReport] = {}
        self._registry = registry
        self._plan = plan
        self._tell = tell
        self._isolated = isolated
        self._seconds: dict[str, float] = {}
        self._warnings: dict[str, list[str]] = {}
        self._contents: dict[str, Contents] = {}

    def load(self, packs: Sequence[Pack]) -> None:
        """Load these packs, in this order."""
        wanted = [pack for pack in packs if not self._is_skipped(pack)]
        if not wanted:
            return
        module_moves.install(reserve_for_module)
        apart = [pack for pack in wanted if self._is_isolated(pack)]
        if self._isolated is not None:
            self._isolated.begin(apart)  # they load meanwhile
        self._load_here([pack for pack in wanted if not self._is_isolated(pack)], packs)
        for pack in apart:
            self._collect(pack)
        for pack in wanted:
            self._register(pack)
        self.claims = self._registry.settle(self._plan.chosen)
        self.describe(wanted)

    def _load_here(self, wanted: Sequence[Pack], packs: Sequence[Pack]) -> None:
        folders = {pack.path.parent: None for pack in packs}
        set_plugin_folders(set(folders))
        show_custom_nodes(list(folders))
        self._prepare()
        mappings = HostMappings(host_module("nodes"))
        for pack in wanted:
            self._prestart(pack)
        for pack in wanted:
            self._load_one(pack, mappings)
        self._add_late_classes(wanted, mappings)

    def _is_isolated(self, pack: Pack) -> bool:
        return self._isolated is not None and pack.name in self._plan.isolated

    def _collect(self, pack: Pack) -> None:
        """Take over what an isolated pack brings, once its process has loaded it."""
        assert self._isolated is not None  # noqa: S101 - only then is a pack isolated
        report = self._isolated[pack.name].collect()
        self._seconds[pack.name] = report.seconds
        if report.error:
            self._finish(pack, report)
        else:
            self._contents[pack.name] = self._isolated[pack.name].contents()

    def describe(self, packs: Sequence[Pack]) -> None:
        """Describe the classes of loaded packs, again where that was done before."""
        for pack in packs:
            contents = self._contents.get(pack.name)
            if contents is None:
                continue
            if self._isolated is None or not self._is_isolated(pack):
                self._tell(PackLoading(pack.name))  # whom to blame; another process harms no worker
            elif pack.name in self.reports:
                self._isolated[pack.name].describe()
            if pack.name in self.reports:
                self._report(pack, self._described(pack, contents))
                continue
            with self._timed(pack):
                try:
                    report = self._described(pack, contents)
                except Exception as error:  # noqa: BLE001 - costs this pack alone
                    report = failure_report(pack, error)
            self._finish(pack, report)

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Report classes that the catalog cannot hold, with the reasons, as left out."""
        for pack in [each for each in self.reports.values() if each.nodes]:
            found: dict[str, str] = {}
            for name in pack.nodes:
                is_mine = self.claims.get(name, (pack.name,))[0] == pack.name
                reason = reasons.get(name) if is_mine else reasons.get(f"{pack.name}/{name}")
                if reason is not None:
                    found[name] = reason
            if found:
                left_out = {**pack.left_out, **found}
                report = msgspec.structs.replace(pack, left_out=left_out)
                self.reports[pack.name] = report
                self._tell(PackLoaded(report))
        for name in reasons:
            self.schemas.pop(name, None)

    def _prepare(self) -> None:
        install_facade()
        refuse_installs()
        self._registry.boundary = plugin_boundary()
        event_loop()
        for name in _PRELOADED:
            try:
                importlib.import_module(name)
            except Exception:
                logging.getLogger(__name__).exception("%s cannot be imported", name)
        # Only here: a worker without packs never imports what it takes.
        importlib.import_module("engine.compat.sampling.path").install()
        sys.argv[:] = [str(ROOT / "main.py")]

    def _is_skipped(self, pack: Pack) -> bool:
        report = self._plan.skipped.get(pack.name)
        if report is None and (inner := misplaced_package(pack)) is not None:
            sentence = (
                f"it has no __init__.py; the folder {inner.name} in it has one: move that one up"
            )
            report = refusal_report(pack, sentence)
        if report is None:
            return False
        self._finish(pack, report)
        return True

    def _prestart(self, pack: Pack) -> None:
        self._tell(PackLoading(pack.name))
        with self._timed(pack):
            try:
                run_prestartup(pack)
            except BaseException as error:
                if is_from_user(error):
                    raise
                report = failure_report(pack, error)
                sys.stderr.write("".join(report.traceback))
                self._warn(pack, f"its prestartup_script.py failed: {report.error}")

    def _load_one(self, pack: Pack, mappings: HostMappings) -> None:
        self._tell(PackLoading(pack.name))
        mappings.begin()
        report = None
        with self._timed(pack):
            try:
                with _collected_warnings(self._warnings.setdefault(pack.name, [])):
                    contents = self._imported(pack)
                mappings.collect(pack, contents)
                mappings.publish(contents)
                self._contents[pack.name] = contents
            except BaseException as error:
                if is_from_user(error):
                    raise
                mappings.restore()
                report = failure_report(pack, error)
        if report is not None:
            self._finish(pack, report)

    def _imported(self, pack: Pack) -> Contents:
        def import_it() -> Contents:
            module: ModuleType = import_pack(pack)
            return read_contents(pack, module)

        with live.watching(pack.name, placeholders.HostModule), libraries_kept(pack):
            return with_placeholders(import_it, partial(self._warn, pack))

    def _add_late_classes(self, packs: Sequence[Pack], mappings: HostMappings) -> None:
        """Classes that one pack has written into the host's table after its own import."""
        listed = {name for each in self._contents.values() for name in each.classes}
        late = mappings.unlisted(listed)
        for pack in packs:
            contents = self._contents.get(pack.name)
            prefix = f"{pack.path}".replace(".", "_x_")
            for name, found in late.items():
                if contents and str(getattr(found, "__module__", "")).startswith(prefix):
                    contents.classes[name] = found

    def _register(self, pack: Pack) -> None:
        contents = self._contents.get(pack.name)
        if contents is None:
            return
        self._registry.add_classes(
            contents.classes,
            contents.display_names,
            python_module=python_module(pack),
            pack=pack.name,
        )
        for name in sorted(self._registry.builtin & set(contents.classes)):
            self._warn(
                pack, f"{name} is the name of a built-in node: this one is {pack.name}/{name}"
            )

    def _described(self, pack: Pack, contents: Contents) -> PackReport:
        builtin = self._registry.builtin
        aliases = {name: f"{pack.name}/{name}" for name in contents.classes}
        mine = [
            name
            for plain, alias in aliases.items()
            for name in (plain, alias)
            if name in self._registry
            and name not in builtin
            and (name == alias or self.claims.get(plain, (pack.name,))[0] == pack.name)
        ]
        schemas, left_out = self._registry.describe(mine)
        self.schemas.update(schemas)
        for name in left_out:
            self.schemas.pop(name, None)
        warnings = (*self._warnings.get(pack.name, ()), *contents.warnings)
        return PackReport(
            pack.name,
            pack.version,
            nodes=tuple(contents.classes),
            state=ISOLATED if self._is_isolated(pack) else LOADED,
            web=contents.web,
            left_out={**contents.left_out, **_plain_names(left_out, pack)},
            warnings=tuple(dict.fromkeys(warnings)),
        )

    def _finish(self, pack: Pack, report: PackReport) -> None:
        """Report a pack for the first time, in the log, too."""
        if report.error:
            sys.stderr.write(log_lines(report))
        for name, reason in report.left_out.items():
            sys.stderr.write(f"Calotype: {pack.name}: the class {name} is left out: {reason}\n")
        self._report(pack, report)

    def _report(self, pack: Pack, report: PackReport) -> None:
        seconds = round(self._seconds.get(pack.name, 0.0), 3)
        command, advice = install_plan(refused_installs(pack.name))
        warnings = tuple(dict.fromkeys((*report.warnings, *filter(None, [advice]))))
        report = msgspec.structs.replace(
            report, seconds=seconds, install=report.install or command, warnings=warnings
        )
        self.reports[pack.name] = report
        self._tell(PackLoaded(report))

    def _warn(self, pack: Pack, sentence: str) -> None:
        sys.stderr.write(f"Calotype: {pack.name}: {sentence}\n")
        self._warnings.setdefault(pack.name, []).append(sentence)

    @contextmanager
    def _timed(self, pack: Pack) -> Generator[None]:
        state, began = ProcessState(), time.perf_counter()
        try:
            yield
        finally:
            changed = state.put_back()
            if changed is not None:
                self._warn(pack, changed)
            spent = time.perf_counter() - began
            self._seconds[pack.name] = self._seconds.get(pack.name, 0.0) + spent


def _plain_names(left_out: Mapping[str, str], pack: Pack) -> dict[str, str]:
    """A class under its two names is one class."""
    return {name.removeprefix(f"{pack.name}/"): reason for name, reason in left_out.items()}


@contextmanager
def _collected_warnings(warnings: list[str]) -> Generator[None]:
    """Add to the list what is logged meanwhile of assignments that have no effect."""
    handler = _Collector(warnings)
    logger = logging.getLogger(live.__name__)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, warnings: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._warnings = warnings

    def emit(self, record: logging.LogRecord) -> None:
        """Called by Python's logging."""
        self._warnings.append(record.getMessage())


def summary(reports: Mapping[str, PackReport], seconds: float) -> str:
    """One line for the log: how many packs, how long, and how long those that took long.

    Args:
        reports: of all packs.
        seconds: that all took together, with what serves them.
    """
    loaded = [each for each in reports.values() if each.state in {LOADED, ISOLATED}]
    slow = sorted(reports.values(), key=lambda each: -each.seconds)
    slow = [each for each in slow if each.seconds >= _NOTED_SECONDS] or slow[:3]
    longest = ", ".join(f"{each.name} {each.seconds:.1f} s" for each in slow)
    rest = seconds - sum(each.seconds for each in reports.values())
    longest += f"; outside of packs {rest:.1f} s"
    others = len(reports) - len(loaded)
    noun = "pack" if len(loaded) == 1 else "packs"
    text = f"Calotype: {len(loaded)} {noun} loaded in {seconds:.1f} s"
    text += f" ({longest})"
    return text + (f"; {others} not loaded" if others else "") + "\n"
