"""One handle for each file of weights, as long as something uses it.

Two nodes that load one file so share its weights and their memory.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

from engine.adapters.read import file_state

T = TypeVar("T")
_handles: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()


def handle_of(path: Path, load: Callable[[Path], T]) -> T:
    """What `load` makes of a file, cached by the file's state; it must be weakly referenceable.

    Raises:
        WeightsError: the file is missing, or `load` refuses it.
    """
    key = (load.__module__, load.__qualname__, file_state(path))
    found = _handles.get(key)
    if found is None:
        found = _handles[key] = load(path)
    return cast("T", found)
