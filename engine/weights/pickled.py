"""Reads `.ckpt`, `.pt`, `.pth` and `.bin` files, through torch's weights-only unpickler alone.

Such a file is a program; whatever it wants to call beyond making tensors is refused, and there is
no switch that turns the refusal off. Knows no architecture.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.state_dict import StateDict

ADVICE = "Get the file as .safetensors, or convert it with a tool and a source that you trust."


def read(path: Path) -> StateDict:
    """Open a pickled checkpoint; tensors are memory-mapped. Raises `WeightsError`."""
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            # Old files hold TypedStorage; torch announces its end at every load.
            warnings.filterwarnings("ignore", message="TypedStorage is deprecated")
            document = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except OSError as error:
        raise WeightsError(f"{path.name}: cannot be read: {error}") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name}: refused, for it holds more than tensors{_named(path)}; "
            f"loading it could run someone's code. {ADVICE}"
        ) from error
    except Exception as error:
        # The unpickler lets whatever a damaged stream provokes through: KeyError, EOFError ...
        raise WeightsError(
            f"{path.name}: not a readable PyTorch checkpoint ({type(error).__name__}: "
            f"{str(error)[:200]}). {ADVICE}"
        ) from error
    return StateDict.of(_tensors(path, document), path=path)


def _check_archive(path: Path) -> None:
    """PyTorch stores its archives uncompressed; a compressed one is foreign, and may be a bomb."""
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


def _named(path: Path) -> str:
    """What the file wants beyond tensors, for the message."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # noqa: BLE001 - only the message gets shorter
        return ""
    return f" ({', '.join(sorted(names)[:5])})" if names else ""


def _tensors(path: Path, document: Any) -> dict[str, Tensor]:
    if isinstance(document, Mapping) and isinstance(document.get("state_dict"), Mapping):
        document = document["state_dict"]
    found = type(document).__name__
    if isinstance(document, Mapping):
        tensors = _direct(document)
        if not tensors:
            # Textual inversions keep theirs one level down: {"string_to_param": {"*": tensor}}.
            tensors = {
                f"{outer}.{name}": tensor
                for outer, inner in document.items()
                if isinstance(outer, str) and isinstance(inner, Mapping)
                for name, tensor in _direct(inner).items()
            }
        if tensors:
            return tensors
        found = f"{len(document)} entries, first {[str(name)[:60] for name in list(document)[:3]]}"
    raise WeightsError(f"{path.name}: expected tensors by name, found {found}.")


def _direct(document: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {
        name: value.detach()
        for name, value in document.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
