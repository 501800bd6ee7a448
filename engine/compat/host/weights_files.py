"""`comfy.utils`: tensors from files and to files, without ever running a file's code."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, overload

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import WeightsError
from engine.weights import pickled
from engine.weights.open import is_pickled_file, open_stored
from engine.weights.state_dict import StateDict

MMAP_TORCH_FILES = False
DISABLE_MMAP = False
_HEADER_SIZE = 8


@overload
def load_torch_file(
    ckpt: str,
    safe_load: bool = False,
    device: torch.device | str | None = None,
    return_metadata: Literal[False] = False,
) -> Any: ...
@overload
def load_torch_file(
    ckpt: str,
    safe_load: bool = False,
    device: torch.device | str | None = None,
    *,
    return_metadata: Literal[True],
) -> tuple[Any, dict[str, str] | None]: ...
def load_torch_file(
    ckpt: str,
    safe_load: bool = False,  # noqa: ARG001 - reading is always safe here
    device: torch.device | str | None = None,
    return_metadata: bool = False,
) -> Any:
    """The tensors of a file by name, as they are stored.

    A pickled file is read by torch's weights-only reader, whatever `safe_load` says; what it wraps
    in `state_dict`, or in a single entry, is unwrapped.

    Args:
        ckpt: the path.
        safe_load: accepted for plugins that pass it.
        device: where the tensors go; None for the CPU.
        return_metadata: whether to give the file's metadata, too; None for a pickled file.

    Raises:
        WeightsError: the file is damaged, hostile, or of no known format.
    """
    path = Path(ckpt)
    metadata: dict[str, str] | None = None
    if is_pickled_file(path):
        found = _unwrapped(pickled.document(path))
    else:
        stored = open_stored(path)
        found = _writable(path, stored)
        metadata = dict(stored.metadata)
    if device is not None and torch.device(device).type != "cpu" and isinstance(found, dict):
        found = {
            name: value.to(device) if isinstance(value, Tensor) else value
            for name, value in found.items()
        }
    return (found, metadata) if return_metadata else found


def _unwrapped(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    if "state_dict" in document:
        return document["state_dict"]
    if len(document) == 1:
        only = next(iter(document.values()))
        return only if isinstance(only, dict) else document
    return document


def _writable(path: Path, stored: StateDict) -> dict[str, Tensor]:
    """The tensors of a checked file, mapped so that a change stays in memory.

    Ours are mapped read-only: a plugin that changed one in place would end the process.
    """
    tensors: dict[str, Tensor] = {}
    with safetensors.safe_open(path, framework="pt", device="cpu") as file:
        for name in stored:
            try:
                tensors[name] = file.get_tensor(name)
            except Exception:  # noqa: BLE001 - a dtype that only our reader has
                tensors[name] = stored[name].clone()
    return tensors


def save_torch_file(
    sd: Mapping[str, Tensor], ckpt: str, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors as a safetensors file."""
    tensors = {name: value.contiguous() for name, value in sd.items()}
    save_file(tensors, ckpt, metadata=dict(metadata) if metadata is not None else None)


def safetensors_header(safetensors_path: str, max_size: int = 100 * 1024 * 1024) -> bytes | None:
    """The JSON text at the beginning of a safetensors file; None if it is longer than `max_size`.

    Raises:
        WeightsError: the file is too short to be one.
    """
    with Path(safetensors_path).open("rb") as file:
        size = file.read(_HEADER_SIZE)
        if len(size) < _HEADER_SIZE:
            raise WeightsError(
                f"{Path(safetensors_path).name}: not a safetensors file, it has "
                f"{os.path.getsize(safetensors_path)} bytes"  # noqa: PTH202 - one call
            )
        length = struct.unpack("<Q", size)[0]
        return file.read(length) if length <= max_size else None
