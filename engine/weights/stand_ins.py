"""Inert stand-ins for what a pickled checkpoint holds beside its tensors.

Trainers store more than tensors in their files: callbacks, settings, NumPy numbers, whole modules.
Each such class or function gets a stand-in that accepts any arguments and does nothing; the
original is neither imported nor called.
"""

from __future__ import annotations

import _compat_pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

from torch import Tensor

_HARMLESS = frozenset({
    # allowed by torch itself
    "_codecs.encode", "builtins.bytearray", "builtins.complex", "builtins.set",
    "collections.Counter", "collections.OrderedDict",
    # stored by trainers
    "argparse.Namespace",
    "builtins.Ellipsis", "builtins.NotImplemented",
    "builtins.bool", "builtins.bytes", "builtins.dict", "builtins.float", "builtins.frozenset",
    "builtins.int", "builtins.list", "builtins.object", "builtins.range", "builtins.slice",
    "builtins.str", "builtins.tuple",
    "collections.defaultdict", "collections.deque",
    "copyreg._reconstructor",
    "decimal.Decimal", "enum.Enum", "fractions.Fraction", "functools.partial",
    "logging.getLogger",
    "types.SimpleNamespace", "uuid.UUID",
})  # fmt: skip
_HARMLESS_MODULES = ("datetime", "pathlib", "typing", "numbers")
_OLD_MODULES = frozenset(
    name.partition(".")[0]
    for name in (
        *_compat_pickle.IMPORT_MAPPING,
        *_compat_pickle.REVERSE_IMPORT_MAPPING.values(),
        *(module for module, _ in _compat_pickle.NAME_MAPPING),
    )
)
"""The standard library's modules by their Python 2 names, which pickles still use."""
_DEEPEST = 64


class StandIn:
    """Replaces an object of an unknown class. Stores the state it was given, and does nothing.

    Attributes:
        state: the object's state in the file.
    """

    state: Any

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Take any arguments."""
        made = object.__new__(cls)
        made.state = None
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take any arguments."""

    def __setstate__(self, state: Any) -> None:
        """Store the state unchanged; nothing in it becomes an attribute."""
        self.state = state


class StandInMapping(StandIn):
    """Replaces a dictionary class with a plain `dict`, which the file fills."""

    def __new__(cls, *_: Any, **__: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take any arguments."""
        return OrderedDict[Any, Any]()


class StandInList(StandIn):
    """Replaces a list class with a plain `list`, which the file fills."""

    def __new__(cls, *_: Any, **__: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take any arguments."""
        return list[Any]()


def refused_names(names: Iterable[str]) -> list[str]:
    """The names that no checkpoint needs: functions of Python's standard library.

    A file that names `os.system` is not a trained checkpoint; it is an attack.
    """
    return sorted(name for name in names if _is_refused(name))


def stand_ins(names: Iterable[str]) -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """A stand-in for each name, in the form that `torch.serialization.safe_globals` takes."""
    return [(_made(name), name) for name in names]


def tensors_of(value: object) -> Mapping[Any, Any] | None:
    """The items by name of a mapping, or of a stand-in of a module or container of parameters."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, StandIn) and isinstance(value.state, Mapping):
        return dict(_of_module(value.state))
    return None


def _of_module(state: Mapping[Any, Any]) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a pickled module, and of those inside it, by dotted names."""
    left: list[tuple[str, Mapping[Any, Any], int]] = [("", state, 0)]
    while left:
        prefix, inside, depth = left.pop()
        for kind in ("_parameters", "_buffers"):
            held = inside.get(kind)
            for name, tensor in held.items() if isinstance(held, Mapping) else ():
                if isinstance(name, str) and isinstance(tensor, Tensor):
                    yield prefix + name, tensor
        modules = inside.get("_modules")
        for name, module in modules.items() if isinstance(modules, Mapping) else ():
            further = module.state if isinstance(module, StandIn) else None
            if isinstance(name, str) and isinstance(further, Mapping) and depth < _DEEPEST:
                left.append((f"{prefix}{name}.", further, depth + 1))


def _is_refused(name: str) -> bool:
    module = name.partition(".")[0]
    standard = module in sys.stdlib_module_names or module in _OLD_MODULES
    return standard and module not in _HARMLESS_MODULES and name not in _HARMLESS


def _made(name: str) -> Callable[..., Any]:
    module, _, last = name.rpartition(".")
    is_module = module.startswith("torch.nn.")
    base = StandIn
    if not is_module and last.lower().endswith(("dict", "munch")):
        base = StandInMapping
    elif not is_module and last.lower().endswith(("list", "deque")):
        base = StandInList
    return type(last or "unnamed", (base,), {"__module__": module})
