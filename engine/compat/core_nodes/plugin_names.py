"""The names of `nodes` and `comfy_extras.*`, added to our package of the first name.

Our package `nodes` holds the built-in nodes and lies below this one, so `attach` adds to it what
plugins look for there. Nothing is made before it is requested.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import nodes
from engine.compat.core_nodes.classes import v1_core_class, v3_core_class
from engine.compat.core_nodes.methods import ALIASES, v1_methods
from engine.compat.core_nodes.own_classes import OWN
from engine.compat.placeholders import (
    FACADE,
    HostModule,
    Placeholder,
    PlaceholderType,
    adopt,
    known_names,
    placeholder_of,
)

_MODULES = Path(__file__).with_name("modules.json")
_EXTRAS = "comfy_extras"
_VISIBLE = ("folder_paths", "comfy", "node_helpers", "latent_preview")
"""Modules that plugins also reach as attributes of `nodes`."""
_TABLES = (
    *("NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"),
    *("EXTENSION_WEB_DIRS", "LOADED_MODULE_DIRS"),
)
MAX_RESOLUTION = 16384
"""The highest width and height that widgets offer."""


@cache
def modules() -> Mapping[str, Sequence[str]]:
    """The classes of each module, by the names they have in prompts."""
    return json.loads(_MODULES.read_text(encoding="utf-8"))


@cache
def core_classes() -> Mapping[str, type]:
    """Every built-in node as a class, by its name in prompts; each is made once."""
    listed = {name for names in modules().values() for name in names}
    made: dict[str, type] = {}
    for node in nodes.builtin_nodes():
        name = node.class_type
        # A node that only this studio has is of the older dialect, whose methods return tuples.
        is_v1 = name in v1_methods() or name not in listed
        make = v1_core_class if is_v1 else v3_core_class
        made[name] = make(node, OWN.get(name))
    _have_placeholders(made)
    return made


def _have_placeholders(classes: Mapping[str, type]) -> None:
    """Give classes the known methods that they do not have, as placeholders."""
    for module in modules():
        for known in known_names().get(module, {}):
            name, _, method = known.partition(".")
            found = classes.get(ALIASES.get(name, name))
            if found is not None and method.isidentifier() and not hasattr(found, method):
                setattr(found, method, placeholder_of(module, known))


@cache
def tables() -> Mapping[str, dict[str, Any]]:
    """The tables of `nodes` that plugins read and write; there is one of each."""
    return {
        "NODE_CLASS_MAPPINGS": dict(core_classes()),
        "NODE_DISPLAY_NAME_MAPPINGS": {
            node.class_type: node.schema.display_name for node in nodes.builtin_nodes()
        },
        "EXTENSION_WEB_DIRS": {},
        "LOADED_MODULE_DIRS": {},
    }


@cache
def class_in(module: str, name: str) -> type | None:
    """The class that a module has under a name, or None.

    For a node of the incumbent's that is missing here it is a placeholder, which says so on use.
    """
    class_type = ALIASES.get(name, name)
    if class_type not in modules().get(module, ()):
        return None
    found = core_classes().get(class_type)
    if found is None:
        body = {"__module__": module, "__qualname__": name, "_calotype_name": (module, name)}
        found = PlaceholderType(name, (Placeholder,), body)
    return found


def names_of(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module of built-in nodes."""

    def get(name: str) -> Any:
        if name == "NODE_CLASS_MAPPINGS":
            listed = modules().get(module, ())
            return {each: core_classes()[each] for each in listed if each in core_classes()}
        made = class_in(module, name)
        if made is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return made

    return get


def submodule(name: str) -> ModuleType:
    """The `__getattr__` of `comfy_extras`, whose modules plugins use without importing them."""
    full = f"{_EXTRAS}.{name}"
    if full not in modules():
        raise AttributeError(f"module {_EXTRAS!r} has no attribute {name!r}")
    return importlib.import_module(full)


def _of_nodes(name: str) -> Any:
    if name == "MAX_RESOLUTION":
        return MAX_RESOLUTION
    if name in _TABLES:
        return tables()[name]
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name in _VISIBLE:
        return importlib.import_module(name)
    return names_of("nodes")(name)


def common_ksampler(*args: Any, **kwargs: Any) -> Any:
    """Sample as KSampler does, through the functions that plugins may have replaced."""
    return importlib.import_module("engine.compat.sampling.host_sample").common_ksampler(
        *args, **kwargs
    )


def before_node_execution() -> None:
    """Stop here if the user stopped the run. Raises the exception for it."""
    importlib.import_module("comfy.model_management").throw_exception_if_processing_interrupted()


def interrupt_processing(value: bool = True) -> None:
    """Have the run stopped, or take that back."""
    importlib.import_module("comfy.model_management").interrupt_current_processing(value)


def get_module_name(module_path: str) -> str:
    """The name of a pack: its folder's, or its file's without the ending."""
    path = Path(module_path)
    return path.stem if path.suffix == ".py" else path.name


async def load_custom_node(module_path: str, *_: Any, **__: Any) -> bool:
    """Refused: a worker loads packs at its start, so that a fault of one costs it alone.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        f"{get_module_name(module_path)} was to be loaded by another pack; put it into the folder "
        "custom_nodes, from which it is loaded at the next start"
    )


async def nothing_to_load(*_: Any, **__: Any) -> list[str]:
    """Built-in nodes and packs are loaded by the worker; there is nothing left to do."""
    return []


_FUNCTIONS: Mapping[str, Any] = {
    "common_ksampler": common_ksampler,
    "before_node_execution": before_node_execution,
    "interrupt_processing": interrupt_processing,
    "get_module_name": get_module_name,
    "load_custom_node": load_custom_node,
    "init_extra_nodes": nothing_to_load,
    "init_external_custom_nodes": nothing_to_load,
    "init_builtin_extra_nodes": nothing_to_load,
}


class _ExtrasLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return HostModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__getattr__"] = names_of(module.__name__)


class _ExtrasFinder(MetaPathFinder):
    """Finds the modules of `comfy_extras` that hold classes only."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        package, _, name = fullname.partition(".")
        if package != _EXTRAS or fullname not in modules():
            return None
        if (FACADE / package / f"{name}.py").is_file():
            return None
        return ModuleSpec(fullname, _ExtrasLoader())


_FINDER = _ExtrasFinder()


def attach() -> None:
    """Give `nodes` and `comfy_extras.*` the names that plugins use; again does nothing."""
    if _FINDER in sys.meta_path:
        return
    sys.meta_path.insert(0, _FINDER)
    nodes.__dict__["__getattr__"] = _of_nodes
    adopt(nodes)
