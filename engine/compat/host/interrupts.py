"""`comfy.model_management`: a user's stop reaches plugins, and theirs the run."""

from __future__ import annotations

import threading
from typing import NoReturn

import torch

from engine.compat.install import host_module
from engine.errors import OutOfMemoryError, Stopped
from engine.nodekit.context import CURRENT
from engine.residency.memory import is_out_of_memory

InterruptProcessingException = Stopped
OOM_EXCEPTION = (torch.OutOfMemoryError, OutOfMemoryError)
"""What is raised for lack of memory; for `except`."""
interrupt_processing_mutex = threading.RLock()


def interrupt_current_processing(value: bool = True) -> None:
    """Stop the run at the next question whether to; `False` takes it back."""
    setattr(host_module("comfy.model_management"), "interrupt_processing", value)  # noqa: B010


def processing_interrupted() -> bool:
    """Whether the run is to stop."""
    if host_module("comfy.model_management").interrupt_processing:
        return True
    context = CURRENT.get(None)
    try:
        if context is not None:
            context.checkpoint()
    except Stopped:
        return True
    return False


def throw_exception_if_processing_interrupted() -> None:
    """Raise `InterruptProcessingException`, which is `Stopped`, if the run is to stop."""
    if host_module("comfy.model_management").interrupt_processing:
        interrupt_current_processing(False)
        raise Stopped
    context = CURRENT.get(None)
    if context is not None:
        context.checkpoint()


def is_oom(e: BaseException) -> bool:
    """Whether an error is a lack of memory."""
    return isinstance(e, OutOfMemoryError) or is_out_of_memory(e)


def raise_non_oom(e: BaseException) -> None:
    """Raise an error again, unless it is a lack of memory."""
    if not is_oom(e):
        _raise(e)


def _raise(e: BaseException) -> NoReturn:
    raise e
