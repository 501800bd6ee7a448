"""Puts the facade on `sys.path`: modules that plugins import, as `folder_paths` and `comfy.utils`.

`facade/` holds thin modules under those names; what they export is implemented in the other
folders of `engine.compat`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from engine.compat import placeholders
from engine.compat.placeholders import FACADE


def install_facade() -> None:
    """Make the names of the host importable in this process; again does nothing.

    Those without an implementation are placeholders.
    """
    placeholders.install_finder()
    # By name, because the folders of this package use this module.
    importlib.import_module("engine.compat.core_nodes.plugin_names").attach()
    if str(FACADE) not in sys.path:
        sys.path.insert(0, str(FACADE))


def host_module(name: str) -> ModuleType:
    """A module as plugins see it, with whatever they have assigned to it.

    Code of ours that a plugin may replace is called through this, so that the replacement counts:
    `host_module("comfy.samplers").calculate_sigmas(...)`.

    Args:
        name: such as `comfy.samplers`.

    Raises:
        ImportError: there is no such module.
    """
    install_facade()
    return importlib.import_module(name)
