"""Counts modules that plugins move to the computing device by themselves, without telling anybody.

`module.to(device)` and its relatives reserve the bytes that arrive, so that the engine's weights
make room and a budget holds; they are given back when the module leaves or is gone. On a CPU
nothing moves, and nothing is counted.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.attribution import plugin_on_stack
from engine.compat.host.devices import residency

Reserve = Callable[[int], Callable[[], None]]
"""Reserves bytes of the device; what it returns gives them back, once."""
_rooms: weakref.WeakKeyDictionary[nn.Module, list[Callable[[], None]]] = weakref.WeakKeyDictionary()
_is_counted: ContextVar[bool] = ContextVar("calotype_moves_are_counted", default=True)


@contextmanager
def uncounted() -> Generator[None]:
    """Moves in here are counted by the caller."""
    token = _is_counted.set(False)
    try:
        yield
    finally:
        _is_counted.reset(token)


def install(reserve: Reserve) -> None:
    """Count moves from now on, in this process; a second time nothing changes."""
    if getattr(nn.Module.to, "counts_moves", False):
        return
    for name, target in _TARGETS:
        setattr(nn.Module, name, _counting(getattr(nn.Module, name), target, reserve))


def _counting(move: Any, target: Any, reserve: Reserve) -> Any:
    @wraps(move)
    def counted(module: nn.Module, *given: Any, **named: Any) -> Any:
        managing = residency()
        if managing is None or managing.device.type == "cpu" or not _is_counted.get():
            return move(module, *given, **named)
        device, dtype = target(*given, **named)
        if device is None or not _is_of_plugin(module):
            return move(module, *given, **named)
        with uncounted():
            if not _is_same(device, managing.device):
                moved = move(module, *given, **named)
                _give_back(module)
                return moved
            arriving = _arriving(module, managing.device, dtype)
            back = reserve(arriving) if arriving else None
            try:
                moved = move(module, *given, **named)
            except BaseException:
                if back is not None:
                    back()
                raise
            if back is not None:
                _rooms.setdefault(module, []).append(back)
                weakref.finalize(module, back).atexit = False
            return moved

    counted.counts_moves = True  # type: ignore[attr-defined]
    return counted


def _target_of_to(*given: Any, **named: Any) -> tuple[torch.device | None, torch.dtype | None]:
    try:
        parse: Any = torch._C._nn._parse_to  # type: ignore[attr-defined]  # noqa: SLF001 - as `to`
        device, dtype, *_ = parse(*given, **named)
    except (TypeError, RuntimeError):
        return None, None  # `to` says what is wrong
    return device, dtype


def _target_of_cuda(device: Any = None) -> tuple[torch.device | None, None]:
    return torch.device("cuda" if device is None or isinstance(device, int) else device), None


def _target_of_cpu() -> tuple[torch.device, None]:
    return torch.device("cpu"), None


def _target_of_empty(*, device: Any, **_: Any) -> tuple[torch.device | None, None]:
    return (None if device is None else torch.device(device)), None


_TARGETS = (
    ("to", _target_of_to),
    ("cuda", _target_of_cuda),
    ("cpu", _target_of_cpu),
    ("to_empty", _target_of_empty),
)


def _is_same(device: torch.device, computing: torch.device) -> bool:
    """A device without a number is the computing one of its type: a worker has one."""
    return device.type == computing.type and device.index in (None, computing.index, 0)


def _tensors(module: nn.Module) -> chain[Tensor]:
    return chain(module.parameters(), module.buffers())


def _arriving(module: nn.Module, device: torch.device, dtype: torch.dtype | None) -> int:
    """Bytes that a move brings: what is there already was counted, or is the engine's."""
    return sum(
        each.numel()
        * (
            each if dtype is None or not each.is_floating_point() else torch.empty(0, dtype=dtype)
        ).element_size()
        for each in _tensors(module)
        if each.device.type != device.type
    )


def _is_of_plugin(module: nn.Module) -> bool:
    """Whether a plugin moves it: its code, or that of a library that it uses, and not ours."""
    if type(module).__module__.startswith("engine."):
        return False
    frame = sys._getframe(2)  # noqa: SLF001 - the only way to the stack without copying it
    while frame is not None and frame.f_globals.get("__name__", "").startswith("torch"):
        frame = frame.f_back
    caller = "" if frame is None else str(frame.f_globals.get("__name__", ""))
    return not caller.startswith("engine.") and plugin_on_stack() is not None


def _give_back(module: nn.Module) -> None:
    """It and its parts have left the device."""
    for each in module.modules():
        for back in _rooms.pop(each, ()):
            back()
