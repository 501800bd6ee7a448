"""Chooses how much of a device's memory to use, from the user's settings and the free memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.errors import SettingsError
from engine.machine import Amount, available_memory, total_memory

SHARE_OF_FREE_MEMORY = 0.85
"""The share of the memory free at the start that is used as the budget, unless one is given."""
_NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class Memory:
    """A device's memory in bytes: total, and free now."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Budget:
    """The memory budget of one device.

    Attributes:
        nbytes: limit for weights and activations together.
        resident: limit for weights that the current call does not use; None: no limit.
        note: a sentence for the user, empty if no setting was given.
    """

    nbytes: int
    resident: int | None = None
    note: str = ""


def memory_of(device: torch.device, *, cache: int = 0) -> Memory:
    """The memory of a device; on a CPU minus the `cache` bytes reserved for cached results."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Memory(total, free)
    available = available_memory()
    return Memory(total_memory(), max(available - cache, available // 4))


def choose_budget(
    memory: Memory,
    *,
    vram: Amount | None = None,
    reserve: Amount = _NOTHING,
    resident: Amount | None = None,
) -> Budget:
    """The budget from three settings, see `engine.settings.Settings`.

    Raises:
        SettingsError: nothing is left after the memory reserved for other programs.
    """
    left = memory.free - reserve.of(memory.total)
    if left <= 0:
        raise SettingsError(
            f"--reserve-vram leaves nothing: {_gigabytes(reserve.of(memory.total))} are to stay "
            f"free, and {_gigabytes(memory.free)} are free for it; reserve less, or close other "
            "programs"
        )
    if vram is None:
        nbytes = min(int(memory.free * SHARE_OF_FREE_MEMORY), left)
    else:
        nbytes = min(vram.of(memory.total), left)
    kept = None if resident is None else resident.of(nbytes)
    notes: list[str] = []
    if vram is not None or not reserve.is_nothing:
        notes.append(f"weights and computing take at most {_gigabytes(nbytes)}")
    if vram is not None and vram.of(memory.total) > left:
        notes.append(
            f"{_gigabytes(vram.of(memory.total))} were asked for, {_gigabytes(left)} are free"
        )
    if kept is not None:
        notes.append(f"weights stay in at most {_gigabytes(kept)} of it and are streamed beyond")
    return Budget(nbytes, kept, "; ".join(notes))


def _gigabytes(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB"
