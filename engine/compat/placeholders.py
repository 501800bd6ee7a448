"""Placeholders for names of the host that plugins know and that are not implemented here.

A plugin that only names one (imports it, subclasses it, tests for it, annotates with it) loads;
calling one raises `NotImplementedError`. Which names there are stands in `known_names.json`: by
module, each with its kind.
"""

from __future__ import annotations

import importlib
import json
import sys
from abc import ABCMeta
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from engine.compat.attribution import plugin_on_stack
from engine.compat.live import note_assignment, note_module_assignment

FACADE = Path(__file__).resolve().parent / "facade"
"""Holds the modules under the names that plugins import."""
_KNOWN = Path(__file__).resolve().parent / "known_names.json"
_OURS = frozenset({"nodes"})
"""Known modules that are packages of this engine, too: they are never replaced by a placeholder."""


@cache
def known_names() -> Mapping[str, Mapping[str, str]]:
    """The names that plugins use, by module: `{"comfy.sd": {"VAE": "class"}}`."""
    return json.loads(_KNOWN.read_text(encoding="utf-8"))


@cache
def _packages() -> frozenset[str]:
    """The known modules and all packages above them."""
    parts = [name.split(".") for name in known_names()]
    return frozenset(".".join(each[:n]) for each in parts for n in range(1, len(each) + 1))


@cache
def _roots() -> frozenset[str]:
    """The top-level names of the host: those known, and those that the facade has."""
    own = {path.stem for path in FACADE.glob("*") if path.suffix == ".py" or path.is_dir()}
    return frozenset({name.split(".")[0] for name in known_names()} | own)


class PlaceholderType(ABCMeta):
    """The class of placeholders: a class to name and to subclass, but not to call."""

    def __call__(cls, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse. Raises `NotImplementedError`."""
        refuse(_origin(cls))

    def __getattr__(cls, name: str) -> Any:
        full = cls.__dict__.get("_calotype_name")
        if full is None or name.startswith("__"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        module, inside = full
        found = _placeholder(module, f"{inside}.{name}")
        if found is None:
            raise AttributeError(f"{module}.{inside} has no attribute {name!r}")
        return found

    def __setattr__(cls, name: str, value: Any) -> None:
        full = cls.__dict__.get("_calotype_name")
        plugin = plugin_on_stack() if full and not name.startswith(("_abc", "__")) else None
        if plugin and full:
            note_assignment(plugin, f"{full[0]}.{full[1]}.{name}")
        super().__setattr__(name, value)


class Placeholder(metaclass=PlaceholderType):
    """What every placeholder is a subclass of."""

    @classmethod
    def __class_getitem__(cls, _item: Any) -> type:
        return cls


def _origin(cls: type) -> str:
    """The full name of the placeholder that a class is or derives from."""
    for each in cls.__mro__:
        if full := each.__dict__.get("_calotype_name"):
            return ".".join(full)
    return cls.__name__


def refuse(name: str) -> NoReturn:
    """Say that a name of the host is not implemented. Raises `NotImplementedError`."""
    plugin = plugin_on_stack() or "a plugin"
    raise NotImplementedError(
        f"{plugin} uses {name}, which Calotype does not have yet. Other nodes of {plugin} may "
        f"work; please report this at Calotype's issue tracker, with both names."
    )


_lent: dict[str, set[str]] = {}
"""Names that are no known ones, and have placeholders now, by module."""
_lent_modules: set[str] = set()


def lend(module: str, name: str) -> None:
    """Have a placeholder for a name that is not known, until `take_back`; an empty one: a module.

    A module stays: who has imported it reaches its names through the package above it.
    """
    if name:
        _lent.setdefault(module, set()).add(name)
    else:
        _lent_modules.add(module)


def take_back() -> None:
    """End what `lend` began."""
    _lent.clear()
    _lent_modules.clear()


def is_below_the_host(module: str) -> bool:
    """Whether a module's name lies below one of the host's."""
    root, _, rest = module.partition(".")
    return bool(rest) and root in _roots() and root not in _OURS


def _placeholder(module: str, name: str) -> type | None:
    """The placeholder of a known or lent name, always the same one; None for any other one."""
    known, lent = known_names().get(module, {}), _lent.get(module, set[str]())
    inside = f"{name}."
    if name in known or name in lent or any(each.startswith(inside) for each in known):
        return _made(module, name)
    return None


def placeholder_of(module: str, name: str) -> type:
    """The placeholder of a name, always the same one."""
    return _made(module, name)


@cache
def _made(module: str, name: str) -> type:
    body = {"__module__": module, "__qualname__": name, "_calotype_name": (module, name)}
    return PlaceholderType(name.rpartition(".")[2], (Placeholder,), body)


class HostModule(ModuleType):
    """A module of the facade: unknown attributes may be placeholders, replaced ones are logged."""

    def __getattr__(self, name: str) -> Any:
        # While a module runs, a missing name means a circle of imports, which must be seen.
        spec = self.__dict__.get("__spec__")
        if not name.startswith("__") and not getattr(spec, "_initializing", False):
            found = _placeholder(self.__name__, name)
            if found is not None:
                return found
            # The incumbent has imported all its modules when plugins load.
            if (full := f"{self.__name__}.{name}") in _packages():
                return importlib.import_module(full)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        note_module_assignment(self, name, value)
        super().__setattr__(name, value)


def adopt(module: ModuleType) -> None:
    """Make a module of this engine one of the host's, as `nodes` is both."""
    module.__class__ = HostModule


class _HostLoader(Loader):
    """Loads a module of the facade as a `HostModule`; without a file, an empty one."""

    def __init__(self, inner: Any = None) -> None:
        self._inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return HostModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if self._inner is not None:
            self._inner.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        # `inspect.getsource` asks the loader of the file.
        if name.startswith("__") or self.__dict__.get("_inner") is None:
            raise AttributeError(name)
        return getattr(self._inner, name)


class _HostFinder(MetaPathFinder):
    """Finds the modules of the facade before any of the same name, and known ones without a file.

    A plugin's folder on `sys.path` may hold a `server.py` or `utils/`, too.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root = fullname.partition(".")[0]
        if root not in _roots() or root in _OURS:
            return None
        where = [str(FACADE)] if path is None else path
        spec = PathFinder.find_spec(fullname, where, target)
        if spec is not None:
            spec.loader = _HostLoader(spec.loader)
            return spec
        if fullname in _packages() or fullname in _lent_modules:
            is_known_one = any(each.startswith(f"{fullname}.") for each in _packages())
            is_package = is_known_one or fullname in _lent_modules
            return ModuleSpec(fullname, _HostLoader(), is_package=is_package)
        return None


class _InsideFinder(MetaPathFinder):
    """Finds `model_management` where it means `comfy.model_management`, after everything else.

    The incumbent has the folder of its package `comfy` on `sys.path`, too.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if "." in fullname or not (FACADE / "comfy" / f"{fullname}.py").is_file():
            return None
        return ModuleSpec(fullname, _InsideLoader())


class _InsideLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"comfy.{spec.name}")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It has run, and keeps its own specification.
        found = module.__dict__["__spec__"]
        module.__dict__["__spec__"] = found.loader_state


_FINDER, _INSIDE = _HostFinder(), _InsideFinder()


def install_finder() -> None:
    """Let this process find the host's modules, real ones and placeholders; again does nothing."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    if _INSIDE not in sys.meta_path:
        sys.meta_path.append(_INSIDE)
