"""What packs change of the whole process, put back where it would harm others.

Only what nobody wants changed for all: the working directory, torch's defaults, modules of others
that were taken out. What packs set for themselves, and others tolerate, stays as they set it.
"""

from __future__ import annotations

import locale
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

_Undo = Callable[[], bool]
"""Puts one thing back; whether it had been changed."""


class ProcessState:
    """The state of this process at the time this was made."""

    def __init__(self) -> None:
        """Take note of it."""
        self._modules = dict(sys.modules)
        self._undo: dict[str, _Undo] = {
            "the working directory": _working_directory(),
            "the file mode mask": _mask(),
            "environment variables (deleted)": _environment(),
            "sys.path (entries removed)": _search_path(),
            "sys.modules (modules removed)": self._put_modules_back,
            "sys.stdout and sys.stderr": _streams(),
            "the recursion limit": _recursion(),
            "what Ctrl-C does": _interrupt(),
            "the locale of numbers": _locale(),
            "warnings raised as errors": _warnings(),
            "logging.disable": _logging(),
            "torch's default dtype": _same(torch.get_default_dtype, torch.set_default_dtype),
            "torch's default device": _device(),
            "torch's gradients": _same(torch.is_grad_enabled, torch.set_grad_enabled),
        }

    def put_back(self) -> str | None:
        """Put back what has been changed since; a sentence that names it, or None."""
        changed = [what for what, undo in self._undo.items() if _done(undo)]
        if not changed:
            return None
        return f"it changed the whole process, which was undone: {', '.join(changed)}"

    def _put_modules_back(self) -> bool:
        gone = [name for name in self._modules if name not in sys.modules]
        for name in gone:
            sys.modules[name] = self._modules[name]
        return bool(gone)


def _done(undo: _Undo) -> bool:
    try:
        return undo()
    except Exception:
        logging.getLogger(__name__).exception("what a pack changed cannot be put back")
        return False


def _same(read: Callable[[], Any], write: Callable[[Any], Any]) -> _Undo:
    """Puts back a value that can be read and written."""
    before = read()

    def undo() -> bool:
        changed = read() != before
        if changed:
            write(before)
        return changed

    return undo


def _working_directory() -> _Undo:
    def read() -> str:
        with suppress(OSError):
            return os.getcwd()  # noqa: PTH109 - compared as text
        return ""  # it was deleted

    return _same(read, os.chdir)


def _mask() -> _Undo:
    def read() -> int:
        mask = os.umask(0o77)
        os.umask(mask)
        return mask

    return _same(read, os.umask)


def _environment() -> _Undo:
    before = dict(os.environ)

    def undo() -> bool:
        gone = {name: value for name, value in before.items() if name not in os.environ}
        os.environ.update(gone)
        return bool(gone)

    return undo


def _search_path() -> _Undo:
    before = [*sys.path]

    def undo() -> bool:
        gone = [each for each in before if each not in sys.path]
        sys.path += gone
        return bool(gone)

    return undo


def _streams() -> _Undo:
    """A stream that writes elsewhere, too, is left: many packs do that. One that cannot is not."""
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}

    def undo() -> bool:
        changed = False
        for name, stream in before.items():
            now = getattr(sys, name, None)
            if now is not stream and (now is None or getattr(now, "closed", False)):
                setattr(sys, name, stream)
                changed = True
        return changed

    return undo


def _recursion() -> _Undo:
    before = sys.getrecursionlimit()

    def undo() -> bool:
        changed = sys.getrecursionlimit() < before
        if changed:
            sys.setrecursionlimit(before)
        return changed

    return undo


def _interrupt() -> _Undo:
    before = signal.getsignal(signal.SIGINT)

    def undo() -> bool:
        changed = signal.getsignal(signal.SIGINT) is not before
        if changed and before is not None:  # None: set by what is not Python
            signal.signal(signal.SIGINT, before)
        return changed

    return undo


def _locale() -> _Undo:
    return _same(
        lambda: locale.setlocale(locale.LC_NUMERIC),
        lambda name: locale.setlocale(locale.LC_NUMERIC, name),
    )


def _warnings() -> _Undo:
    before = [*warnings.filters]

    def undo() -> bool:
        strict = [each for each in warnings.filters if each[0] == "error" and each not in before]
        for each in strict:
            warnings.filters.remove(each)  # pyright: ignore[reportAttributeAccessIssue]
        return bool(strict)

    return undo


def _logging() -> _Undo:
    return _same(lambda: logging.root.manager.disable, logging.disable)


def _device() -> _Undo:
    before = torch.get_default_device()

    def undo() -> bool:
        changed = torch.get_default_device() != before
        if changed:
            torch.set_default_device(None)
        return changed

    return undo
