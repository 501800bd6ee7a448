"""Reads `.ckpt`, `.pt`, `.pth` and `.bin` files, through torch's weights-only unpickler alone.

Such a file is a program. Classes and functions that it names beyond tensors get an inert stand-in,
so no code of the file runs; a file that names functions of Python's standard library is refused,
and no setting turns the refusal off.
"""

from __future__ import annotations

import _compat_pickle
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.machine import lift_data_limit
from engine.weights.stand_ins import refused_names, stand_ins, tensors_of
from engine.weights.state_dict import StateDict

_OLD_PICKLES = 4
"""The magic number, the format's version, the system, and the document."""
ADVICE = "Get the file as .safetensors, or convert it with a tool and a source that you trust."


def read(path: Path) -> StateDict:
    """Open a pickled checkpoint; tensors are memory-mapped. Raises `WeightsError`."""
    return StateDict.of(_tensors(path, document(path)), path=path)


def document(path: Path) -> Any:
    """All that a pickled file holds: its settings too. Raises `WeightsError`.

    Containers, numbers, strings and memory-mapped tensors; anything else is an inert stand-in.
    """
    _check_archive(path)
    wanted = _unknown_globals(path)
    if refused := refused_names(wanted):
        raise WeightsError(
            f"{path.name}: refused, for it wants to call functions that no checkpoint needs "
            f"({', '.join(refused[:5])}); loading it could run someone's code. {ADVICE}"
        )
    lift_data_limit()  # torch's mapping of the file counts as memory
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins(wanted)):
            # Old files hold TypedStorage; torch warns about its deprecation at every load.
            warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
            return torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except OSError as error:
        raise WeightsError(f"{path.name}: cannot be read: {error}") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name}: refused, for it holds more than tensors and settings "
            f"({str(error).splitlines()[0][:200]}); loading it could run someone's code. {ADVICE}"
        ) from error
    except Exception as error:
        # For a damaged stream the unpickler raises many kinds of errors: KeyError, EOFError ...
        raise WeightsError(
            f"{path.name}: not a readable PyTorch checkpoint ({type(error).__name__}: "
            f"{str(error)[:200]}). {ADVICE}"
        ) from error


def _check_archive(path: Path) -> None:
    """Refuse a compressed archive: PyTorch writes none, and it may be a bomb."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            compressed = [
                info.filename
                for info in archive.infolist()
                if info.compress_type != zipfile.ZIP_STORED
            ]
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise WeightsError(f"{path.name}: its archive is damaged: {error}. {ADVICE}") from error
    if compressed:
        raise WeightsError(
            f"{path.name}: refused, for its archive is compressed ({compressed[0]!r}), "
            f"which PyTorch never does. {ADVICE}"
        )


def _unknown_globals(path: Path) -> list[str]:
    """The classes and functions that a file names and torch does not allow by itself.

    None for a damaged file: the unpickler reports the damage, and refuses what is missing here.
    """
    try:
        if zipfile.is_zipfile(path):
            return torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
        return sorted(_unknown_globals_of_old_format(path))
    except Exception:  # noqa: BLE001 - whatever is wrong with the file is said when it is read
        return []


def _unknown_globals_of_old_format(path: Path) -> set[str]:
    """The same for a file without an archive: consecutive pickles, then raw numbers."""
    names: set[str] = set()
    with path.open("rb") as stream:
        for _ in range(_OLD_PICKLES):
            for operation, argument, _ in pickletools.genops(stream):
                if operation.name == "GLOBAL":
                    names.add(_modern(*str(argument).split(" ", 1)))
    return names


def _modern(module: str, name: str) -> str:
    """A name as Python 3 spells it."""
    module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
    return f"{_compat_pickle.IMPORT_MAPPING.get(module, module)}.{name}"


def _tensors(path: Path, document: Any) -> dict[str, Tensor]:
    held = tensors_of(document)
    if held is not None:
        inner = tensors_of(held.get("state_dict"))
        held = held if inner is None else inner
        tensors = _direct(held)
        if not tensors:
            # Textual inversions have theirs one level down: {"string_to_param": {"*": tensor}}.
            tensors = {
                f"{outer}.{name}": tensor
                for outer, value in held.items()
                if isinstance(outer, str)
                for name, tensor in _direct(tensors_of(value) or {}).items()
            }
        if tensors:
            return tensors
        found = f"{len(held)} entries, first {[str(name)[:60] for name in list(held)[:3]]}"
    else:
        found = type(document).__name__
    raise WeightsError(f"{path.name}: expected tensors by name, found {found}.")


def _direct(document: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {
        name: value.detach()
        for name, value in document.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
