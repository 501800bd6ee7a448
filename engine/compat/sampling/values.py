"""Plugin-side objects to frozen values and back, by the boundary that nodes use."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from engine.compat.boundary import ObjectBoundary, plugin_boundary
from engine.errors import CalotypeError
from engine.inference.values import Model


@cache
def boundary() -> ObjectBoundary:
    """The boundary of this process."""
    return plugin_boundary()


def to_value(thing: Any) -> Any:
    """The frozen value of a plugin's object; anything else unchanged."""
    return boundary().to_value(thing)


def to_object(value: Any) -> Any:
    """A plugin's object of a frozen value; anything else unchanged."""
    return boundary().to_object(value)


def patcher_of(model: Any) -> Any:
    """The plugin-side model of a frozen one, of a BaseModel, or of itself."""
    if isinstance(model, Model):
        return to_object(model)
    if hasattr(model, "model_options"):
        return model
    found = getattr(model, "current_patcher", None)
    if found is None:
        _refuse_if_elsewhere(model)
        raise TypeError(
            f"sampling was asked to run with {_described(model)}, which is no diffusion model. "
            "Connect the MODEL output of a loader, or of a node that changes a model; a node's "
            "author passes that value on as it came, or the object that `clone()` of it returns"
        )
    return found


def _refuse_if_elsewhere(thing: Any) -> None:
    """Raise what an object of another process says of itself: where it is, and what to do."""
    try:
        thing.model_options  # noqa: B018 - only asked for
    except AttributeError as error:
        if isinstance(error, CalotypeError):
            raise


def _described(thing: Any) -> str:
    """What something is, in words of a user where there are some."""
    kinds = {type(None): "nothing", str: "a text", dict: "a dictionary", torch.Tensor: "a tensor"}
    kinds |= {bool: "a number", int: "a number", float: "a number", list: "a list", tuple: "a list"}
    return kinds.get(type(thing)) or f"an object of the class {type(thing).__name__}"
