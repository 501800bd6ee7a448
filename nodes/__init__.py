"""The built-in nodes, and the interface to them for plugins: `NODE_CLASS_MAPPINGS`.

Importing this loads no node: that happens when the nodes, or a mapping, are first requested.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from engine.graph.object_info import ListFolder
from engine.nodekit.contract import FunctionNode
from engine.nodekit.registry import Registry, nodes_in
from engine.nodekit.v1_class import v1_class


def builtin_nodes() -> list[FunctionNode[..., Any]]:
    """Every node of every module in this folder. Loads torch."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [node for module in modules for node in nodes_in(module)]


def builtin_registry() -> Registry:
    """A registry that holds the built-in nodes, to which plugins may be added."""
    return Registry(builtin_nodes())


def class_mappings(list_folder: ListFolder | None = None) -> dict[str, type]:
    """The built-in nodes as V1 classes by name; `list_folder` fills their combos of files."""
    return {node.class_type: v1_class(node, list_folder=list_folder) for node in builtin_nodes()}


@cache
def _mappings() -> Mapping[str, dict[str, Any]]:
    """The mapping that plugins read and write, so it is made once."""
    return {
        "NODE_CLASS_MAPPINGS": class_mappings(),
        "NODE_DISPLAY_NAME_MAPPINGS": {
            node.class_type: node.schema.display_name for node in builtin_nodes()
        },
    }


def __getattr__(name: str) -> Any:
    if name in ("NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"):
        return _mappings()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
