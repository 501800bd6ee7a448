# pyright: basic
"""Loading and patching of modules that plugins made themselves.

Weights of the engine's models are placed by the residency when they are used; for those these
methods change nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.models import saved_weights
from engine.compat.models.patcher_extension import CallbacksMP


def get_key_weight(model: Any, key: str) -> tuple[Any, Any, Any]:
    """(weight, function that sets it, function that converts it) of a name."""
    owner: Any = model
    *path, attribute = key.split(".")
    for part in path:
        owner = getattr(owner, part)
    weight = getattr(owner, attribute)
    return (
        weight,
        getattr(owner, f"set_{attribute}", None),
        getattr(owner, f"convert_{attribute}", None),
    )


def low_vram_patch_estimate_vram(model: Any, key: str) -> int:
    """Bytes that the change of a weight needs."""
    weight = get_key_weight(model, key)[0]
    return 0 if weight is None else weight.numel() * 4


class LowVramPatch:
    """The change of a weight at each use, by the patches of a patcher."""

    def __init__(self, key: str, patches: dict[str, list[Any]], *_: Any, **__: Any) -> None:
        self.key = key
        self.patches = patches

    def __call__(self, weight: Tensor) -> Tensor:
        """The changed weight."""
        calculate = import_module("comfy.lora").calculate_weight
        return calculate(self.patches[self.key], weight.clone(), self.key)


class OwnWeights:
    """The methods of a patcher about weights and devices."""

    _model: Any
    value: Any
    size: int
    patches: dict[str, list[Any]]
    backup: dict[str, Any]
    load_device: Any
    offload_device: Any
    weight_inplace_update: bool

    def model_size(self) -> int:
        """Bytes of the weights."""
        if self.value is not None:
            return self.value.net.size
        if self.size <= 0:
            tensors = self._model.state_dict().values()
            self.size = sum(each.nbytes for each in tensors if isinstance(each, Tensor))
        return self.size

    def get_ram_usage(self) -> int:
        """Bytes of the weights."""
        return self.model_size()

    def loaded_size(self) -> int:
        """Bytes of the weights on the device."""
        if self.value is not None or self.current_loaded_device() != self.load_device:
            return 0
        return self.model_size()

    def lowvram_patch_counter(self) -> int:
        """The number of weights that are patched at each use."""
        return 0

    def current_loaded_device(self) -> Any:
        """Where the weights are."""
        if self.value is not None:
            return self.load_device
        tensor = next(iter(self._model.parameters()), None)
        return self.offload_device if tensor is None else tensor.device

    @property
    def current_device(self) -> Any:
        """Where the weights are."""
        return self.current_loaded_device()

    def set_model_device(self, device: Any) -> None:
        """Move a plugin's module."""
        if self.value is None:
            self._model.to(device)

    def state_dict_for_saving(
        self,
        clip_state_dict: Any = None,
        vae_state_dict: Any = None,
        clip_vision_state_dict: Any = None,
    ) -> dict[str, Any]:
        """The weights by their names in a checkpoint, with the patches."""
        network = saved_weights.network_weights(self)
        parts = (clip_state_dict, vae_state_dict, clip_vision_state_dict)
        return saved_weights.checkpoint_weights(self._model, network, *parts)

    def calculate_weight(
        self, patches: list[Any], weight: Tensor, key: str, intermediate_dtype: Any = torch.float32
    ) -> Tensor:
        """A weight with patches."""
        calculate = import_module("comfy.lora").calculate_weight
        return calculate(patches, weight, key, intermediate_dtype=intermediate_dtype)

    def patch_weight_to_device(
        self, key: str, device_to: Any = None, inplace_update: bool = False, **_: Any
    ) -> None:
        """Apply the patches of one weight of a plugin's module, and keep the old one."""
        if key not in self.patches or self.value is not None:
            return
        weight, set_weight, convert = get_key_weight(self._model, key)
        if key not in self.backup:
            self.backup[key] = weight.detach().to(self.offload_device, copy=True)
        plain = weight if convert is None else convert(weight, inplace=False)
        made = plain.detach().to(device_to or weight.device, torch.float32, copy=True)
        made = self.calculate_weight(self.patches[key], made, key).to(weight.dtype)
        if set_weight is not None:
            set_weight(made, inplace_update=inplace_update, seed=0)
        else:
            _replace(self._model, key, made)

    def load(
        self,
        device_to: Any = None,
        lowvram_model_memory: int = 0,
        force_patch_weights: bool = False,
        full_load: bool = False,
    ) -> None:
        """Move a plugin's module to a device, with its patches applied."""
        if self.value is None:
            if device_to is not None:
                self._model.to(device_to)
            for key in self.patches:
                self.patch_weight_to_device(key, device_to)
        for callback in self.get_all_callbacks(CallbacksMP.ON_LOAD):  # type: ignore[attr-defined]
            callback(self, device_to, lowvram_model_memory, force_patch_weights, full_load)

    def patch_model(
        self,
        device_to: Any = None,
        lowvram_model_memory: int = 0,
        load_weights: bool = True,
        force_patch_weights: bool = False,
    ) -> Any:
        """Apply all changes to the module; returns it."""
        if self.value is None:
            self.patch_objects()  # type: ignore[attr-defined]
            if load_weights:
                self.load(device_to, lowvram_model_memory, force_patch_weights)
            self.inject_model()  # type: ignore[attr-defined]
        return self._model

    def unpatch_model(self, device_to: Any = None, unpatch_weights: bool = True) -> None:
        """Undo `patch_model`."""
        if self.value is not None:
            return
        self.eject_model()  # type: ignore[attr-defined]
        if unpatch_weights:
            for key, weight in self.backup.items():
                current = get_key_weight(self._model, key)[0]
                _replace(self._model, key, weight.to(current.device))
            self.backup.clear()
        if device_to is not None:
            self._model.to(device_to)
        self.unpatch_objects()  # type: ignore[attr-defined]

    def partially_load(
        self, device_to: Any, extra_memory: int = 0, force_patch_weights: bool = False
    ) -> int:
        """Move the module to a device; returns the number of bytes."""
        if self.value is not None:
            return 0
        self.patch_model(device_to)
        return self.model_size()

    def partially_unload(self, device_to: Any, memory_to_free: int = 0, **_: Any) -> int:
        """Move the module off the device; returns the number of bytes."""
        if self.value is not None:
            return 0
        freed = self.loaded_size()
        self._model.to(device_to)
        return freed

    def detach(self, unpatch_all: bool = True) -> Any:
        """Undo all changes and move the module off the device; returns it."""
        self.unpatch_model(self.offload_device, unpatch_weights=unpatch_all)
        for callback in self.get_all_callbacks(CallbacksMP.ON_DETACH):  # type: ignore[attr-defined]
            callback(self, unpatch_all)
        return self._model

    def _load_list(self, *_: Any, **__: Any) -> list[tuple[int, str, nn.Module, dict[str, Any]]]:
        """(bytes, name, module, its own parameters) of each module with weights."""
        found = []
        for name, module in self._model.named_modules():
            own = dict(module.named_parameters(recurse=False))
            if own:
                found.append((sum(each.nbytes for each in own.values()), name, module, own))
        return found


def _replace(model: Any, key: str, weight: Tensor) -> None:
    owner: Any = model
    *path, attribute = key.split(".")
    for part in path:
        owner = getattr(owner, part)
    if isinstance(getattr(owner, attribute), nn.Parameter):
        weight = nn.Parameter(weight, requires_grad=False)
    setattr(owner, attribute, weight)
