"""Which names of the host are looked up at call time, so that a plugin may replace them.

A plugin that assigns to another name of the host changes nothing; that is logged once.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from engine.compat.attribution import plugin_on_stack

_LOGGER = logging.getLogger(__name__)
_live: set[str] = set()
_logged: set[tuple[str, str]] = set()
_made: set[str] = set()
"""Names that plugins added to modules of the host."""
_MISSING = object()
_OURS = ("engine.", "comfy", "nodes")


def live(*names: str) -> None:
    """Declare names that this engine calls as they are at that moment.

    Args:
        names: such as `comfy.sample.sample`; `comfy.samplers.KSampler.*` for all below a name.
    """
    _live.update(names)


def is_live(name: str) -> bool:
    """Whether an assignment to this name reaches something that is called."""
    if name in _live:
        return True
    parts = name.split(".")
    return any(".".join(parts[:count]) + ".*" in _live for count in range(1, len(parts)))


def note_assignment(plugin: str, name: str) -> None:
    """Log that a plugin replaced a name, unless that has an effect; once for each name."""
    if is_live(name) or (plugin, name) in _logged:
        return
    _logged.add((plugin, name))
    _LOGGER.warning("%s replaces %s, which nothing here calls", plugin, name)


def note_module_assignment(module: ModuleType, name: str, value: Any) -> None:
    """The same for an assignment to an attribute of a module, by whoever is on the stack.

    New names are a plugin's own business, and submodules are set by the import system.
    """
    old = module.__dict__.get(name, _MISSING)
    full = f"{module.__name__}.{name}"
    if old is value or isinstance(value, ModuleType) or name.startswith("__") or full in _made:
        return
    plugin = plugin_on_stack()
    if plugin is not None and old is _MISSING:
        _made.add(full)
    elif plugin is not None:
        note_assignment(plugin, full)


@contextmanager
def watching(plugin: str, is_host: type[ModuleType]) -> Iterator[None]:
    """Log which attributes of the host's classes a plugin replaces inside the `with`.

    Args:
        plugin: its name.
        is_host: the class of the modules that belong to the host.
    """
    before = _class_attributes(is_host)
    try:
        yield
    finally:
        for name, value in _class_attributes(is_host).items():
            if before.get(name, value) is not value:
                note_assignment(plugin, name)


def _class_attributes(is_host: type[ModuleType]) -> dict[str, Any]:
    """The attributes of all classes in the host's modules that are loaded, by their full names."""
    found: dict[str, Any] = {}
    for module in [each for each in sys.modules.values() if isinstance(each, is_host)]:
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__.startswith(_OURS):
                for inner, attribute in vars(value).items():
                    if not inner.startswith("__") or inner == "__init__":
                        found[f"{module.__name__}.{name}.{inner}"] = attribute
    return found
