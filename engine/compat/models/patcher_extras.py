# pyright: basic
"""What plugins attach to a patcher: callbacks, wrappers, injections, models, objects by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from engine.compat.models.patcher_extension import CallbacksMP, PatcherInjection, WrappersMP

Keyed = dict[str, dict[Any, list[Any]]]


class Attached:
    """The part of a patcher that holds these."""

    model: Any
    callbacks: Keyed
    wrappers: Keyed
    attachments: dict[str, Any]
    injections: dict[str, list[PatcherInjection]]
    additional_models: dict[str, list[Any]]
    is_injected: bool
    skip_injection: bool

    def _attach_nothing(self) -> None:
        self.callbacks = CallbacksMP.init_callbacks()
        self.wrappers = WrappersMP.init_wrappers()
        self.attachments = {}
        self.injections = {}
        self.additional_models = {}
        self.is_injected = False
        self.skip_injection = False

    def _copy_attached(self, other: Any) -> None:
        """Give `other` copies of all of them."""
        other.callbacks = _copied(self.callbacks)
        other.wrappers = _copied(self.wrappers)
        other.attachments = {
            key: each.on_model_patcher_clone() if hasattr(each, "on_model_patcher_clone") else each
            for key, each in self.attachments.items()
        }
        other.injections = {key: list(many) for key, many in self.injections.items()}
        other.additional_models = {
            key: [each.clone() for each in many] for key, many in self.additional_models.items()
        }
        other.is_injected = False
        other.skip_injection = False

    @property
    def has_attached(self) -> bool:
        """Whether there are any."""
        keyed = any(kinds for kinds in (*self.callbacks.values(), *self.wrappers.values()))
        return keyed or bool(self.attachments or self.injections or self.additional_models)

    def add_callback(self, call_type: str, callback: Callable[..., Any]) -> None:
        """Add a callback without a key, see `CallbacksMP`."""
        self.add_callback_with_key(call_type, None, callback)

    def add_callback_with_key(self, call_type: str, key: Any, callback: Callable[..., Any]) -> None:
        """Add a callback under a key."""
        self.callbacks.setdefault(call_type, {}).setdefault(key, []).append(callback)

    def remove_callbacks_with_key(self, call_type: str, key: Any) -> None:
        """Remove the callbacks under a key."""
        self.callbacks.get(call_type, {}).pop(key, None)

    def get_callbacks(self, call_type: str, key: Any) -> list[Any]:
        """The callbacks under a key."""
        return self.callbacks.get(call_type, {}).get(key, [])

    def get_all_callbacks(self, call_type: str) -> list[Any]:
        """The callbacks of a kind."""
        return [each for many in self.callbacks.get(call_type, {}).values() for each in many]

    def add_wrapper(self, wrapper_type: str, wrapper: Callable[..., Any]) -> None:
        """Add a wrapper without a key, see `WrappersMP`."""
        self.add_wrapper_with_key(wrapper_type, None, wrapper)

    def add_wrapper_with_key(
        self, wrapper_type: str, key: Any, wrapper: Callable[..., Any]
    ) -> None:
        """Add a wrapper under a key."""
        self.wrappers.setdefault(wrapper_type, {}).setdefault(key, []).append(wrapper)

    def remove_wrappers_with_key(self, wrapper_type: str, key: Any) -> None:
        """Remove the wrappers under a key."""
        self.wrappers.get(wrapper_type, {}).pop(key, None)

    def get_wrappers(self, wrapper_type: str, key: Any) -> list[Any]:
        """The wrappers under a key."""
        return self.wrappers.get(wrapper_type, {}).get(key, [])

    def get_all_wrappers(self, wrapper_type: str) -> list[Any]:
        """The wrappers of a kind."""
        return [each for many in self.wrappers.get(wrapper_type, {}).values() for each in many]

    def set_attachments(self, key: str, attachment: Any) -> None:
        """Keep an object under a key."""
        self.attachments[key] = attachment

    def remove_attachments(self, key: str) -> None:
        """Remove the object under a key."""
        self.attachments.pop(key, None)

    def get_attachment(self, key: str) -> Any:
        """The object under a key, or None."""
        return self.attachments.get(key)

    def set_injections(self, key: str, injections: list[PatcherInjection]) -> None:
        """Keep injections under a key."""
        self.injections[key] = injections

    def remove_injections(self, key: str) -> None:
        """Remove the injections under a key."""
        self.injections.pop(key, None)

    def get_injections(self, key: str) -> list[PatcherInjection] | None:
        """The injections under a key, or None."""
        return self.injections.get(key)

    def set_additional_models(self, key: str, models: list[Any]) -> None:
        """Keep patchers that run together with this one, under a key."""
        self.additional_models[key] = models

    def remove_additional_models(self, key: str) -> None:
        """Remove the patchers under a key."""
        self.additional_models.pop(key, None)

    def get_additional_models_with_key(self, key: str) -> list[Any]:
        """The patchers under a key."""
        return self.additional_models.get(key, [])

    def get_additional_models(self) -> list[Any]:
        """All of them."""
        return [each for many in self.additional_models.values() for each in many]

    def get_nested_additional_models(self) -> list[Any]:
        """All of them, with those that they have themselves."""
        found: list[Any] = []
        waiting = self.get_additional_models()
        while waiting:
            each = waiting.pop(0)
            if each not in found:
                found.append(each)
                waiting.extend(each.get_additional_models())
        return found

    def inject_model(self) -> None:
        """Change the network by the injections, once."""
        if self.is_injected or self.skip_injection:
            return
        for injection in [each for many in self.injections.values() for each in many]:
            injection.inject(self)
            self.is_injected = True
        if self.is_injected:
            self._call_back(CallbacksMP.ON_INJECT_MODEL)

    def eject_model(self) -> None:
        """Undo the injections."""
        if not self.is_injected:
            return
        for injection in [each for many in self.injections.values() for each in many]:
            injection.eject(self)
        self.is_injected = False
        self._call_back(CallbacksMP.ON_EJECT_MODEL)

    @contextmanager
    def use_ejected(self, skip_and_inject_on_exit_only: bool = False) -> Iterator[None]:
        """Without the injections inside the `with`."""
        with AutoPatcherEjector(self, skip_and_inject_on_exit_only):
            yield

    def pre_run(self) -> None:
        """Tell the callbacks that a run begins."""
        self._call_back(CallbacksMP.ON_PRE_RUN)

    def prepare_state(self, timestep: Any, model_options: Any = None) -> None:
        """Tell the callbacks the sigma of a step."""
        for callback in self.get_all_callbacks(CallbacksMP.ON_PREPARE_STATE):
            callback(self, timestep)

    def cleanup(self) -> None:
        """Tell the callbacks that a run ended."""
        self.clean_hooks()
        self._call_back(CallbacksMP.ON_CLEANUP)

    def _call_back(self, call_type: str, *args: Any) -> None:
        for callback in self.get_all_callbacks(call_type):
            callback(self, *args)

    # Hooks of weights are entries' own here, see `engine.inference.hook_groups`: a patcher has
    # nothing to switch. The methods are for plugins that call them around a run.

    def clean_hooks(self) -> None:
        """Nothing."""

    def set_hook_mode(self, hook_mode: Any) -> None:
        """Nothing."""

    def restore_hook_patches(self) -> None:
        """Nothing."""

    def unpatch_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    def apply_hooks(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Nothing; returns no options."""
        return {}

    def patch_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    def prepare_hook_patches_current_keyframe(self, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    def register_all_hook_patches(self, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    def add_hook_patches(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Nothing; returns no keys."""
        return []

    def get_combined_hook_patches(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """None."""
        return {}


class AutoPatcherEjector:
    """Takes a patcher's injections out for a `with`."""

    def __init__(self, model: Any, skip_and_inject_on_exit_only: bool = False) -> None:
        self.model = model
        self.skip_and_inject_on_exit_only = skip_and_inject_on_exit_only
        self._was_injected = False
        self._skipped = False

    def __enter__(self) -> Self:
        self._was_injected = self.model.is_injected
        self._skipped = self.model.skip_injection
        if self.skip_and_inject_on_exit_only:
            self.model.skip_injection = True
        if self._was_injected:
            self.model.eject_model()
        return self

    def __exit__(self, *exception: object) -> None:
        self.model.skip_injection = self._skipped
        if self.skip_and_inject_on_exit_only or self._was_injected:
            self.model.inject_model()


def _copied(keyed: Keyed) -> Keyed:
    return {kind: {key: list(many) for key, many in keys.items()} for kind, keys in keyed.items()}
