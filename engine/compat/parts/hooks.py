"""Hooks for plugins: `comfy.hooks` as objects that become our hook groups."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from engine.compat.models.conversion import with_wrappers
from engine.compat.parts.hook_changes import KeyedChanges, OtherChanges, adapter_changes
from engine.compat.parts.hook_kinds import (
    EnumHookScope,
    EnumHookType,
    HookKeyframeGroup,
    HookRef,
)
from engine.inference import values


class Hook:
    """Something that applies to entries of a conditioning.

    Attributes:
        hook_type: an `EnumHookType`.
        hook_ref: its identity, which copies share.
        hook_keyframe: factors of its strength over time.
        hook_scope: an `EnumHookScope`.
    """

    def __init__(
        self,
        hook_type: EnumHookType | None = None,
        hook_ref: Any = None,
        hook_id: str | None = None,
        hook_keyframe: HookKeyframeGroup | None = None,
        hook_scope: EnumHookScope = EnumHookScope.AllConditioning,
    ) -> None:
        self.hook_type = hook_type
        self.hook_ref = hook_ref or HookRef()
        self.hook_id = hook_id
        self.hook_keyframe = hook_keyframe or HookKeyframeGroup()
        self.hook_scope = hook_scope
        self.custom_should_register: Any = None

    @property
    def strength(self) -> float:
        """The present factor of its keyframes."""
        return self.hook_keyframe.strength

    def initialize_timesteps(self, model: Any) -> None:
        """Start a run."""
        self.reset()
        self.hook_keyframe.initialize_timesteps(model)

    def reset(self) -> None:
        """Return to the first keyframe."""
        self.hook_keyframe.reset()

    def clone(self) -> Self:
        """A copy with the same identity; keyframes are shared."""
        return copy.copy(self)

    def should_register(
        self, model: Any, model_options: Any, target_dict: Any, registered: Any
    ) -> bool:
        """Whether it takes part in a run."""
        if self.custom_should_register is not None:
            return self.custom_should_register(self, model, model_options, target_dict, registered)
        return True

    def add_hook_patches(
        self, model: Any, model_options: Any, target_dict: Any, registered: Any
    ) -> bool:
        """Nothing: a plugin's hook that changes a model overrides this."""
        del model, model_options, target_dict, registered
        return False

    def to_hook(self) -> values.Hook:
        """The frozen value."""
        # One object for each hook, so that entries with the hook may share a call.
        made = self.__dict__.get("_other_changes")
        if made is None or made.hook is not self:
            made = self.__dict__["_other_changes"] = OtherChanges.of(self)
        return values.Hook(made, 1.0, 1.0, self.hook_keyframe.to_value())

    def __eq__(self, other: object) -> bool:
        return self.__class__ == other.__class__ and self.hook_ref is getattr(other, "hook_ref", 0)

    def __hash__(self) -> int:
        return hash(self.hook_ref)


class WeightHook(Hook):
    """A change of weights.

    Attributes:
        weights: of a file (names to tensors), or, where `need_weight_init` is false, changes of the
            denoiser by key; weights_clip: the same of text encoders.
    """

    def __init__(self, strength_model: float = 1.0, strength_clip: float = 1.0) -> None:
        super().__init__(EnumHookType.Weight, hook_scope=EnumHookScope.HookedOnly)
        self.weights: Any = None
        self.weights_clip: Any = None
        self.need_weight_init = True
        self._strength_model = strength_model
        self._strength_clip = strength_clip
        self._changes: values.Changes | None = None
        self._changes_of: tuple[Any, Any] = (None, None)

    @classmethod
    def of_value(cls, hook: values.Hook) -> WeightHook:
        """The object of one hook."""
        made = cls(hook.strength_model, hook.strength_clip)
        made._changes = hook.changes
        made.need_weight_init = False
        made.hook_ref = hook.changes
        made.hook_keyframe = HookKeyframeGroup.of_value(hook.keyframes)
        return made

    @property
    def strength_model(self) -> float:
        """The strength for the denoiser, with the present keyframe."""
        return self._strength_model * self.strength

    @property
    def strength_clip(self) -> float:
        """The strength for text encoders, with the present keyframe."""
        return self._strength_clip * self.strength

    def to_hook(self) -> values.Hook:
        """The frozen value."""
        return values.Hook(
            self._value_changes(),
            float(self._strength_model),
            float(self._strength_clip),
            self.hook_keyframe.to_value(),
        )

    def _value_changes(self) -> values.Changes:
        made_of = (self.weights, self.weights_clip)
        is_same = all(new is old for new, old in zip(made_of, self._changes_of, strict=True))
        if self._changes is None or not is_same:
            if self.need_weight_init:
                self._changes = adapter_changes(self.weights or {})
            else:
                self._changes = KeyedChanges.of(self.weights, self.weights_clip)
            self._changes_of = made_of
        return self._changes


class ObjectPatchHook(Hook):
    """Replaced attributes of a model."""

    def __init__(
        self,
        object_patches: dict[str, Any] | None = None,
        hook_scope: EnumHookScope = EnumHookScope.AllConditioning,
    ) -> None:
        super().__init__(EnumHookType.ObjectPatch, hook_scope=hook_scope)
        self.object_patches = object_patches


class AdditionalModelsHook(Hook):
    """Further models that are loaded for a run."""

    def __init__(self, models: Any = None, key: str | None = None) -> None:
        super().__init__(EnumHookType.AdditionalModels)
        self.models, self.key = models, key


class TransformerOptionsHook(Hook):
    """Patches, wrappers and other entries of `transformer_options`."""

    def __init__(
        self,
        transformers_dict: dict[str, Any] | None = None,
        hook_scope: EnumHookScope = EnumHookScope.AllConditioning,
    ) -> None:
        super().__init__(EnumHookType.TransformerOptions, hook_scope=hook_scope)
        self.transformers_dict: Any = transformers_dict
        self._skip_adding = False

    def add_hook_patches(
        self, model: Any, model_options: Any, target_dict: Any, registered: Any
    ) -> bool:
        """Add its wrappers and callbacks to a run's options, where it is for the whole run."""
        if not self.should_register(model, model_options, target_dict, registered):
            return False
        if self.hook_scope == EnumHookScope.AllConditioning:
            inner = model_options.setdefault("transformer_options", {})
            for kind in ("wrappers", "callbacks"):
                with_wrappers(inner, kind, (self.transformers_dict or {}).get(kind) or {})
        return True

    def on_apply_hooks(self, model: Any, transformer_options: dict[str, Any]) -> Any:
        """The options to use for entries with this hook."""
        del model, transformer_options
        return self.transformers_dict


WrapperHook = TransformerOptionsHook
"""The older name."""


class InjectionsHook(Hook):
    """Injections into a model."""

    def __init__(
        self,
        key: str | None = None,
        injections: Any = None,
        hook_scope: EnumHookScope = EnumHookScope.AllConditioning,
    ) -> None:
        super().__init__(EnumHookType.Injections, hook_scope=hook_scope)
        self.key, self.injections = key, injections


SetInjectionsHook = InjectionsHook


class HookGroup:
    """Hooks that apply together; the value of a HOOKS wire for plugins."""

    def __init__(self) -> None:
        self.hooks: list[Hook] = []

    @classmethod
    def of_value(cls, group: Sequence[values.Hook]) -> HookGroup:
        """The object of a HOOKS value."""
        made = cls()
        for hook in group:
            changes = hook.changes
            own = changes.hook.clone() if isinstance(changes, OtherChanges) else None
            made.hooks.append(WeightHook.of_value(hook) if own is None else own)
        return made

    def to_value(self) -> values.HookGroup:
        """The frozen value."""
        return tuple(hook.to_hook() for hook in self.hooks)

    @property
    def _hook_dict(self) -> dict[Any, list[Hook]]:
        kinds = dict.fromkeys(hook.hook_type for hook in self.hooks)
        return {kind: [h for h in self.hooks if h.hook_type == kind] for kind in kinds}

    def __len__(self) -> int:
        return len(self.hooks)

    def add(self, hook: Hook) -> None:
        """Add a hook, unless it is there."""
        if hook not in self.hooks:
            self.hooks.append(hook)

    def remove(self, hook: Hook) -> None:
        """Remove a hook, if it is there."""
        if hook in self.hooks:
            self.hooks.remove(hook)

    def is_empty(self) -> bool:
        """Whether there is no hook."""
        return not self.hooks

    def contains(self, hook: Hook) -> bool:
        """Whether a hook is there."""
        return hook in self.hooks

    def is_subset_of(self, other: HookGroup) -> bool:
        """Whether another group has all its hooks."""
        return all(hook in other.hooks for hook in self.hooks)

    def new_with_common_hooks(self, other: HookGroup) -> HookGroup:
        """A group of the hooks that both have."""
        made = HookGroup()
        made.hooks = [hook.clone() for hook in self.hooks if hook in other.hooks]
        return made

    def get_type(self, hook_type: EnumHookType) -> list[Hook]:
        """The hooks of one kind."""
        return [hook for hook in self.hooks if hook.hook_type == hook_type]

    def clone(self) -> HookGroup:
        """A copy, with copies of its hooks."""
        made = HookGroup()
        made.hooks = [hook.clone() for hook in self.hooks]
        return made

    def clone_and_combine(self, other: HookGroup | None) -> HookGroup:
        """A copy with the hooks of another group, too."""
        made = self.clone()
        for hook in other.hooks if other is not None else ():
            made.add(hook.clone())
        return made

    def set_keyframes_on_hooks(self, hook_kf: HookKeyframeGroup | None) -> None:
        """Give every hook the same keyframes."""
        keyframes = HookKeyframeGroup() if hook_kf is None else hook_kf.clone()
        for hook in self.hooks:
            hook.hook_keyframe = keyframes

    def get_hooks_for_clip_schedule(self) -> list[tuple[tuple[float, float], list[Any]]]:
        """By (start, end) of sampling, the hooks of weights with the keyframe that applies."""
        hooks = self.get_type(EnumHookType.Weight)
        starts = sorted({0.0, *(k.start_percent for h in hooks for k in h.hook_keyframe.keyframes)})
        return [
            ((start, end), [(hook, _started(hook, start)) for hook in hooks])
            for start, end in zip(starts, [*starts[1:], 1.0], strict=True)
        ]

    def initialize_timesteps(self, model: Any) -> None:
        """Start a run."""
        for hook in self.hooks:
            hook.initialize_timesteps(model)

    def reset(self) -> None:
        """Return to the first keyframes."""
        for hook in self.hooks:
            hook.reset()

    @staticmethod
    def combine_all_hooks(
        hooks_list: Iterable[HookGroup | None], require_count: int = 0
    ) -> HookGroup | None:
        """One group of all hooks; None if fewer than `require_count` groups are there, or none."""
        groups = [group for group in hooks_list if group is not None]
        if len(groups) < require_count or not groups:
            return None
        if len(groups) == 1:
            return groups[0]
        made = HookGroup()
        for group in groups:
            made = made.clone_and_combine(group)
        return made


def _started(hook: Hook, time: float) -> Any:
    begun = [each for each in hook.hook_keyframe.keyframes if each.start_percent <= time]
    return (begun or hook.hook_keyframe.keyframes[:1] or [None])[-1]


def create_hook_lora(
    lora: Mapping[str, Any], strength_model: float, strength_clip: float
) -> HookGroup:
    """A group with an adapter's tensors as a hook."""
    group, hook = HookGroup(), WeightHook(strength_model, strength_clip)
    hook.weights = lora
    group.add(hook)
    return group


def create_hook_model_as_lora(
    weights_model: Any, weights_clip: Any, strength_model: float, strength_clip: float
) -> HookGroup:
    """A group with changes by key as a hook, see `get_patch_weights_from_model`."""
    group, hook = HookGroup(), WeightHook(strength_model, strength_clip)
    hook.weights, hook.weights_clip, hook.need_weight_init = weights_model, weights_clip, False
    group.add(hook)
    return group


def get_patch_weights_from_model(model: Any, discard_model_sampling: bool = True) -> Any:
    """A model's tensors as changes that replace another model's; None without a model."""
    del discard_model_sampling
    if model is None:
        return None
    tensors = model.patcher.model_state_dict() if hasattr(model, "patcher") else None
    if tensors is None:
        tensors = model.model_state_dict()
    return {key: ("model_as_lora", (tensor,)) for key, tensor in tensors.items()}


def load_hook_lora_for_models(
    model: Any, clip: Any, lora: Mapping[str, Any], strength_model: float, strength_clip: float
) -> tuple[Any, Any, HookGroup]:
    """Copies of a model and a CLIP, and an adapter as a hook."""
    group = create_hook_lora(lora, strength_model, strength_clip)
    return (
        None if model is None else model.clone(),
        None if clip is None else clip.clone(),
        group,
    )
