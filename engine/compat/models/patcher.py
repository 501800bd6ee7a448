# pyright: basic
"""The object of a MODEL wire as plugins expect it (`comfy.model_patcher`).

A patcher shows a model, collects changes, and gives a frozen model with them (`to_value`). One made
by a plugin of a network of its own loads that itself.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.models import conversion, levels, networks
from engine.compat.models.foreign_model import foreign_value
from engine.compat.models.model_base import BaseModel
from engine.compat.models.model_families import shown_model
from engine.compat.models.model_options import OptionSetters, create_model_options_clone
from engine.compat.models.patcher_extension import CallbacksMP
from engine.compat.models.patcher_extras import Attached
from engine.compat.models.patcher_weights import OwnWeights
from engine.compat.weight_patches import split_key
from engine.inference.values import Model
from engine.residency.handles import PatchedWeights
from engine.residency.manager import current

_ABSENT = object()


class ModelPatcher(OptionSetters, Attached, OwnWeights):
    """A model with changes.

    Attributes:
        model: a `BaseModel`, or a plugin's module; shared by all clones.
        model_options: what changes sampling, see `model_options.py`.
        patches: changes of weights by name, as lists of (strength, change, strength of the model,
            part, function).
        object_patches: objects that replace parts of the model, by dotted names.
        load_device, offload_device: where it computes, and where weights wait.
        value: the frozen model it was made from; None for a plugin's own module.
        applied: the `transformer_options` that `value` already has.
        native: of a plugin's own module, the frozen model that the engine's nodes changed.
        parent: the patcher it was cloned from.
    """

    value: Model | None = None
    native: Model | None = None

    def __init__(
        self,
        model: Any,
        load_device: Any = None,
        offload_device: Any = None,
        size: int = 0,
        weight_inplace_update: bool = False,
        **_: Any,
    ) -> None:
        """Make a patcher of a plugin's module; `size` in bytes, 0: that of its weights."""
        residency = current()
        self.value = getattr(model, "value", None) if isinstance(model, BaseModel) else None
        self.applied: Mapping[str, Any] = {}
        self._model = model
        self.size = size
        self.load_device = residency.device if load_device is None else load_device
        self.offload_device = torch.device("cpu") if offload_device is None else offload_device
        self.weight_inplace_update = weight_inplace_update
        self._start()
        if getattr(model, "current_patcher", _ABSENT) is None:
            model.current_patcher = self

    def _start(self) -> None:
        self.patches: dict[str, list[Any]] = {}
        self.backup: dict[str, Any] = {}
        self.object_patches: dict[str, Any] = {}
        self.object_patches_backup: dict[str, Any] = {}
        self.weight_wrapper_patches: dict[str, Any] = {}
        self.model_options: dict[str, Any] = {"transformer_options": {}}
        self.patches_uuid = uuid.uuid4()
        self.parent: Any = None
        self.force_cast_weights = False
        self.hook_patches: dict[Any, Any] = {}
        self.forced_hooks: Any = None
        self.is_clip = False
        self.cached_patcher_init: Any = None
        self._attach_nothing()

    @classmethod
    def of_value(cls, value: Model) -> ModelPatcher:
        """A patcher of a frozen model, with what plugins before it attached."""
        before: ModelPatcher | None = value.options.get(conversion.PATCHER)
        if before is not None:
            made = before.snapshot()
            made.parent = before.parent
        else:
            made = object.__new__(cls)
            made._model = shown_model(value)
            made.size = 0
            made.load_device = current().device
            made.offload_device = torch.device("cpu")
            made.weight_inplace_update = False
            made._start()
        if before is not None and before.value is None:
            made.native = value
            made.applied = _inner(conversion.full_options(before))
            return made
        made.value = value
        made.patches = conversion.listed_patches(value.net)
        made.applied = {} if before is None else _inner(conversion.full_options(before))
        own = made._model.model_sampling
        if not conversion.same_levels(levels.value_of(own), value.parameterization):
            given = levels.sampling_object(value.parameterization, made._model.model_config)
            made.object_patches["model_sampling"] = given
        else:
            made.object_patches.pop("model_sampling", None)
        return made

    def to_value(self) -> Any:
        """The frozen model with the changes; the same one if there are none.

        Raises:
            NodeError: a plugin's own module cannot be sampled with.
        """
        if self.value is not None:
            return conversion.value_of(self)
        return foreign_value(self)

    @property
    def has_state(self) -> bool:
        """Whether there is anything that the frozen values do not hold by themselves."""
        objects = {name for name in self.object_patches if name != "model_sampling"}
        options = {name: each for name, each in self.model_options.items() if each}
        return bool(objects or options or self.has_attached or self.weight_wrapper_patches)

    def snapshot(self) -> ModelPatcher:
        """A copy that belongs to nobody: not cloned by a plugin's own method."""
        made = ModelPatcher.clone(self, _tells=False)
        made.parent = None
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A patcher of a copy of the network, whose weights a plugin may change in place."""
        made = self.clone()
        memo[id(self)] = made
        value = self.value
        if value is None:
            made._model = copy.deepcopy(self._model, memo)
            return made
        own = networks.own_copy(value.family, value.config, value.net)
        net = PatchedWeights(own, value.net.patches) if value.net.patches else own
        made.value = replace(value, net=net)
        made._model = shown_model(made.value)
        return made

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Be the model's `current_patcher` inside the `with`, whichever other one is used."""
        shown = self._model
        if not isinstance(shown, BaseModel):
            yield
            return
        before = shown.current_patcher, shown.__dict__.get("_pinned", False)
        shown.current_patcher, shown.__dict__["_pinned"] = self, True
        try:
            yield
        finally:
            shown.current_patcher, shown.__dict__["_pinned"] = before

    def clone(self, *_args: Any, _tells: bool = True, **_kwargs: Any) -> Any:
        """A patcher of the same model with copies of the changes."""
        part = self.__dict__.get("part_patcher")
        if part is not None:  # a text encoder's, which a pack has given its own class
            self.__class__ = part
            return self.clone()
        made = copy.copy(self)
        made.patches = {name: list(many) for name, many in self.patches.items()}
        made.object_patches = dict(self.object_patches)
        made.weight_wrapper_patches = dict(self.weight_wrapper_patches)
        made.model_options = create_model_options_clone(self.model_options)
        made.model_options.setdefault("transformer_options", {})
        made.hook_patches = dict(self.hook_patches)
        made.object_patches_backup = {}
        made.parent = self
        self._copy_attached(made)
        if _tells:
            for callback in self.get_all_callbacks(CallbacksMP.ON_CLONE):
                callback(self, made)
        return made

    @property
    def model(self) -> Any:
        """See the class."""
        shown = self._model
        if isinstance(shown, BaseModel) and not shown.__dict__.get("_pinned"):
            shown.current_patcher = self
        return shown

    @model.setter
    def model(self, model: Any) -> None:
        self._model = model
        self.value = getattr(model, "value", None) and self.value

    def is_clone(self, other: Any) -> bool:
        """Whether two patchers show the same model."""
        return getattr(other, "_model", None) is self._model

    def clone_has_same_weights(self, clone: Any) -> bool:
        """Whether a clone changes weights in the same way."""
        if not self.is_clone(clone):
            return False
        return self.patches_uuid == clone.patches_uuid or self.patches == clone.patches

    def get_clone_model_override(self) -> Any:
        """The model, for a clone."""
        return self._model

    def is_dynamic(self) -> bool:
        """Whether weights are loaded on use by the host; plugins see them as loaded at once."""
        return False

    def add_object_patch(self, name: str, obj: Any) -> None:
        """Replace a part of the model by its dotted name, such as `model_sampling`."""
        self.object_patches[name] = obj

    def get_model_object(self, name: str) -> Any:
        """A part of the model by its dotted name, as it is replaced."""
        if name in self.object_patches:
            return self.object_patches[name]
        if name in self.object_patches_backup:
            return self.object_patches_backup[name]
        for prefix, obj in self.object_patches.items():
            if name.startswith(f"{prefix}."):
                return _attribute(obj, name[len(prefix) + 1 :])
        return _attribute(self.model, name)

    def patch_objects(self) -> None:
        """Put the object patches on the model."""
        for name, obj in self.object_patches.items():
            owner, attribute = _owner(self._model, name)
            old = _own_attribute(owner, attribute)
            self.object_patches_backup.setdefault(name, old)
            _set(owner, attribute, obj)

    def unpatch_objects(self) -> None:
        """Take them off again."""
        for name, old in self.object_patches_backup.items():
            owner, attribute = _owner(self._model, name)
            if old is _ABSENT:
                delattr(owner, attribute)
            else:
                _set(owner, attribute, old)
        self.object_patches_backup = {}

    def set_model_compute_dtype(self, dtype: Any) -> None:
        """Set the dtype that the network computes in."""
        self.add_object_patch("manual_cast_dtype", dtype)
        self.force_cast_weights = dtype is not None
        self.patches_uuid = uuid.uuid4()

    def add_weight_wrapper(self, name: str, function: Any) -> None:
        """Change a weight by a function when it is used."""
        self.weight_wrapper_patches.setdefault(name, []).append(function)
        self.patches_uuid = uuid.uuid4()

    def add_patches(
        self, patches: Mapping[Any, Any], strength_patch: float = 1.0, strength_model: float = 1.0
    ) -> list[Any]:
        """Add changes of weights by name; returns the keys of those that the model has."""
        names = self._names()
        found: list[Any] = []
        for key, value in patches.items():
            name, offset, function = split_key(key)
            if name in names:
                listed = (strength_patch, value, strength_model, offset, function)
                self.patches.setdefault(name, []).append(listed)
                found.append(key)
        self.patches_uuid = uuid.uuid4()
        return found

    def _names(self) -> set[str]:
        if self.value is None:
            return set(self._model.state_dict())
        base = self.value.net.base
        names = base.sources or dict(base.module.named_parameters())
        return {f"{conversion.NETWORK}{name}" for name in names}

    def get_key_patches(self, filter_prefix: str | None = None) -> dict[str, list[Any]]:
        """By name a weight as `(tensor, function)`, then its patches."""
        found: dict[str, list[Any]] = {}
        for name, weight in self._model.state_dict().items():
            if filter_prefix is None or name.startswith(filter_prefix):
                found[name] = [(weight, _unchanged), *self.patches.get(name, [])]
        return found

    def model_state_dict(self, filter_prefix: str | None = None) -> dict[str, Tensor]:
        """The weights by name, without patches."""
        found = self._model.state_dict()
        if filter_prefix is None:
            return found
        return {name: each for name, each in found.items() if name.startswith(filter_prefix)}

    def model_patches_to(self, device: Any) -> None:
        """Move patches that are objects to a device, or to a dtype."""
        inner = self.model_options["transformer_options"]
        for many in inner.get("patches", {}).values():
            many[:] = [conversion.moved(device, each) for each in many]
        for places in inner.get("patches_replace", {}).values():
            for place, each in places.items():
                places[place] = conversion.moved(device, each)

    def model_patches_models(self) -> list[Any]:
        """The patchers that patches bring along."""
        inner = self.model_options["transformer_options"]
        patches = [each for many in inner.get("patches", {}).values() for each in many]
        replaced = inner.get("patches_replace", {})
        patches += [each for places in replaced.values() for each in places.values()]
        return [model for each in patches if hasattr(each, "models") for model in each.models()]

    def model_dtype(self) -> Any:
        """The dtype of the weights."""
        if hasattr(self._model, "get_dtype"):
            return self._model.get_dtype()
        return next((each.dtype for each in self._model.parameters()), None)

    def memory_required(self, input_shape: Any) -> float:
        """Bytes that a call on x of a shape needs beside the weights."""
        return self.model.memory_required(input_shape=input_shape)

    def model_mmap_residency(self, free: bool = False) -> tuple[int, int]:
        """(bytes in memory, all bytes) of files; the engine keeps no such count."""
        return 0, self.model_size()

    def __del__(self) -> None:
        """Nothing: plugins' subclasses call it."""


CoreModelPatcher = ModelPatcher


def _unchanged(weight: Tensor, **_: Any) -> Tensor:
    return weight


def _inner(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return options.get("transformer_options", {})


def _attribute(obj: Any, name: str) -> Any:
    for part in name.split("."):
        obj = getattr(obj, part)
    return obj


def _owner(obj: Any, name: str) -> tuple[Any, str]:
    path, _, attribute = name.rpartition(".")
    return (_attribute(obj, path) if path else obj), attribute


def _own_attribute(owner: Any, attribute: str) -> Any:
    """What an object itself has under a name, not its class."""
    if isinstance(owner, nn.Module):
        for held in (owner._modules, owner._parameters, owner._buffers):
            if attribute in held:
                return held[attribute]
    if attribute == "diffusion_model":
        return getattr(owner, attribute)
    return owner.__dict__.get(attribute, _ABSENT)


def _set(owner: Any, attribute: str, value: Any) -> None:
    """Set an attribute, also where a module gives way to a function and back."""
    if isinstance(owner, nn.Module):
        owner._modules.pop(attribute, None)
        owner.__dict__.pop(attribute, None)
    setattr(owner, attribute, value)
