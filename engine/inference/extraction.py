"""Makes LoRA tensors from the difference of two models, or from a trained adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from operator import add

import torch
from torch import Tensor

from engine.adapters.names import file_names
from engine.errors import NodeError
from engine.inference.saving import tensors_of
from engine.inference.values import Clip, Model
from engine.weights.write import ToWrite

_OVERSAMPLING, _ITERATIONS = 16, 4
_SEED = 0


def lora_tensors(
    model: Model | None, clip: Clip | None, *, rank: int, full: bool, biases: bool
) -> dict[str, ToWrite]:
    """A LoRA of the difference of two models: `model` and `clip` are differences.

    Matrices and convolutions become products of at most `rank`, or stay whole if `full`; vectors
    are included if `biases`. fp16, with names that all common programs read.

    Raises:
        NodeError: neither is given, or a tensor is not a difference.
    """
    found: dict[str, ToWrite] = {}
    if model is not None:
        named = file_names(model.family.lora_names(model.config))
        found |= _of_network(named, tensors_of(model.net), rank, full, biases)
    for name, part in (clip.parts if clip else {}).items():
        if not part.weights.is_missing:
            prefix = f"text_encoders.{name}.transformer.text_model."
            named = partial(add, prefix)
            found |= _of_network(named, tensors_of(part.weights), rank, full, biases)
    if not found:
        raise NodeError("nothing to save: connect a difference, such as that of ModelMergeSubtract")
    return found


def _of_network(
    named: Callable[[str], str],
    tensors: Mapping[str, ToWrite],
    rank: int,
    full: bool,
    biases: bool,
) -> dict[str, ToWrite]:
    found: dict[str, ToWrite] = {}
    for name, each in tensors.items():
        module, _, kind = name.rpartition(".")
        key = named(module)
        if kind == "weight" and len(each.shape) > 1 and not full:
            found |= _product(key, each, rank)
        elif len(each.shape) > 1 or biases:
            ending = {"weight": "diff", "bias": "diff_b"}.get(kind)
            if ending:
                values = each.values
                found[f"{key}.{ending}"] = ToWrite(
                    each.shape, torch.float16, lambda values=values: values().half()
                )
    return found


def _product(key: str, each: ToWrite, rank: int) -> dict[str, ToWrite]:
    """`up` and `down` of a matrix; computing one caches the other until it is written."""
    rows, inner = each.shape[0], each.shape[1:]
    rank = min(rank, rows, prod(inner))
    kept: list[tuple[Tensor, Tensor]] = []
    ones = (1,) * (len(each.shape) - 2)

    def factors() -> tuple[Tensor, Tensor]:
        if not kept:
            kept.append(low_rank(each.values().float().flatten(1), rank))
            return kept[0]
        return kept.pop()

    return {
        f"{key}.lora_up.weight": ToWrite(
            (rows, rank, *ones), torch.float16, lambda: factors()[0].reshape(rows, rank, *ones)
        ),
        f"{key}.lora_down.weight": ToWrite(
            (rank, *inner), torch.float16, lambda: factors()[1].reshape(rank, *inner)
        ),
    }


def low_rank(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(up [M, rank], down [rank, N]) in fp16, whose product best approximates a matrix [M, N].

    Exact where `rank` is a large part of it; else by a randomised range finder with power
    iterations (Halko, Martinsson, Tropp 2011, algorithms 4.4 and 5.1), with a fixed seed.
    """
    taken = rank + _OVERSAMPLING
    if taken * 3 >= min(matrix.shape):
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    else:
        generator = torch.Generator().manual_seed(_SEED)
        probe = torch.randn(matrix.shape[1], taken, generator=generator)
        basis = torch.linalg.qr(matrix @ probe)[0]
        for _ in range(_ITERATIONS):
            basis = torch.linalg.qr(matrix @ torch.linalg.qr(matrix.T @ basis)[0])[0]
        inner, s, v = torch.linalg.svd(basis.T @ matrix, full_matrices=False)
        u = basis @ inner
    root = s[:rank].sqrt()
    return (u[:, :rank] * root).half(), (root[:, None] * v[:rank]).half()
