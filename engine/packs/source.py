"""One Python file by its syntax: imports, names used, node classes. Executes nothing."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.packs.distributions import may_be_host
from engine.packs.node_tables import NodeTables, read_tables
from engine.packs.syntax import Syntax, last_name, read_syntax

_MOST_BYTES = 8 << 20
_CATCH_IMPORT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_COMPUTED = frozenset(
    {
        *("import_module", "__import__", "exec_module", "load_module", "spec_from_file_location"),
        *("iter_modules", "walk_packages", "run_path"),
    }
)
"""Functions by which packs import what they name while they run."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement.

    Attributes:
        module: its dotted name, without leading dots.
        level: how many dots lead it.
        names: what is imported from it.
        is_needed: whether the file's import fails without it: it is neither in a function nor
            under a condition, and no `try` catches its failure.
    """

    module: str
    level: int
    names: tuple[str, ...]
    is_needed: bool


@dataclass(slots=True)
class SourceFile:
    """What one file says.

    Attributes:
        error: why it cannot be read, or an empty text.
        imports: its imports, in order.
        used: dotted names that it uses of the host's modules, such as `comfy.sd.VAE`.
        assigned: those that it sets itself.
        tables: its node classes.
        computed: whether it imports by computed names.
    """

    error: str = ""
    imports: list[Import] = field(default_factory=list[Import])
    used: list[str] = field(default_factory=list[str])
    assigned: list[str] = field(default_factory=list[str])
    tables: NodeTables = field(default_factory=NodeTables)
    computed: bool = False


def read_source(path: Path) -> SourceFile:
    """Read a file; one that cannot be read has `error`."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return SourceFile(f"it is larger than {_MOST_BYTES >> 20} MiB")
        with warnings.catch_warnings(action="ignore"):  # a pack's bad escapes are not ours to tell
            tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        return SourceFile(f"line {error.lineno or 1}: {error.msg}")
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return SourceFile(str(error) or type(error).__name__)
    found = SourceFile()
    try:
        syntax = read_syntax(tree)
        found.imports = list(_imports(tree.body, is_needed=True))
        found.used, found.assigned = _used(syntax)
        found.tables = read_tables(syntax)
        found.computed = any(map(_is_computed, syntax.calls))
    except RecursionError:
        return SourceFile("it is too deeply nested")
    return found


def _imports(body: Sequence[ast.stmt], *, is_needed: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            for each in node.names:
                yield Import(each.name, 0, (), is_needed)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(each.name for each in node.names)
            yield Import(node.module or "", node.level, names, is_needed)
        else:
            yield from _inner_imports(node, is_needed=is_needed)


def _inner_imports(node: ast.stmt, *, is_needed: bool) -> Iterator[Import]:
    if isinstance(node, ast.Try | ast.TryStar):
        caught = any(_catches_imports(each) for each in node.handlers)
        yield from _imports(node.body, is_needed=is_needed and not caught)
        for handler in node.handlers:
            yield from _imports(handler.body, is_needed=False)
        yield from _imports(node.orelse, is_needed=is_needed and not caught)
        yield from _imports(node.finalbody, is_needed=is_needed)
    elif isinstance(node, ast.If):
        inner = list(_imports(node.body, is_needed=False))
        if inner and not any(last_name(each) == "TYPE_CHECKING" for each in ast.walk(node.test)):
            yield from inner
        yield from _imports(node.orelse, is_needed=False)
    elif isinstance(node, ast.ClassDef | ast.With):
        yield from _imports(node.body, is_needed=is_needed)
    elif hasattr(node, "body") or hasattr(node, "cases"):
        for name in ("body", "orelse"):
            yield from _imports(getattr(node, name, ()), is_needed=False)
        for case in getattr(node, "cases", ()):
            yield from _imports(case.body, is_needed=False)


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = (each for each in ast.walk(handler.type) if isinstance(each, ast.Name))
    return any(each.id in _CATCH_IMPORT for each in names)


def _used(syntax: Syntax) -> tuple[list[str], list[str]]:
    """Names of the host that a file uses as attributes of what it imports; those it assigns.

    A name that the file also binds otherwise is left out: which of both is meant is not clear.
    """
    bound = dict(_bound(syntax))
    for name in (*syntax.arguments, *syntax.stored):
        bound.pop(name, None)
    used: dict[str, None] = {}
    assigned: dict[str, None] = {}
    for node, first in syntax.attributes if bound else ():
        if first not in bound:
            continue
        chain: list[str] = []
        here: ast.expr = node
        while isinstance(here, ast.Attribute):
            chain.append(here.attr)
            here = here.value
        found = assigned if isinstance(node.ctx, ast.Store) else used
        found[".".join([bound[first], *reversed(chain)])] = None
    return list(used), list(assigned)


def _bound(syntax: Syntax) -> Iterator[tuple[str, str]]:
    """Names that absolute imports bind to what may be the host's, each with its full name."""
    for node in syntax.imports:
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.split(".")[0]
                if may_be_host(first):
                    yield each.asname or first, each.name if each.asname else first
        elif not node.level and node.module and may_be_host(node.module):
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def _is_computed(node: ast.Call) -> bool:
    name = last_name(node.func)
    if name not in _COMPUTED:
        return False
    first = node.args[0] if node.args else None
    # `import_module("torch")` names what it imports; it is no pack's own file.
    return not (isinstance(first, ast.Constant) and not str(first.value).startswith("."))
