"""How much of a device's memory the engine may take, out of what the user chose and what is free.

Knows numbers of bytes, no tensor and no module.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.errors import SettingsError
from engine.machine import Amount, available_memory, total_memory

SHARE_OF_FREE_MEMORY = 0.85
"""What the budget takes of the memory that is free at the start, unless one is given."""
_NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class Memory:
    """A device's memory in bytes: all of it, and what is free now."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What one device may be used for.

    Attributes:
        nbytes: weights and what is computed beside them take no more.
        resident: weights that are not in use by the present call take no more of it; None: any.
        note: a sentence for the user, empty where nothing was chosen.
    """

    nbytes: int
    resident: int | None = None
    note: str = ""


def memory_of(device: torch.device, *, cache: int = 0) -> Memory:
    """The memory of a device; on a CPU without the `cache` bytes that results may take."""
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
    """The budget out of three settings, see `engine.settings.Settings`.

    Raises:
        SettingsError: what is to be left to others leaves nothing.
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
