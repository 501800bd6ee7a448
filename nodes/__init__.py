"""The built-in nodes.

Importing this loads no node: that happens when the nodes are first requested. What plugins find
under this name, classes and `NODE_CLASS_MAPPINGS`, is added by `engine.compat.core_nodes`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from engine.nodekit.contract import FunctionNode
from engine.nodekit.registry import Registry, nodes_in


def builtin_nodes() -> list[FunctionNode[..., Any]]:
    """Every node of every module in this folder. Loads torch."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [node for module in modules for node in nodes_in(module)]


def builtin_registry() -> Registry:
    """A registry that holds the built-in nodes, to which plugins may be added."""
    return Registry(builtin_nodes())
