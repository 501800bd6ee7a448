"""Which of the host's names exist here: read from the files of the facade, which is not imported.

Imports no torch, executes nothing.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from engine.packs.distributions import may_be_host

PRESENT, PLACEHOLDER, ABSENT = "present", "placeholder", "absent"
_ENGINE = Path(__file__).resolve().parents[1]
_NODES = "nodes"
"""The module of the host that is a package of this program, too."""
_TABLES = ("_FUNCTIONS", "_TABLES", "_VISIBLE")
"""Constants of the file that gives `nodes` its names, besides its classes."""
_MODULE_NAMES = ("__name__", "__file__", "__path__", "__dict__", "__doc__", "__version__")


class HostNames:
    """Answers what a dotted name of the host is here.

    Args:
        engine: the folder of this program's package `engine`.
    """

    def __init__(self, engine: Path = _ENGINE) -> None:
        self._root = engine.parent
        self._facade = engine / "compat" / "facade"
        self._known = _table(engine / "compat" / "known_names.json")
        self._classes = _table(engine / "compat" / "core_nodes" / "modules.json")
        self._catalog = _class_types(engine / "server" / "builtin_catalog.json")
        self._tables = engine / "compat" / "core_nodes" / "plugin_names.py"
        self._aliases = _texts(engine / "compat" / "core_nodes" / "methods.py", "ALIASES")
        self._read: dict[str, frozenset[str]] = {}
        self._states: dict[str, str] = {}

    def is_host(self, name: str) -> bool:
        """Whether a dotted name begins with one of the host's modules."""
        return may_be_host(name)

    def has_module(self, module: str) -> bool:
        """Whether a module can be imported here, as a placeholder or a real one."""
        return self._file(module) is not None or module in self._modules()

    def state(self, name: str) -> str:
        """PRESENT, PLACEHOLDER or ABSENT, by the longest module in a dotted name."""
        found = self._states.get(name)
        if found is None:
            found = self._states[name] = self._state(name)
        return found

    def _state(self, name: str) -> str:
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if self.has_module(module):
                return self._state_in(module, parts[length:])
        return ABSENT

    def _state_in(self, module: str, rest: list[str]) -> str:
        is_real = self._file(module) is not None or module == _NODES or module in self._classes
        if not rest:
            is_container = any(each.startswith(f"{module}.") for each in self._modules())
            return PRESENT if is_real or is_container else PLACEHOLDER
        names = self._names(module)
        starts = tuple(each[:-1] for each in names if each.endswith("*"))
        if rest[0] in names or rest[0] in _MODULE_NAMES or rest[0].startswith(starts):
            return PRESENT
        name = self._aliases.get(rest[0], rest[0])
        if name in self._classes.get(module, ()):
            return PRESENT if name in self._catalog else PLACEHOLDER
        known = self._known.get(module, {})
        full = ".".join(rest)
        is_known = any(each == rest[0] or each.startswith(f"{rest[0]}.") for each in known)
        return PLACEHOLDER if is_known or full in known else ABSENT

    def _modules(self) -> frozenset[str]:
        found = self._read.get("")
        if found is None:
            listed = [*self._known, *self._classes]
            parts = [each.split(".") for each in listed]
            found = frozenset(".".join(each[:n]) for each in parts for n in range(1, len(each) + 1))
            self._read[""] = found
        return found

    def _file(self, module: str) -> Path | None:
        return _module_file(self._facade, module)

    def _names(self, module: str) -> frozenset[str]:
        found = self._read.get(module)
        if found is None:
            self._read[module] = frozenset()  # a circle ends here
            path = self._tables if module == _NODES else self._file(module)
            names = set(self._defined(path)) if path is not None else set[str]()
            if module == _NODES and path is not None:
                names |= {key for name in _TABLES for key in _texts(path, name)}
            if module in self._classes:
                names.add("NODE_CLASS_MAPPINGS")
            found = self._read[module] = frozenset(names)
        return found

    def _defined(self, path: Path) -> Iterator[str]:
        """The names that a file of ours defines, imports and takes over by a star."""
        tree = _tree(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield from self._starred(node.module or "")
            else:
                yield from bound_names(node)
        yield from self._updated(tree)

    def _updated(self, tree: ast.Module) -> Iterator[str]:
        """Names that `globals().update(TABLE)` adds: texts in the file that holds the table."""
        homes = {
            each.asname or each.name: node.module or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "globals().update":
                tables = [each.id for each in node.args if isinstance(each, ast.Name)]
                for path in (_module_file(self._root, homes.get(each, "")) for each in tables):
                    if path is not None:
                        yield from _table_names(_tree(path))

    def _starred(self, module: str) -> Iterator[str]:
        path = _module_file(self._root, module) or self._file(module)
        if path is not None:
            yield from self._defined(path)


def bound_names(node: ast.AST) -> Iterator[str]:
    """The names that one statement binds; those inside of it are left out."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for each in node.names:
            yield each.asname or each.name.split(".")[0]
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id


def _module_file(root: Path, module: str) -> Path | None:
    if not module:
        return None
    base = root.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _table_names(tree: ast.Module) -> Iterator[str]:
    """All texts that may be names; of computed ones (`f"sample_{name}"`) the start and a star."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.isidentifier():
                yield node.value
        elif isinstance(node, ast.DictComp) and isinstance(node.key, ast.JoinedStr):
            start = node.key.values[0]
            if isinstance(start, ast.Constant):
                yield f"{start.value}*"


def _texts(path: Path, name: str) -> dict[str, str]:
    """The texts in a constant of a file of ours; of a table its keys, with texts as values."""
    found: dict[str, str] = {}
    for node in _tree(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if not any(isinstance(each, ast.Name) and each.id == name for each in targets):
            continue
        if isinstance(value, ast.Dict):
            for key, each in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant):
                    found[str(key.value)] = str(getattr(each, "value", ""))
        elif value is not None:
            texts = [each.value for each in ast.walk(value) if isinstance(each, ast.Constant)]
            found |= {str(each): "" for each in texts}
    return found


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


def _table(path: Path) -> Mapping[str, Any]:
    found: object = json.loads(path.read_text(encoding="utf-8"))
    return cast("dict[str, Any]", found)


def _class_types(path: Path) -> frozenset[str]:
    found: object = json.loads(path.read_text(encoding="utf-8"))
    return frozenset(each["class_type"] for each in cast("list[dict[str, str]]", found))
