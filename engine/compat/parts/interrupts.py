"""The question whether a user stopped the run, asked through the facade."""

from __future__ import annotations

from engine.compat.install import host_module


def checkpoint() -> None:
    """Raise if the running prompt was interrupted; called at every block of a network."""
    host_module("comfy.model_management").throw_exception_if_processing_interrupted()
