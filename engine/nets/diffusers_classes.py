"""Classes of diffusers, which is optional: it is imported when a network of it is built.

Only classes that a family names are used; nothing is downloaded, and no code or
class name comes out of a file.
"""

from __future__ import annotations

import importlib

from torch import nn

from engine.errors import WeightsError

INSTALL = 'pip install "calotype[diffusers]"'


def network_class(name: str, family: str) -> type[nn.Module]:
    """The class of that name in diffusers.

    Args:
        name: of one of its networks.
        family: the family that it is for, as messages name it.

    Raises:
        WeightsError: diffusers is not installed, is broken, or has no such class.
    """
    try:
        package = importlib.import_module("diffusers")
    except ImportError as error:
        found = "which is not installed"
        if not isinstance(error, ModuleNotFoundError):
            found = f"which cannot be imported ({error})"
        raise WeightsError(
            f"this is a model of {family}. It runs with the package diffusers, {found}. "
            f"Install it with: {INSTALL}; then restart Calotype."
        ) from error
    try:
        found = getattr(package, name)
    except (AttributeError, ImportError, RuntimeError) as error:
        version = getattr(package, "__version__", "of an unknown version")
        raise WeightsError(
            f"this is a model of {family}. It runs with the class {name} of diffusers, and the "
            f"installed diffusers {version} has none that works. "
            f"Install the right version with: {INSTALL}; then restart Calotype."
        ) from error
    return found
