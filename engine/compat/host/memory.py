"""`comfy.model_management`: memory of the device, and plugins' own modules within the budget.

Weights of this engine are managed by the residency. A module that a plugin loads through
`load_models_gpu` is moved by it as a whole; its bytes are reserved, so that the engine's weights
make room for it and the budget holds.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import torch
from torch import nn

from engine.compat.host.devices import get_torch_device, residency
from engine.compat.host.module_moves import uncounted
from engine.compat.host.state import host
from engine.errors import OutOfMemoryError
from engine.machine import available_memory, total_memory
from engine.residency.manager import Residency
from engine.residency.memory import return_freed_pages

LEAST_FOR_INFERENCE = 1 << 30
"""Bytes that a plugin should leave free for computing."""
_EVERYTHING = 1 << 62


def _loaded() -> list[LoadedModel]:
    """The list that plugins may change."""
    module = sys.modules.get("comfy.model_management")
    return [] if module is None else module.current_loaded_models


def module_size(module: Any) -> int:
    """Bytes of a module's parameters and buffers; those that it shares count once."""
    if not isinstance(module, nn.Module):
        return 0
    return sum(each.nbytes for each in (*module.parameters(), *module.buffers()))


def is_managed(model: Any) -> bool:
    """Whether the residency moves the weights of such an object, whenever they are used."""
    said = getattr(model, "is_managed", None)
    if isinstance(said, bool):
        return said
    return type(getattr(model, "model", model)).__module__.startswith("engine.")


class LoadedModel:
    """A plugin's module on the device, and its bytes reserved there.

    Attributes:
        device: where it computes.
        currently_used: whether it may not be unloaded now.
    """

    def __init__(self, model: Any) -> None:
        self._model = weakref.ref(model)
        self.device: torch.device = getattr(model, "load_device", None) or get_torch_device()
        self.currently_used = True
        self._room: AbstractContextManager[None] | None = None
        module = getattr(model, "model", None)
        if module is not None:
            # The memory of a module on the CPU is free only when nobody has it any more.
            weakref.finalize(module, self._give_back).atexit = False

    @property
    def model(self) -> Any:
        """The plugin's object; None once it is gone."""
        return self._model()

    def model_memory(self) -> int:
        """Bytes of its weights."""
        model = self.model
        if model is None:
            return 0
        if hasattr(model, "model_size"):
            return int(model.model_size())
        return module_size(getattr(model, "model", None))

    def model_loaded_memory(self) -> int:
        """Bytes of it on the device now."""
        return self.model_memory() if self._room is not None else 0

    def model_offloaded_memory(self) -> int:
        """Bytes of it elsewhere."""
        return self.model_memory() - self.model_loaded_memory()

    def model_load(self, *_: Any, **__: Any) -> Any:
        """Reserve its bytes and move it to its device. Raises `OutOfMemoryError`."""
        model, managing = self.model, residency()
        if model is None or is_managed(model):
            return getattr(model, "model", None)
        if self._room is None and managing is not None and self.device == managing.device:
            self._room = _reserved(self.model_memory(), managing)
        patch = getattr(model, "patch_model", None)
        with uncounted():
            if callable(patch):
                patch(device_to=self.device)
            elif isinstance(model.model, nn.Module):
                model.model.to(self.device)
        return model.model

    def model_unload(self, *_: Any, **__: Any) -> bool:
        """Move it away from the device, and give its bytes back."""
        model = self.model
        away = getattr(model, "offload_device", None) or torch.device("cpu")
        if model is not None and not is_managed(model) and away != self.device:
            detach = getattr(model, "detach", None)
            if callable(detach):
                detach()
            elif isinstance(model.model, nn.Module):
                model.model.to(away)
            self._give_back()
        return True

    def is_dead(self) -> bool:
        """Whether the plugin's object is gone."""
        return self.model is None

    def _give_back(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.__exit__(None, None, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LoadedModel) and self.model is other.model

    __hash__ = object.__hash__


def reserve_for_module(nbytes: int) -> Callable[[], None]:
    """Room for a module that a plugin moves by itself; other plugins' models make way.

    Returns:
        what gives it back, once.

    Raises:
        OutOfMemoryError: it does not fit beside what is in use.
    """
    managing = residency()
    if managing is None:
        return lambda: None
    try:
        room = _reserved(nbytes, managing)
    except OutOfMemoryError:
        free_memory(_EVERYTHING, managing.device)
        room = _reserved(nbytes, managing)
    rooms = [room]

    def give_back() -> None:
        while rooms:
            rooms.pop().__exit__(None, None, None)

    return give_back


def _reserved(nbytes: int, managing: Residency) -> AbstractContextManager[None]:
    """Room for a plugin's module. Raises `OutOfMemoryError` where there is none."""
    if nbytes > managing.free:
        managing.release(nbytes - managing.free)
    if managing.device.type == "cpu":
        # The module has its memory already: some of the budget is left for the engine's weights.
        nbytes = max(0, min(nbytes, managing.free - managing.budget // 4))
    elif nbytes > managing.free:
        raise OutOfMemoryError(
            f"a plugin's model of {nbytes / 1e9:.1f} GB does not fit: "
            f"{max(0, managing.free) / 1e9:.1f} GB of the budget are free on "
            f"{managing.device}; choose a smaller model or precision, or allow more memory"
        )
    room = managing.reserve(nbytes)
    room.__enter__()
    return room


def load_models_gpu(
    models: Iterable[Any],
    memory_required: float = 0,
    force_patch_weights: bool = False,  # noqa: ARG001 - the names are part of the interface
    minimum_memory_required: float | None = None,  # noqa: ARG001
    force_full_load: bool = False,  # noqa: ARG001
) -> None:
    """Bring models to the device: plugins' own at once, this engine's when they are used.

    Args:
        models: objects with `model` and `load_device`.
        memory_required: bytes for computing that are to be free beside them.
        force_patch_weights: without effect, as the next two.
        minimum_memory_required: the least of `memory_required`.
        force_full_load: a plugin's module is always moved as a whole.

    Raises:
        OutOfMemoryError: the plugins' models do not fit beside what is in use.
    """
    wanted = _with_more(models)
    loaded = _loaded()
    loaded[:] = [each for each in loaded if not each.is_dead()]
    for model in wanted:
        known = next((each for each in loaded if each.model is model), None)
        one = known or LoadedModel(model)
        one.currently_used = True
        if known is not None:
            loaded.remove(known)
        loaded.insert(0, one)
        try:
            one.model_load()
        except OutOfMemoryError:
            keep = [each for each in loaded if each.model in wanted]
            free_memory(_EVERYTHING, one.device, keep_loaded=keep)
            one.model_load()
    free_memory(memory_required, get_torch_device(), keep_loaded=loaded)


def _with_more(models: Iterable[Any]) -> list[Any]:
    """The models, and those that they name as theirs."""
    found: list[Any] = []
    for model in models:
        more = model.model_patches_models() if hasattr(model, "model_patches_models") else ()
        for each in (model, *more):
            if each is not None and all(each is not other for other in found):
                found.append(each)
    return found


def load_model_gpu(model: Any) -> None:
    """`load_models_gpu` of one."""
    load_models_gpu([model])


def loaded_models(only_currently_used: bool = False) -> list[Any]:
    """The objects that were loaded, last first."""
    return [
        each.model
        for each in _loaded()
        if not each.is_dead() and (each.currently_used or not only_currently_used)
    ]


def free_memory(
    memory_required: float,
    device: Any,
    keep_loaded: Sequence[Any] = (),
    *_: Any,
    **__: Any,
) -> list[Any]:
    """Make bytes free on a device: weights of this engine first, then plugins' models.

    Args:
        memory_required: bytes that are to be free.
        device: where; elsewhere than on the computing device nothing is held.
        keep_loaded: models that stay.

    Returns:
        the plugins' models that were unloaded.
    """
    managing = residency()
    if managing is None or torch.device(device).type != managing.device.type:
        return []
    wanted = int(min(memory_required, _EVERYTHING))
    if (missing := wanted - get_free_memory(device)) > 0:
        managing.release(missing)
    unloaded: list[Any] = []
    for each in reversed([*_loaded()]):
        if wanted <= get_free_memory(device):
            break
        if each not in keep_loaded and each.model_unload():
            _loaded().remove(each)
            unloaded.append(each)
    return unloaded


def get_free_memory(dev: Any = None, torch_free_too: bool = False) -> Any:
    """Bytes that may be taken on a device now: what is free there, within the budget.

    Returns:
        the number; with `torch_free_too` also how much of it torch has requested already.
    """
    device = get_torch_device() if dev is None else torch.device(dev)
    inside = 0
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        inside = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free += inside
    else:
        free = available_memory()
    managing = residency()
    if managing is not None and device.type == managing.device.type:
        free = max(0, min(free, managing.free))
    return (free, min(free, inside)) if torch_free_too else free


def get_total_memory(dev: Any = None, torch_total_too: bool = False) -> Any:
    """Bytes of a device; of the computing one no more than the user allows.

    Returns:
        the number; with `torch_total_too` also how much torch has requested.
    """
    device = get_torch_device() if dev is None else torch.device(dev)
    inside = 0
    if device.type == "cuda":
        total = torch.cuda.mem_get_info(device)[1]
        inside = torch.cuda.memory_reserved(device)
    else:
        total = total_memory()
    managing = residency()
    if managing is not None and host().settings.vram is not None and device == managing.device:
        total = min(total, managing.budget)
    return (total, inside or total) if torch_total_too else total


def maximum_vram_for_weights(device: Any = None) -> float:
    """Bytes of weights that the device can hold beside computing."""
    return max(0, get_total_memory(device) - LEAST_FOR_INFERENCE)


def extra_reserved_memory() -> int:
    """Bytes that the user leaves to other programs."""
    return host().settings.reserve_vram.of(get_total_memory())


def minimum_inference_memory() -> int:
    """Bytes that a plugin should leave free for computing."""
    return LEAST_FOR_INFERENCE + extra_reserved_memory()


def cleanup_models_gc() -> None:
    """Forget models that are gone."""
    _loaded()[:] = [each for each in _loaded() if not each.is_dead()]


def cleanup_models() -> None:
    """Forget models that are gone."""
    cleanup_models_gc()


def unload_model_clones(model: Any, *_: Any, **__: Any) -> None:
    """Unload other plugins' objects with the same module."""
    for each in [*_loaded()]:
        other = each.model
        if other is not model and getattr(other, "model", None) is getattr(model, "model", model):
            each.model_unload()
            with suppress(ValueError):
                _loaded().remove(each)


def unload_all_models() -> None:
    """Take all weights off the device."""
    free_memory(_EVERYTHING, get_torch_device())


def soft_empty_cache(force: bool = False) -> None:  # noqa: ARG001 - the interface's name
    """Return memory that torch retains to the system."""
    if torch.cuda.is_available() and get_torch_device().type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    else:
        return_freed_pages()
