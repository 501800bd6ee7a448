"""Values of shaders combined, chosen pixel by pixel, and changed in part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from nodes.shader_functions import alike

WORD = 0xFFFFFFFF
"""The bits of a whole number."""


def literal(text: str) -> Tensor:
    """A number as it is written."""
    if text in ("true", "false"):
        return torch.tensor([text == "true"])
    if text[:2] in ("0x", "0X"):
        kind = torch.int64 if text[-1] in "uU" else torch.int32
        return torch.tensor([int(text.rstrip("uU"), 16) & WORD]).to(kind)
    plain = text.rstrip("uUfF")
    if plain.isdecimal() and text[-1] not in "fF":
        kind = torch.int64 if text[-1] in "uU" else torch.int32
        return torch.tensor([int(plain) & WORD]).to(kind)
    return torch.tensor([float(plain)])


def signed(sign: str, value: Tensor) -> Tensor:
    """A value with a sign in front."""
    if sign == "!":
        return ~value.bool()
    if sign == "~":
        return within(~value)
    return within(-value) if sign == "-" else value


def operated(sign: str, left: Tensor, right: Tensor) -> Tensor:
    """What a sign between two values makes."""
    if sign == "*" and 3 in (left.ndim, right.ndim):
        return _product(left, right)
    if sign in ("==", "!="):
        same = left == right
        same = same.flatten(1).all(-1) if same.ndim > 1 else same
        return same if sign == "==" else ~same
    return within(_plain(sign, left, right))


def within(value: Tensor) -> Tensor:
    """A result of `uint`, which are kept in 64 bits, in its 32 bits; others as they are."""
    return value & WORD if value.dtype == torch.int64 else value


def _plain(sign: str, left: Tensor, right: Tensor) -> Tensor:
    left, right = alike(left, right)
    whole = not (left.is_floating_point() or right.is_floating_point())
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" if whole:
            safe = torch.where(right == 0, 1, right)
            return torch.div(left, safe, rounding_mode="trunc")
        case "/":
            return left / right
        case "%":
            return torch.fmod(left, torch.where(right == 0, 1, right))
        case _:
            return _compared(sign, left, right)


def _compared(sign: str, left: Tensor, right: Tensor) -> Tensor:
    found: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
        "<": torch.lt,
        ">": torch.gt,
        "<=": torch.le,
        ">=": torch.ge,
        "&&": torch.logical_and,
        "||": torch.logical_or,
        "^^": torch.logical_xor,
        "&": torch.bitwise_and,
        "|": torch.bitwise_or,
        "^": torch.bitwise_xor,
        "<<": torch.bitwise_left_shift,
        ">>": torch.bitwise_right_shift,
    }
    return found[sign](left, right)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Of matrices [N, columns, rows], and of a matrix and a vector."""
    if left.ndim == 3 and right.ndim == 3:
        return right @ left
    if left.ndim == 3 and right.ndim == 2:
        return (left * right[..., None]).sum(1)
    if left.ndim == 2 and right.ndim == 3:
        return (right * left[:, None]).sum(2)
    left, right = alike(left, right)
    return left * right


def like(value: Any, old: Any) -> Any:
    """A value for a variable that held `old`. Raises `RuntimeError` if it is no such value."""
    if isinstance(value, Tensor) and isinstance(old, Tensor) and value.ndim != old.ndim:
        raise RuntimeError(f"a value of {value.shape[1:]} for one of {old.shape[1:]}")
    return value.to(old.dtype) if isinstance(value, Tensor) and isinstance(old, Tensor) else value


def where(mask: Tensor, value: Any, old: Any) -> Any:
    """`value` where the mask is true, else `old`."""
    if mask.numel() == 1:
        return value if bool(mask) else old
    if isinstance(value, list):
        return [where(mask, new, before) for new, before in zip(value, old, strict=True)]
    if not isinstance(value, Tensor):
        return value
    return torch.where(mask.reshape(-1, *(1,) * (value.ndim - 1)), value, old)


def put(old: Tensor, places: tuple[int, ...], value: Tensor) -> Tensor:
    """A vector with other numbers at these places."""
    rows = max(old.shape[0], value.shape[0])
    new = old.expand(rows, -1).clone()
    new[:, list(places)] = (
        (value if value.ndim == 2 else value[:, None]).to(old.dtype).expand(rows, len(places))
    )
    return new
