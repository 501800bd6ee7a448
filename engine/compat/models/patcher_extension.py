# pyright: basic
"""Wrappers, callbacks and injections that plugins attach to a model (`comfy.patcher_extension`).

Both are stored by kind, then by key: `{"apply_model": {"my_pack": [function, ...]}}`; those without
a key are under None. A wrapper is called with an executor, whose call goes on to the next one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


class CallbacksMP:
    """The kinds of callbacks, and what each is called with."""

    ON_CLONE = "on_clone"
    ON_LOAD = "on_load_after"
    ON_DETACH = "on_detach_after"
    ON_CLEANUP = "on_cleanup"
    ON_PRE_RUN = "on_pre_run"
    ON_PREPARE_STATE = "on_prepare_state"
    ON_APPLY_HOOKS = "on_apply_hooks"
    ON_REGISTER_ALL_HOOK_PATCHES = "on_register_all_hook_patches"
    ON_INJECT_MODEL = "on_inject_model"
    ON_EJECT_MODEL = "on_eject_model"

    @classmethod
    def init_callbacks(cls) -> dict[str, dict[Any, list[Any]]]:
        """An empty store."""
        return _empty(cls)


class WrappersMP:
    """The kinds of wrappers, by the function that they surround."""

    OUTER_SAMPLE = "outer_sample"
    PREPARE_SAMPLING = "prepare_sampling"
    SAMPLER_SAMPLE = "sampler_sample"
    PREDICT_NOISE = "predict_noise"
    CALC_COND_BATCH = "calc_cond_batch"
    APPLY_MODEL = "apply_model"
    DIFFUSION_MODEL = "diffusion_model"

    @classmethod
    def init_wrappers(cls) -> dict[str, dict[Any, list[Any]]]:
        """An empty store."""
        return _empty(cls)


def _empty(kinds: type) -> dict[str, dict[Any, list[Any]]]:
    values = [value for name, value in vars(kinds).items() if name.isupper()]
    return {value: {} for value in values}


def _store(name: str, options: dict[str, Any], *, is_model_options: bool) -> dict[str, Any]:
    """`options[name]`, made if it is not there; of model options inside `transformer_options`."""
    inner = options.setdefault("transformer_options", {}) if is_model_options else options
    return inner.setdefault(name, {})


def _add(
    name: str,
    kind: str,
    key: Any,
    function: Callable[..., Any],
    options: dict[str, Any],
    *,
    is_model_options: bool,
) -> None:
    store = _store(name, options, is_model_options=is_model_options)
    store.setdefault(kind, {}).setdefault(key, []).append(function)


def _find(
    name: str, options: dict[str, Any], kind: str, *, is_model_options: bool
) -> dict[Any, list[Any]]:
    inner = options.get("transformer_options", {}) if is_model_options else options
    return inner.get(name, {}).get(kind, {})


def add_callback(
    call_type: str,
    callback: Callable[..., Any],
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Add a callback without a key."""
    add_callback_with_key(call_type, None, callback, transformer_options, is_model_options)


def add_callback_with_key(
    call_type: str,
    key: Any,
    callback: Callable[..., Any],
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Add a callback under a key."""
    _add(
        "callbacks",
        call_type,
        key,
        callback,
        transformer_options,
        is_model_options=is_model_options,
    )


def get_callbacks_with_key(
    call_type: str, key: Any, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Any]:
    """The callbacks of a kind under a key."""
    found = _find("callbacks", transformer_options, call_type, is_model_options=is_model_options)
    return list(found.get(key, []))


def get_all_callbacks(
    call_type: str, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Any]:
    """The callbacks of a kind, in the order of their keys."""
    found = _find("callbacks", transformer_options, call_type, is_model_options=is_model_options)
    return [each for many in found.values() for each in many]


def add_wrapper(
    wrapper_type: str,
    wrapper: Callable[..., Any],
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Add a wrapper without a key."""
    add_wrapper_with_key(wrapper_type, None, wrapper, transformer_options, is_model_options)


def add_wrapper_with_key(
    wrapper_type: str,
    key: Any,
    wrapper: Callable[..., Any],
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> None:
    """Add a wrapper under a key."""
    _add(
        "wrappers",
        wrapper_type,
        key,
        wrapper,
        transformer_options,
        is_model_options=is_model_options,
    )


def get_wrappers_with_key(
    wrapper_type: str,
    key: Any,
    transformer_options: dict[str, Any],
    is_model_options: bool = False,
) -> list[Any]:
    """The wrappers of a kind under a key."""
    found = _find("wrappers", transformer_options, wrapper_type, is_model_options=is_model_options)
    return list(found.get(key, []))


def get_all_wrappers(
    wrapper_type: str, transformer_options: dict[str, Any], is_model_options: bool = False
) -> list[Any]:
    """The wrappers of a kind, in the order of their keys."""
    found = _find("wrappers", transformer_options, wrapper_type, is_model_options=is_model_options)
    return [each for many in found.values() for each in many]


NEWER = frozenset({"latent_shapes"})
"""Arguments that the host passes since a later version; older wrappers do not take them."""


def _takes(function: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


class WrapperExecutor:
    """Calls a function through wrappers, the first added outermost.

    Attributes:
        original: the function.
        class_obj: the object it is a method of, if any.
        wrappers: each is called as `wrapper(executor, *args, **kwargs)`.
        idx: which wrapper is next.
    """

    def __init__(
        self, original: Callable[..., Any], class_obj: Any, wrappers: list[Any], idx: int
    ) -> None:
        self.original = original
        self.class_obj = class_obj
        self.wrappers = list(wrappers)
        self.idx = idx
        self.is_last = idx == len(self.wrappers)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Go on to the next wrapper, or to the function after the last one."""
        return self._next().execute(*args, **kwargs)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Call the wrapper at `idx`, or the function after the last one."""
        called = self.original if self.is_last else self.wrappers[self.idx]
        for name in NEWER & kwargs.keys():
            if not _takes(called, name):
                del kwargs[name]
        return called(*args, **kwargs) if self.is_last else called(self, *args, **kwargs)

    def _next(self) -> WrapperExecutor:
        return WrapperExecutor(self.original, self.class_obj, self.wrappers, self.idx + 1)

    @classmethod
    def new_executor(
        cls, original: Callable[..., Any], wrappers: list[Any], idx: int = 0
    ) -> WrapperExecutor:
        """An executor of a function."""
        return cls(original, None, wrappers, idx)

    @classmethod
    def new_class_executor(
        cls, original: Callable[..., Any], class_obj: Any, wrappers: list[Any], idx: int = 0
    ) -> WrapperExecutor:
        """An executor of a method of an object."""
        return cls(original, class_obj, wrappers, idx)


class PatcherInjection:
    """Two functions of a patcher: one changes the network for a run, the other undoes it."""

    def __init__(self, inject: Callable[[Any], None], eject: Callable[[Any], None]) -> None:
        self.inject = inject
        self.eject = eject


def copy_nested_dicts(input_dict: dict[Any, Any]) -> dict[Any, Any]:
    """A copy of a dictionary, and of all dictionaries and lists in it."""
    return {
        key: copy_nested_dicts(value)
        if isinstance(value, dict)
        else list(value)
        if isinstance(value, list)
        else value
        for key, value in input_dict.items()
    }


def merge_nested_dicts(
    dict1: dict[Any, Any], dict2: dict[Any, Any], copy_dict1: bool = True
) -> dict[Any, Any]:
    """The first dictionary with the items of the second: lists joined, dictionaries merged."""
    merged = copy_nested_dicts(dict1) if copy_dict1 else dict1
    for key, value in dict2.items():
        old = merged.get(key)
        if isinstance(value, dict):
            merged[key] = merge_nested_dicts(old if isinstance(old, dict) else {}, value)
        elif isinstance(value, list):
            merged[key] = [*(old if isinstance(old, list) else []), *value]
        else:
            merged[key] = value
    return merged
