"""`model_options`: the nested dictionaries in which plugins keep what changes a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

Options = dict[str, Any]


def create_model_options_clone(orig_model_options: Mapping[str, Any]) -> Options:
    """A copy whose dictionaries and lists are copied too; what they hold is shared."""
    return cast("Options", _copied(orig_model_options))


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    if type(value) is list:
        return list(value)
    return value


def with_attached(patcher: Any, model_options: Mapping[str, Any]) -> Options:
    """A copy of options with the wrappers and callbacks of a patcher, each once."""
    options = create_model_options_clone(model_options)
    inner = options.setdefault("transformer_options", {})
    for name in ("wrappers", "callbacks"):
        keyed: Mapping[str, Any] = getattr(patcher, name, None) or {}
        for kind, keys in keyed.items():
            for key, many in keys.items():
                if many:
                    found = inner.setdefault(name, {}).setdefault(kind, {}).setdefault(key, [])
                    found.extend(each for each in many if all(each is not old for old in found))
    return options


def set_model_options_post_cfg_function(
    model_options: Mapping[str, Any],
    post_cfg_function: Callable[..., Any],
    disable_cfg1_optimization: bool = False,
) -> Options:
    """The options with one more function after guidance."""
    functions = [*model_options.get("sampler_post_cfg_function", []), post_cfg_function]
    changed = {**model_options, "sampler_post_cfg_function": functions}
    if disable_cfg1_optimization:
        changed["disable_cfg1_optimization"] = True
    return changed


def set_model_options_pre_cfg_function(
    model_options: Mapping[str, Any],
    pre_cfg_function: Callable[..., Any],
    disable_cfg1_optimization: bool = False,
) -> Options:
    """The options with one more function before guidance."""
    functions = [*model_options.get("sampler_pre_cfg_function", []), pre_cfg_function]
    changed = {**model_options, "sampler_pre_cfg_function": functions}
    if disable_cfg1_optimization:
        changed["disable_cfg1_optimization"] = True
    return changed


def cast_transformer_options(
    transformer_options: Options, device: Any = None, dtype: Any = None
) -> None:
    """Move patches of attention that have a method `to`, in place."""
    casts = [each for each in (device, dtype) if each is not None]
    patches = transformer_options.get("patches", {})
    replaced = transformer_options.get("patches_replace", {})
    for many in patches.values():
        for index, patch in enumerate(many):
            if hasattr(patch, "to"):
                many[index] = patch.to(*casts)
    for many in replaced.values():
        for key, patch in many.items():
            if hasattr(patch, "to"):
                many[key] = patch.to(*casts)


def cast_to_load_options(model_options: Options, device: Any = None, dtype: Any = None) -> None:
    """The same for whole options."""
    cast_transformer_options(model_options.get("transformer_options", {}), device, dtype)
