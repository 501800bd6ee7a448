"""What `comfy.sampler_helpers` offers: loading for a run, and conditionings' models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.compat.install import host_module
from engine.compat.models.conversion import with_wrappers
from engine.compat.sampling import run_hooks
from engine.compat.sampling.conds import Cond
from engine.compat.sampling.values import patcher_of


def get_models_from_cond(cond: Sequence[Cond], model_type: str) -> list[Any]:
    """What the conditionings hold under a key, each once; hooks are looked into."""
    found: dict[int, Any] = {}
    for each in cond:
        if each.get(model_type) is not None:
            found[id(each[model_type])] = each[model_type]
    return list(found.values())


def get_additional_models(conds: Mapping[str, Sequence[Cond]], dtype: Any) -> tuple[list[Any], int]:
    """(models, bytes) to load beside the denoiser: none.

    A run loads the control networks of its conditionings itself, within the memory budget.
    """
    del conds, dtype
    return [], 0


def get_additional_models_from_model_options(
    model_options: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Models that options bring: none, see `get_additional_models`."""
    del model_options
    return []


def cleanup_additional_models(models: Sequence[Any]) -> None:
    """Call `cleanup` of each that has it."""
    for model in models:
        if hasattr(model, "cleanup"):
            model.cleanup()


def estimate_memory(
    model: Any, noise_shape: Sequence[int], conds: Mapping[str, Sequence[Cond]]
) -> tuple[int, int]:
    """(bytes, least bytes) that a run on x of that shape needs beside weights."""
    rows = max(sum(len(many) for many in conds.values()), 1)
    least = int(model.memory_required([noise_shape[0], *noise_shape[1:]]))
    whole = int(model.memory_required([noise_shape[0] * rows, *noise_shape[1:]]))
    return whole, least


def prepare_sampling(
    model: Any,
    noise_shape: Sequence[int],
    conds: Mapping[str, Sequence[Cond]],
    model_options: Mapping[str, Any] | None = None,
    force_full_load: bool = False,
    force_offload: bool = False,
) -> tuple[Any, Any, list[Any]]:
    """(BaseModel, conds, loaded models) for a run, within its wrappers."""
    extension = host_module("comfy.patcher_extension")
    wrappers = extension.get_all_wrappers(
        extension.WrappersMP.PREPARE_SAMPLING, model_options or {}, is_model_options=True
    )
    executor = extension.WrapperExecutor.new_executor(_prepare_sampling, wrappers)
    return executor.execute(
        model,
        noise_shape,
        conds,
        model_options=model_options,
        force_full_load=force_full_load,
        force_offload=force_offload,
    )


def _prepare_sampling(
    model: Any,
    noise_shape: Sequence[int],
    conds: Mapping[str, Sequence[Cond]],
    model_options: Mapping[str, Any] | None = None,
    force_full_load: bool = False,
    force_offload: bool = False,
) -> tuple[Any, Any, list[Any]]:
    del noise_shape, model_options, force_full_load, force_offload
    return patcher_of(model).model, conds, []


def cleanup_models(conds: Mapping[str, Sequence[Cond]], models: Sequence[Any]) -> None:
    """Clean up after a run: the models, and the control objects of its conditionings."""
    cleanup_additional_models(models)
    controls: dict[int, Any] = {}
    for many in conds.values():
        for each in get_models_from_cond(many, "control"):
            controls[id(each)] = each
    cleanup_additional_models(list(controls.values()))


def prepare_model_patcher(
    model: Any, conds: Mapping[str, Sequence[Cond]], model_options: dict[str, Any]
) -> None:
    """Add the wrappers and callbacks of a patcher to the options of a run, each once.

    Then those of hooks, of conditionings and of their control objects. Other changes of hooks are
    made while the run goes on.
    """
    inner = model_options.setdefault("transformer_options", {})
    with_wrappers(inner, "wrappers", getattr(model, "wrappers", {}))
    with_wrappers(inner, "callbacks", getattr(model, "callbacks", {}))
    registered: list[Any] = []
    for hook in run_hooks.hooks_of(conds):
        if hook.add_hook_patches(model, model_options, {}, registered):
            registered.append(hook)


def preprocess_conds_hooks(conds: Mapping[str, Sequence[Cond]]) -> None:
    """Nothing: hooks of conditionings switch weights while the run goes on."""
    del conds


def filter_registered_hooks_on_conds(
    conds: Mapping[str, Sequence[Cond]], model_options: Mapping[str, Any]
) -> None:
    """Nothing, as `preprocess_conds_hooks`."""
    del conds, model_options
