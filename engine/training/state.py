"""The state of a training as a file, so that a killed training can be resumed.

Tensors in safetensors, never a pickle; replaced atomically, so that a crash leaves the last good
state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from engine.atomic import make_folder, write_atomically
from engine.errors import WeightsError
from engine.training.adapters import Adapter

VERSION = "1"
_SEPARATOR = "/"


class SavedState:
    """The file of one training, which `key` identifies."""

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key

    def write(
        self,
        adapters: Mapping[str, Adapter],
        optimizer: torch.optim.Optimizer,
        losses: Sequence[float],
    ) -> None:
        """Save everything that the next step depends on.

        Raises:
            DiskError: writing failed; the previously saved state remains.
        """
        tensors = {
            f"adapter{_SEPARATOR}{name}": value.detach().cpu().contiguous()
            for name, value in _parameters(adapters).items()
        }
        plain: dict[str, dict[str, float]] = {}
        for index, values in optimizer.state_dict()["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    key = f"optimizer{_SEPARATOR}{index}{_SEPARATOR}{name}"
                    tensors[key] = value.detach().cpu().contiguous()
                elif value is not None:
                    plain.setdefault(str(index), {})[name] = value
        tensors["losses"] = torch.tensor(list(losses), dtype=torch.float64)
        metadata = {"version": VERSION, "key": self.key, "plain": json.dumps(plain)}
        make_folder(self.path.parent)
        write_atomically(self.path, save(tensors, metadata))

    def read(
        self, adapters: Mapping[str, Adapter], optimizer: torch.optim.Optimizer
    ) -> list[float] | None:
        """Restore from the file and return the losses of the steps done; None without such a file.

        A file of another training, or a damaged one, is ignored.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                if (metadata.get("version"), metadata.get("key")) != (VERSION, self.key):
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            plain = json.loads(metadata["plain"])
        except (SafetensorError, OSError, KeyError, ValueError):
            return None
        parameters = _parameters(adapters)
        for name, parameter in parameters.items():
            parameter.data.copy_(tensors[f"adapter{_SEPARATOR}{name}"])
        state: dict[int, dict[str, Any]] = {int(index): dict(of) for index, of in plain.items()}
        for name, value in tensors.items():
            kind, _, rest = name.partition(_SEPARATOR)
            if kind == "optimizer":
                index, _, field = rest.partition(_SEPARATOR)
                state.setdefault(int(index), {})[field] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return tensors["losses"].tolist()

    def remove(self) -> None:
        """Delete the file after the training is finished."""
        self.path.unlink(missing_ok=True)


def _parameters(adapters: Mapping[str, Adapter]) -> dict[str, nn.Parameter]:
    return {
        f"{layer}:{name}": parameter
        for layer, adapter in adapters.items()
        for name, parameter in adapter.named_parameters()
    }


def refuse_unless_finite(loss: float, step: int) -> None:
    """Raises `WeightsError` if a training diverged."""
    if loss != loss or loss in (float("inf"), float("-inf")):  # noqa: PLR0124 - only NaN differs
        raise WeightsError(
            f"the training came apart at step {step}: the loss is {loss}; "
            "choose a smaller learning rate, or fp32 for the training"
        )
