"""Tensors by name, with where they came from.

A sketch of the seam; see the module's final form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor


@dataclass(frozen=True)
class StateDict:
    """The tensors of one file (or a part of it), memory-mapped, by name."""

    tensors: Mapping[str, Tensor]
    path: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
