"""Sizes of a network from the shapes of its tensors."""

from __future__ import annotations

from engine.errors import WeightsError
from engine.weights.state_dict import StateDict


def matrix(found: StateDict, name: str) -> tuple[int, int]:
    """The rows and columns of a tensor.

    Raises:
        WeightsError: it is missing, or no matrix.
    """
    shape = found.shape(name)
    if shape is None:
        raise WeightsError(f"its tensor {name} is missing; the file is incomplete")
    if len(shape) != 2:
        raise WeightsError(f"its tensor {name} has the shape {list(shape)}, expected a matrix")
    return shape[0], shape[1]


def vector(found: StateDict, name: str) -> int:
    """The length of a tensor of one axis.

    Raises:
        WeightsError: it is missing, or has more axes.
    """
    shape = found.shape(name)
    if shape is None:
        raise WeightsError(f"its tensor {name} is missing; the file is incomplete")
    if len(shape) != 1:
        raise WeightsError(f"its tensor {name} has the shape {list(shape)}, expected one axis")
    return shape[0]


def count(found: StateDict, prefix: str) -> int:
    """The number of blocks in a list of them, such as `double_blocks.`.

    Raises:
        WeightsError: a block is missing among them.
    """
    numbers = {name[len(prefix) :].partition(".")[0] for name in found if name.startswith(prefix)}
    missing = next((n for n in range(len(numbers)) if str(n) not in numbers), None)
    if missing is not None:
        raise WeightsError(f"its block {prefix}{missing} is missing; the file is incomplete")
    return len(numbers)


def width_of_heads(found: StateDict, name: str, head: int) -> int:
    """The rows of a tensor: the width of tokens, whose heads have `head` channels each.

    Raises:
        WeightsError: they are no multiple of it.
    """
    rows, _ = matrix(found, name)
    if rows % head:
        raise WeightsError(f"its {name} has {rows} rows, expected a multiple of {head}")
    return rows
