"""Reads a pack without executing it: what it imports, which of the host's names, which nodes.

By the syntax of its files only. What a pack decides while it runs cannot be seen: a module that it
imports by a computed name is assumed to be any of its own files. Imports no torch.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from engine.packs.distributions import install_plan, install_requirement
from engine.packs.found import Pack, misplaced_package
from engine.packs.host_names import ABSENT, PLACEHOLDER, HostNames
from engine.packs.repository import read_submodules
from engine.packs.requirements import Installed, read_installed, sort_requirements
from engine.packs.source import Import, SourceFile, read_source

_CHECKOUT = Path(__file__).resolve().parents[2]
_MOST_FILES = 5000
_LEFT_OUT = frozenset({"node_modules", "__pycache__", "tests", "test", "venv", "site-packages"})
IMPORTS, LACKS, BROKEN = "imports", "lacks", "broken"


@dataclass(slots=True)
class PackReading:
    """What the files of a pack say.

    Attributes:
        name: of the pack.
        path: where it lies.
        nodes: names of its node classes, as far as they are written literally.
        unnamed: how many others there are, whose names it computes.
        more_nodes: whether there may be more, which cannot be counted.
        host: the host's names that it uses, sorted.
        placeholders: those of them that can be named here, but not called.
        absent: those that do not exist here.
        failing: names of `absent` that its import requests, so that it fails.
        missing: modules that its import needs and that are not installed, with the requirement
            that installs each.
        maybe: modules that it needs later, or under a condition, and that are not installed.
        errors: files that cannot be read, and why.
        lost: modules of its own that its import requests and that are not there.
        submodules: git submodules whose folders are empty, each with the command that fetches it.
        install: the command that installs what its import lacks, or an empty text.
        advice: sentences on what it lacks and no command should install.
        clashes: its requirements that exclude what is installed, as sentences.
        computed: whether it imports modules by computed names.
        broken: why it cannot be imported at all, or an empty text.
    """

    name: str
    path: str
    nodes: list[str] = field(default_factory=list[str])
    unnamed: int = 0
    more_nodes: bool = False
    host: list[str] = field(default_factory=list[str])
    placeholders: list[str] = field(default_factory=list[str])
    absent: list[str] = field(default_factory=list[str])
    failing: list[str] = field(default_factory=list[str])
    missing: dict[str, str] = field(default_factory=dict[str, str])
    maybe: dict[str, str] = field(default_factory=dict[str, str])
    errors: dict[str, str] = field(default_factory=dict[str, str])
    lost: list[str] = field(default_factory=list[str])
    submodules: dict[str, str] = field(default_factory=dict[str, str])
    install: str = ""
    advice: str = ""
    clashes: list[str] = field(default_factory=list[str])
    computed: bool = False
    broken: str = ""

    @property
    def state(self) -> str:
        """IMPORTS, LACKS or BROKEN."""
        if self.broken or self.failing or self.lost:
            return BROKEN
        return LACKS if self.missing else IMPORTS

    @property
    def count(self) -> str:
        """How many node classes it has, as far as that can be seen."""
        return f"{'at least ' if self.more_nodes else ''}{len(self.nodes) + self.unnamed}"

    def verdict(self) -> str:
        """One line: imports, or what it lacks, and how many names cannot be used."""
        said = [self.broken] if self.broken else []
        if self.failing:
            said.append(f"asks for {', '.join(self.failing)}, which Calotype does not have")
        if self.lost:
            said.append(f"imports {', '.join(self.lost)}, which the pack does not have")
        if self.missing:
            plan = "; ".join(filter(None, (self.install, self.advice)))
            line = f" ({plan})" if plan else ""
            said.append(f"will lack {', '.join(self.missing)}{line}")
        said = said or ["imports"]
        for clash in self.clashes:
            said.append(f"{clash} (packs isolate {self.name})")
        for path, command in self.submodules.items():
            said.append(f"its git submodule {path} was not fetched ({command})")
        unusable = [*self.placeholders, *(each for each in self.absent if each not in self.failing)]
        if unusable:
            noun = "name" if len(unusable) == 1 else "names"
            said.append(f"uses {len(unusable)} {noun} that cannot be called yet")
        if self.errors and not self.broken:
            said.append(f"{len(self.errors)} files cannot be read")
        return "; ".join(said)


def read_pack(
    pack: Pack,
    host: HostNames,
    modules: dict[str, bool] | None = None,
    here: Installed | None = None,
) -> PackReading:
    """Read one pack. Raises nothing for whatever its files hold.

    Args:
        pack: as it lies on disk.
        host: the names that there are here.
        modules: remembers which modules are installed, for further packs.
        here: the distributions that are installed; None looks.
    """
    reading = PackReading(pack.name, str(pack.path), submodules=_empty_submodules(pack))
    if not pack.entry.is_file():
        inner = misplaced_package(pack)
        there = f"; {inner.name}/ in it has one: move that folder up" if inner else ""
        reading.broken = f"it has no __init__.py{there}"
        return reading
    try:
        _Reader(pack, host, reading, {} if modules is None else modules).read()
    except (RecursionError, MemoryError) as error:
        reading.broken = f"its files are too deeply nested to be read ({type(error).__name__})"
    lacking = [each for each in reading.missing.values() if each]
    requirements = pack.requirements()
    if lacking or requirements:
        here = here or read_installed()
        reading.install, reading.advice = install_plan(lacking, here)
        reading.clashes = list(sort_requirements(requirements, here).clashes)
    return reading


class _Reader:
    """Follows the imports of one pack from its entry."""

    def __init__(
        self, pack: Pack, host: HostNames, reading: PackReading, installed: dict[str, bool]
    ) -> None:
        self._pack = pack
        self._host = host
        self._out = reading
        self._base = pack.path.parent if pack.is_file else pack.path
        self._files = {pack.entry: ""} if pack.is_file else _python_files(pack.path)
        self._own = {part for each in self._files for part in self._parts(each)}
        self._done: dict[Path, bool] = {}
        self._assigned: set[str] = set()
        self._installed = installed
        self._sources: dict[Path, SourceFile | None] = {}

    def _parts(self, path: Path) -> Iterable[str]:
        inside = path.relative_to(self._base)
        return (*inside.parts[:-1], inside.stem)

    def read(self) -> None:
        """Fill the reading."""
        queue = [(self._pack.entry, True)]
        while queue:
            path, is_certain = queue.pop(0)
            if self._done.get(path, False) or (path in self._done and not is_certain):
                continue
            if path not in self._sources:
                self._sources[path] = self._source(path)
            source = self._sources[path]
            self._done[path] = is_certain
            if source is not None:
                queue += self._follow(path, source, is_certain=is_certain)
        out = self._out
        # What it sets itself exists when it asks for it.
        unset = {each for each in out.host if not self._is_assigned(each)}
        out.host = sorted(unset)
        out.nodes = list(dict.fromkeys(out.nodes))
        out.failing = sorted(set(out.failing))
        out.lost = sorted(set(out.lost))
        out.placeholders = [each for each in out.host if self._host.state(each) == PLACEHOLDER]
        out.absent = [each for each in out.host if self._host.state(each) == ABSENT]
        out.maybe = {name: line for name, line in out.maybe.items() if name not in out.missing}

    def _is_installed(self, top: str) -> bool:
        if top not in self._installed:
            self._installed[top] = is_installed(top)
        return self._installed[top]

    def _is_assigned(self, name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:n]) in self._assigned for n in range(2, len(parts) + 1))

    def _is_host(self, name: str) -> bool:
        """Whether a name is the host's; `utils.x` is the pack's own where it has such a module."""
        if not self._host.is_host(name):
            return False
        top = name.split(".", maxsplit=1)[0]
        return top not in self._own or self._host.state(name) != ABSENT

    def _source(self, path: Path) -> SourceFile | None:
        source = read_source(path)
        if source.error:
            self._out.errors[path.relative_to(self._base).as_posix()] = source.error
            if path == self._pack.entry:
                self._out.broken = f"{path.name} cannot be read: {source.error}"
            return None
        self._out.nodes += source.tables.names
        self._out.unnamed += source.tables.unnamed
        self._out.more_nodes = self._out.more_nodes or source.tables.is_open
        return source

    def _follow(
        self, path: Path, source: SourceFile, *, is_certain: bool
    ) -> list[tuple[Path, bool]]:
        out = self._out
        out.host += [each for each in source.used if self._is_host(each)]
        self._assigned.update(source.assigned)
        found: list[tuple[Path, bool]] = []
        for each in source.imports:
            is_needed = is_certain and each.is_needed
            own = self._own_files(path, each.module, each.level, each.names)
            if own or each.level:
                found += [(file, is_needed) for file in own]
                if not own and is_needed and each.module and not self._is_there(path, each):
                    out.lost.append(f"{'.' * each.level}{each.module}")
            else:
                self._outside(each.module, each.names, is_needed=is_needed)
        if source.computed:
            out.computed = True
            found += [(file, False) for file in self._files if file not in self._done]
        return found

    def _outside(self, module: str, names: Sequence[str], *, is_needed: bool) -> None:
        top = module.split(".", maxsplit=1)[0]
        if self._is_host(module):
            full = [f"{module}.{name}" for name in names if name != "*"] or [module]
            self._out.host += full
            if is_needed:
                self._out.failing += [each for each in full if self._host.state(each) == ABSENT]
            return
        if self._is_installed(top) or top in self._own:
            return
        found = self._out.missing if is_needed else self._out.maybe
        found.setdefault(top, install_requirement(self._pack, top))

    def _own_files(self, path: Path, module: str, level: int, names: Sequence[str]) -> list[Path]:
        """The files of the pack that an import runs; none for what is not its own."""
        start = path.parent
        for _ in range(level - 1):
            start = start.parent
        if level == 0:
            top = module.split(".", maxsplit=1)[0]
            if self._host.is_host(module) and self._host.has_module(module):
                return []
            if self._is_installed(top) and top != self._pack.path.name:
                return []
            start = next((each for each in (start, self._base) if _is_module(each, top)), start)
        found: list[Path] = []
        here = start
        for part in filter(None, module.split(".")):
            here = here / part
            found += self._file_of(here)
        for name in names:
            found += self._file_of(here / name)
        if not module:
            found += self._file_of(start)
        return [each for each in found if each in self._files]

    @staticmethod
    def _is_there(path: Path, statement: Import) -> bool:
        """Whether a relative import finds anything: a folder, or a library of another kind."""
        start = path.parents[statement.level - 1]
        place = start.joinpath(*statement.module.split("."))
        return place.exists() or any(place.parent.glob(f"{place.name}.*"))

    @staticmethod
    def _file_of(base: Path) -> list[Path]:
        choices = (base / "__init__.py", base.with_name(f"{base.name}.py"))
        return [each for each in choices if each.is_file()][:1]


def _empty_submodules(pack: Pack) -> dict[str, str]:
    """The submodules that the pack declares and whose folders are empty, with commands."""
    found: dict[str, str] = {}
    declared: dict[str, str] = {} if pack.is_file else read_submodules(pack.path)
    for path, address in declared.items():
        folder = pack.folder_inside(path)
        if folder is not None and any(folder.iterdir()):
            continue
        if (pack.path / ".git").exists():
            words = ("git", "-C", str(pack.path), "submodule", "update", "--init", path)
        else:
            words = ("git", "clone", "--depth", "1", address, str(pack.path / path))
        found[path] = shlex.join(words)
    return found


def _is_module(folder: Path, name: str) -> bool:
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()


def _python_files(folder: Path) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for each in sorted(folder.rglob("*.py")):
        inside = each.relative_to(folder)
        hidden = any(part.startswith(".") or part in _LEFT_OUT for part in inside.parts[:-1])
        if not hidden and len(found) < _MOST_FILES:
            found[each] = ""
    return found


def is_installed(top: str) -> bool:
    """Whether a top-level module can be imported; it is looked for, not imported.

    What lies in the checkout counts as not installed: a pack's imports do not mean our folders.
    """
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    paths = [each for each in sys.path if each and Path(each).resolve() != _CHECKOUT]
    try:
        spec = PathFinder.find_spec(top, paths)
    except (ImportError, ValueError):
        return False
    if spec is not None and spec.origin is not None:
        return True
    # A folder without __init__.py: a namespace package only if it has Python files at all.
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return any(next(Path(each).rglob("*.py"), None) is not None for each in folders)
