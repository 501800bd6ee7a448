"""Small modules of the host: log, configuration files, JSON, normalization, safe unpickling."""

from __future__ import annotations

import logging
import pickle
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm as torch_rms_norm

from engine.compat.host.folders import add_model_folder_path
from engine.model_paths import read_model_paths

_MOST_LINES = 300


class _Recent(logging.Handler):
    """Keeps the last lines of this process's log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[dict[str, str]] = deque(maxlen=_MOST_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat()
        self.lines.append({"t": when, "m": self.format(record) + "\n"})


_recent = _Recent()


def get_logs() -> list[dict[str, str]]:
    """The last lines that were logged since this was first asked: `t`, the time, and `m`."""
    root = logging.getLogger()
    if _recent not in root.handlers:
        root.addHandler(_recent)
    return list(_recent.lines)


def on_flush(_callback: Any) -> None:
    """Nothing: the server sends the log to browsers."""


def setup_logger(*_: Any, **__: Any) -> None:
    """Nothing: the log is set up."""


def log_startup_warning(msg: str) -> None:
    """Log a warning."""
    logging.getLogger("calotype").warning(msg)


def load_extra_path_config(yaml_path: str) -> None:
    """Add the folders that a file in the form of `extra_model_paths.yaml` names.

    Raises:
        SettingsError: the file cannot be read.
    """
    for kind, folders in read_model_paths([Path(yaml_path)]).folders.items():
        for folder in folders:
            add_model_folder_path(kind, str(folder))


def merge_json_recursive(base: Any, update: Any) -> Any:
    """Two JSON values as one: objects merged, lists joined, else the second. `base` is changed."""
    if isinstance(base, dict) and isinstance(update, dict):
        for key, value in update.items():
            base[key] = merge_json_recursive(base[key], value) if key in base else value
        return base
    if isinstance(base, list) and isinstance(update, list):
        base.extend(update)
        return base
    return update


def rms_norm(x: Tensor, weight: Tensor | None = None, eps: float = 1e-6) -> Tensor:
    """Root mean square normalization of the last axes (Zhang and Sennrich 2019)."""
    if weight is None:
        return torch_rms_norm(x, (x.shape[-1],), eps=eps)
    return torch_rms_norm(x, weight.shape, weight.to(x.device, x.dtype), eps)


class RMSNorm(nn.RMSNorm):
    """Torch's, with the dtype of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return torch_rms_norm(x, self.normalized_shape, self._weight_like(x), self.eps)

    def _weight_like(self, x: Tensor) -> Tensor | None:
        return None if self.weight is None else self.weight.to(x)


class Inert:
    """Takes the place of a class that a pickled file names and that is not for weights."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _state: Any) -> None:
        pass


class Unpickler(pickle.Unpickler):
    """Builds tensors and containers only, whatever else a file names."""

    _ALLOWED = ("torch", "collections", "numpy", "_codecs")

    def find_class(self, module: str, name: str) -> Any:
        """The class for tensors, else an inert one."""
        root = module.split(".", 1)[0]
        is_private = module.startswith(("torch.hub", "torch.utils.cpp", "numpy.testing"))
        if root in self._ALLOWED and not is_private:
            found = super().find_class(module, name)
            if isinstance(found, type | torch.dtype) or name.startswith(
                ("_rebuild", "_reconstruct")
            ):
                return found
            if (module, name) in {("_codecs", "encode"), ("numpy.core.multiarray", "scalar")}:
                return found
        return Inert


def load(file: Any, **kwargs: Any) -> Any:
    """`pickle.load` with the same limits."""
    return Unpickler(file, **kwargs).load()
