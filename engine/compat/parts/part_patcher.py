"""What wraps the weights of a text encoder, an autoencoder or a control network for plugins.

The counterpart of a MODEL's `ModelPatcher`: collects patches until the value is made.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.compat.weight_patches import HostPatch, host_patches, split_key
from engine.inference.adapters import sources_of
from engine.inference.saving import tensors_of
from engine.residency.handles import PatchedWeights, Weights
from engine.residency.manager import current
from engine.residency.sources import Patches


class PartPatcher:
    """Weights under the names that plugins use, and the patches they add.

    Attributes:
        model: what plugins reach the network through.
        patches: by tensor name, in the form `(strength, value, strength_model, offset, function)`.
        object_patches: replaced attributes of `model`, by their dotted names.
        model_options: a plugin's own settings.
        forced_hooks: hooks applied to everything that is encoded.
    """

    def __init__(
        self,
        model: Callable[[], Any],
        handles: Mapping[str, tuple[Weights, Callable[[str], str]]],
    ) -> None:
        """Make one.

        Args:
            model: returns what plugins see as `model`.
            handles: by part, its weights, and from the network's tensor names to plugins'.
        """
        self._model = model
        self._handles = dict(handles)
        # A pack may give the object a class of its own, derived from ModelPatcher.
        self.part_patcher = PartPatcher
        self._added: list[tuple[dict[Any, Any], float, float]] = []
        self.patches: dict[str, list[tuple[Any, ...]]] = {}
        self.object_patches: dict[str, Any] = {}
        self.object_patches_backup: dict[str, Any] = {}
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        self.attachments: dict[str, Any] = {}
        self.additional_models: dict[str, list[Any]] = {}
        self.hook_patches: dict[Any, Any] = {}
        self.forced_hooks: Any = None
        self.is_clip = False
        self.patches_uuid = uuid.uuid4()
        self.parent: Any = None

    is_managed = True
    """Whether the engine loads the weights when they are used."""

    @property
    def model(self) -> Any:
        """What plugins reach the network through."""
        return self._model()

    @property
    def load_device(self) -> torch.device:
        """The device that computes."""
        return current().device

    @property
    def offload_device(self) -> torch.device:
        """Where weights are that are not in use."""
        return torch.device("cpu")

    @property
    def current_device(self) -> torch.device:
        """See `load_device`."""
        return current().device

    def current_loaded_device(self) -> torch.device:
        """See `load_device`."""
        return current().device

    @property
    def weights(self) -> tuple[Weights, ...]:
        """The handles, for whoever loads models."""
        return tuple(handle for handle, _ in self._handles.values())

    def rebound(self, model: Callable[[], Any]) -> PartPatcher:
        """A copy that shows another object as `model`."""
        made = copy.copy(self)
        made._model = model
        made._added = list(self._added)
        made.patches = {key: list(each) for key, each in self.patches.items()}
        made.object_patches = dict(self.object_patches)
        made.model_options = _copied(self.model_options)
        made.attachments = dict(self.attachments)
        made.additional_models = {key: list(each) for key, each in self.additional_models.items()}
        made.parent = self
        return made

    def clone(self) -> PartPatcher:
        """A copy with its own patches and options."""
        return self.rebound(self._model)

    def is_clone(self, other: Any) -> bool:
        """Whether another one has the same weights."""
        own = {id(handle.base) for handle in self.weights}
        return own == {id(handle.base) for handle in getattr(other, "weights", ())}

    def clone_has_same_weights(self, clone: Any) -> bool:
        """Whether another one has the same weights and patches."""
        return self.is_clone(clone) and clone.patches_uuid == self.patches_uuid

    def tensor_names(self) -> dict[str, tuple[str, str]]:
        """(part, its tensor) by the names that plugins use."""
        return {
            f"{part}.{named(own)}" if part else named(own): (part, own)
            for part, (handle, named) in self._handles.items()
            if not handle.is_missing
            for own in sources_of(handle)
        }

    def add_patches(
        self,
        patches: Mapping[Any, Any],
        strength_patch: float = 1.0,
        strength_model: float = 1.0,
    ) -> list[Any]:
        """Add changes of tensors; returns the keys that exist."""
        known = self.tensor_names()
        taken = {key: value for key, value in patches.items() if split_key(key)[0] in known}
        self._added.append((taken, strength_patch, strength_model))
        for name, added in host_patches(taken, strength_patch, strength_model).items():
            listed = [each.listed for each in added if isinstance(each, HostPatch)]
            self.patches.setdefault(name, []).extend(listed)
        self.patches_uuid = uuid.uuid4()
        return list(taken)

    def added_to(self, part: str) -> Patches:
        """What was added to one part, by the network's tensor names."""
        known = self.tensor_names()
        found: dict[str, tuple[Any, ...]] = {}
        for taken, strength, strength_model in self._added:
            for name, added in host_patches(taken, strength, strength_model).items():
                where, own = known[name]
                if where == part:
                    found[own] = (*found.get(own, ()), *added)
        return found

    def patched(self, part: str) -> Weights:
        """A part's weights with all patches."""
        handle = self._handles[part][0]
        added = {} if handle.is_missing else self.added_to(part)
        return PatchedWeights(handle, added) if added else handle

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, list[Any]]:
        """By tensor name, `[(tensor, function)]` and the patches that were added to it."""
        names = [
            n for n in self.tensor_names() if filter_prefix is None or n.startswith(filter_prefix)
        ]
        tensors = self.model_state_dict(filter_prefix)
        return {n: [(tensors[n], lambda a: a), *self.patches.get(n, ())] for n in names}

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Tensor]:
        """Every tensor, without the patches that were added here; read now."""
        found: dict[str, Tensor] = {}
        for part, (handle, _) in self._handles.items():
            if handle.is_missing:
                continue
            tensors = tensors_of(handle)
            for name, (where, own) in self.tensor_names().items():
                if where == part and (filter_prefix is None or name.startswith(filter_prefix)):
                    found[name] = tensors[own].values()
        return found

    def model_size(self) -> int:
        """Bytes of the weights."""
        return sum(handle.size for handle in self.weights)

    def loaded_size(self) -> int:
        """See `model_size`: the engine decides what is on the device."""
        return self.model_size()

    def model_dtype(self) -> torch.dtype:
        """The dtype that is computed in."""
        return current().dtype_of(self.weights[0])

    def memory_required(self, input_shape: Sequence[int]) -> int:
        """Not known here; each use reserves what it needs."""
        del input_shape
        return 0

    def get_free_memory(self, device: Any) -> int:
        """Bytes that may still be used."""
        del device
        return current().budget

    def add_object_patch(self, name: str, obj: Any) -> None:
        """Replace an attribute of `model`, such as `clip_l.encode_token_weights`."""
        self.object_patches[name] = obj

    def get_model_object(self, name: str) -> Any:
        """An attribute of `model` by its dotted name, or what replaces it."""
        if name in self.object_patches:
            return self.object_patches[name]
        found = self.model
        for step in name.split("."):
            found = getattr(found, step)
        return found

    def model_patches_to(self, device: Any) -> None:
        """Nothing to do: the engine moves weights when they are used."""

    def patch_model(self, *_: Any, **__: Any) -> Any:
        """Returns `model`: the engine applies patches when weights are used."""
        return self.model

    def unpatch_model(self, *_: Any, **__: Any) -> None:
        """Nothing to do, see `patch_model`."""

    def partially_load(self, *_: Any, **__: Any) -> int:
        """Nothing to do, see `patch_model`."""
        _ = self.model
        return 0

    def partially_unload(self, *_: Any, **__: Any) -> int:
        """Nothing to do: the engine evicts what is not in use."""
        return 0

    def detach(self, *_: Any, **__: Any) -> Any:
        """Returns `model`, see `partially_unload`."""
        return self.model

    def unpatch_hooks(self, *_: Any, **__: Any) -> None:
        """Nothing to do: hooks apply to one encoding each."""

    def set_attachments(self, key: str, attachment: Any) -> None:
        """Remember an object of a plugin."""
        self.attachments[key] = attachment

    def get_attachment(self, key: str) -> Any:
        """An object of a plugin, or None."""
        return self.attachments.get(key)

    def set_additional_models(self, key: str, models: list[Any]) -> None:
        """Remember further models of a plugin."""
        self.additional_models[key] = models

    def get_additional_models_with_key(self, key: str) -> list[Any]:
        """Further models of a plugin."""
        return self.additional_models.get(key, [])

    def lowvram_patch_counter(self) -> int:
        """0: nothing is patched outside the engine."""
        return 0


def _copied(options: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with their dictionaries and lists copied."""
    return {
        key: _copied(value)
        if isinstance(value, dict)
        else list(value)
        if isinstance(value, list)
        else value
        for key, value in options.items()
    }
