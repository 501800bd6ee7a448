"""The tensors beside a packed weight, checked, and the errors about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, cast

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.state_dict import Entry

LONGEST = 1 << 16
"""Bytes of a description."""
INSTEAD = "get the model in fp16, bf16, fp8 or GGUF"
_E8M0_NAN = 255


def damaged(origin: str, finding: str) -> WeightsError:
    """The error about a file that contradicts itself."""
    return WeightsError(
        f"{origin}: {finding}; the file is damaged. "
        "Download it again, or get another version of it."
    )


def foreign(origin: str, finding: str) -> WeightsError:
    """The error about a file in a form that is not read."""
    return WeightsError(f"{origin}: {finding}, which Calotype does not read; {INSTEAD}.")


def whole(value: object) -> int | None:
    """A positive whole number of sane size; None for anything else."""
    return value if type(value) is int and 0 < value < 2**40 else None


def shown(name: str) -> str:
    """A name in a message."""
    return repr(name[:120])


def document_of(origin: str, what: str, text: str | bytes) -> Mapping[str, Any]:
    """A JSON object. Raises `WeightsError`; what is no object is empty."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(
            f"{origin}: its {what} is no JSON ({str(error)[:80]}); download it again."
        ) from error
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def described(origin: str, name: str, entry: Entry) -> Mapping[str, Any]:
    """A description that is stored as a tensor of bytes. Raises `WeightsError`."""
    if entry.dtype != torch.uint8 or prod(entry.shape) > LONGEST:
        raise damaged(origin, f"its {shown(name)} should be a short text in bytes")
    return document_of(origin, shown(name), bytes(entry.read().flatten().tolist()))


@dataclass(frozen=True, slots=True)
class Beside:
    """The tensors of a file, as the forms of packed weights ask for them.

    Attributes:
        origin: the file, for messages.
        entries: by name.
        used: the names that were asked for and are there.
    """

    origin: str
    entries: Mapping[str, Entry]
    used: set[str]

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self.entries

    def need(self, name: str, count: int, dtype: torch.dtype | None = None) -> Entry:
        """A tensor of `count` numbers, of floating point or of that dtype.

        Raises:
            WeightsError: it is missing, or of another size or dtype. NaN or infinite numbers are an
                error when it is read.
        """
        found = self._found(name)
        if prod(found.shape) != count or not _fits(found, dtype):
            kind = "of floating point" if dtype is None else f"of {dtype}"
            raise damaged(
                self.origin,
                f"its {shown(name)} has the shape {str(list(found.shape))[:60]} and {found.dtype}; "
                f"expected {count:,} numbers {kind}",
            )
        return found if dtype is not None else finite(self.origin, name, found)

    def need_shape(self, name: str, shape: Sequence[int]) -> Entry:
        """The same with that shape."""
        found = self.need(name, prod(shape))
        if found.shape != tuple(shape):
            raise damaged(
                self.origin, f"its {shown(name)} is {list(found.shape)}, expected {list(shape)}"
            )
        return found

    def need_scales(self, name: str, count: int, dtype: torch.dtype) -> Entry:
        """The same for factors of blocks, of that dtype of one byte, or stored as bytes."""
        found = self._found(name)
        if found.dtype == torch.uint8:
            found = replace(found, dtype=dtype, read=lambda: self.entries[name].read().view(dtype))
        if prod(found.shape) != count or found.dtype != dtype:
            raise damaged(
                self.origin,
                f"its {shown(name)} has the shape {str(list(found.shape))[:60]} and {found.dtype}; "
                f"expected {count:,} numbers of {dtype}",
            )
        return finite(self.origin, name, found)

    def _found(self, name: str) -> Entry:
        found = self.entries.get(name)
        if found is None:
            raise damaged(self.origin, f"its packed weight needs {shown(name)}, which is missing")
        self.used.add(name)
        return found


def _fits(entry: Entry, dtype: torch.dtype | None) -> bool:
    return entry.dtype.is_floating_point if dtype is None else entry.dtype == dtype


def finite(origin: str, name: str, entry: Entry) -> Entry:
    """The tensor, checked when it is first read."""
    checked: list[bool] = []

    def read() -> Tensor:
        values = entry.read()
        if not checked:
            if not _is_finite(values):
                raise WeightsError(
                    f"{origin}: its scale {shown(name)} is not a number everywhere; the file is "
                    "damaged. Download it again."
                )
            checked.append(True)
        return values

    return replace(entry, read=read)


def _is_finite(values: Tensor) -> bool:
    if values.dtype == torch.float8_e8m0fnu:
        return not bool((values.view(torch.uint8) == _E8M0_NAN).any())
    return bool(torch.isfinite(values.float()).all())
