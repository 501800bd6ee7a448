"""Files of encoded pictures and texts: safetensors, never a pickle.

A sample is a latent and its conditioning. Their tensors are stored under numbers, a tensor shared
by several samples once; JSON in the header has the structure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Tensor

from engine.errors import NodeError, WeightsError
from engine.weights import safetensors as safetensors_file

HEADER = "training_dataset"
Sample = tuple[Any, Any]
"""A latent and its conditioning, as on wires."""


def shard_bytes(samples: Sequence[Sample]) -> bytes:
    """The content of a file with these samples.

    Raises:
        NodeError: a conditioning contains a value that cannot be stored, such as a ControlNet.
    """
    tensors: dict[int, tuple[str, Tensor]] = {}
    described = [_described(list(sample), tensors) for sample in samples]
    stored = {name: _of_its_own(tensor) for name, tensor in tensors.values()}
    return save(stored, {HEADER: json.dumps(described)})


def read_shard(path: Path) -> list[Sample]:
    """The samples of a file; tensors are copies.

    Raises:
        WeightsError: the file is damaged, or not one of a training set.
    """
    state = safetensors_file.read(path)
    try:
        described = json.loads(state.metadata[HEADER])
        tensors = {name: state[name].clone() for name in state}
        samples = [_restored(each, tensors) for each in described]
        return [(latent, conditioning) for latent, conditioning in samples]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path.name}: not a file of a training set; choose a folder that Save Training "
            "Dataset wrote"
        ) from error


def _of_its_own(tensor: Tensor) -> Tensor:
    """A copy of the values in separate memory, as the format requires."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _described(value: Any, tensors: dict[int, tuple[str, Tensor]]) -> Any:
    """A value as JSON; other values than texts, numbers and lists become objects with a kind."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        name, _ = tensors.setdefault(id(value), (str(len(tensors)), value))
        return {"tensor": name}
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {"mapping": {str(key): _described(each, tensors) for key, each in items}}
    if isinstance(value, list | tuple):
        return [_described(each, tensors) for each in cast("Sequence[object]", value)]
    raise NodeError(
        f"a training set cannot hold a {type(value).__name__}, which a conditioning brings; "
        "save latents and texts as Make Training Dataset gives them"
    )


def _restored(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, dict):
        [(kind, content)] = cast("dict[str, Any]", value).items()
        if kind == "tensor":
            return tensors[content]
        if kind != "mapping":
            raise ValueError(kind)
        return {key: _restored(each, tensors) for key, each in content.items()}
    if isinstance(value, list):
        return [_restored(each, tensors) for each in cast("list[Any]", value)]
    return value
