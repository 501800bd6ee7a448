"""The evaluation of conditionings, and guidance, as functions that plugins call and replace."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from engine.compat.install import host_module
from engine.compat.sampling.conds import Cond
from engine.compat.sampling.ready import KEY, Group, Ready, run_of, running
from engine.compat.sampling.values import patcher_of
from engine.diffusion.guidance import ChangeOfHooks, Evaluate, Hooks, Predictions
from engine.inference.values import Model

CondList = Sequence[Cond] | None


def calc_cond_batch(
    model: Any,
    conds: Sequence[CondList],
    x_in: Tensor,
    timestep: Tensor,
    model_options: Mapping[str, Any],
) -> list[Tensor]:
    """The clean image predicted for each list of processed conditionings; zeros for None.

    Args:
        model: the BaseModel.
        conds: lists as `process_conds` makes them; converted ones are processed first.
        x_in: [B, C, ...], noisy.
        timestep: sigma [B].
        model_options: of this call.
    """
    extension = host_module("comfy.patcher_extension")
    wrappers = extension.get_all_wrappers(
        extension.WrappersMP.CALC_COND_BATCH, model_options, is_model_options=True
    )
    executor = extension.WrapperExecutor.new_executor(_calc_cond_batch, wrappers)
    return executor.execute(model, conds, x_in, timestep, model_options)


def _calc_cond_batch(
    model: Any,
    conds: Sequence[CondList],
    x_in: Tensor,
    timestep: Tensor,
    model_options: Mapping[str, Any],
) -> list[Tensor]:
    if running() is None:
        # Called outside of any run: a run of one call.
        with torch.no_grad(), run_of():
            return evaluated(model, conds, x_in, timestep, model_options)
    return evaluated(model, conds, x_in, timestep, model_options)


def evaluated(
    model: Any,
    conds: Sequence[CondList],
    x: Tensor,
    sigma: Tensor,
    model_options: Mapping[str, Any],
    change: ChangeOfHooks | None = None,
) -> list[Tensor]:
    """See `calc_cond_batch`; `change` is of the network's hooks."""
    lists = [None if many is None else _processed(model, many, x) for many in conds]
    groups: dict[int, Group] = {}
    for many in lists:
        for cond in many or ():
            ready: Ready = cond[KEY]
            groups[id(ready.group)] = ready.group
    sigma = sigma.float().to(x.device)
    found: list[Tensor | None] = [None for _ in lists]
    for group in groups.values():
        chosen = [
            index
            for index, many in enumerate(lists)
            if many and all(cond[KEY].group is group for cond in many)
        ]
        of_group = [[cond[KEY].region_for(cond) for cond in lists[index] or ()] for index in chosen]
        evaluator = group.evaluators(model_options).of(change)
        for index, made in zip(chosen, evaluator(x, sigma, *of_group), strict=True):
            found[index] = made
    return [torch.zeros_like(x) if each is None else each for each in found]


def _processed(model: Any, many: Sequence[Cond], x: Tensor) -> Sequence[Cond]:
    """The conditionings, processed in this run if they were not, all of one group."""
    known = [cond.get(KEY) for cond in many]
    if all(each is not None and each.group.run.is_open for each in known):
        groups = {id(each.group) for each in known if each is not None}
        if len(groups) <= 1:
            return many
    made = host_module("comfy.samplers").process_conds(model, x, {"positive": many}, x.device)
    return made["positive"][: len(many)]


def calc_cond_uncond_batch(
    model: Any,
    cond: CondList,
    uncond: CondList,
    x_in: Tensor,
    timestep: Tensor,
    model_options: Mapping[str, Any],
) -> tuple[Tensor, Tensor]:
    """The older form of `calc_cond_batch`: two lists."""
    found = host_module("comfy.samplers").calc_cond_batch(
        model, [cond, uncond], x_in, timestep, model_options
    )
    return found[0], found[1]


def native_hooks(model: Any) -> Hooks:
    """The guidance that the engine's own nodes put on the model, started for this run."""
    run = running()
    value = native_value(model)
    if value is None:
        return Hooks()
    return value.guidance.started() if run is None else run.hooks_of(value.guidance)


def native_value(model: Any) -> Model | None:
    """The frozen model behind a plugin-side one, with what the engine's own nodes put on it."""
    try:
        patcher = patcher_of(model)
    except TypeError:
        return None
    value = getattr(patcher, "value", None)
    return value if isinstance(value, Model) else None


def evaluate_of(
    model: Any,
    named: Mapping[str, CondList],
    x: Tensor,
    sigma: Tensor,
    model_options: Mapping[str, Any],
) -> Evaluate:
    """Evaluates conditionings by name, through the function that plugins may have replaced."""

    def evaluate(
        *names: str, x: Tensor | None = None, hooks: ChangeOfHooks | None = None
    ) -> tuple[Tensor, ...]:
        at = given if x is None else x
        lists = [named[name] if name in named else _of_hooks(named, name) for name in names]
        if hooks is not None:
            return tuple(evaluated(model, lists, at, sigma, model_options, hooks))
        calc = host_module("comfy.samplers").calc_cond_batch
        return tuple(calc(model, lists, at, sigma, model_options))

    given = x
    return evaluate


def _of_hooks(named: Mapping[str, CondList], name: str) -> list[Cond]:
    """The conditionings that native hooks evaluate beside the guider's."""
    for many in named.values():
        for cond in many or ():
            ready: Ready | None = cond.get(KEY)
            if ready is not None and name in ready.group.network.named:
                regions = ready.group.network.named[name]
                return [{KEY: Ready(ready.group, region, {})} for region in regions]
    raise LookupError(f"there is no conditioning {name!r} in this run")


def sampling_function(
    model: Any,
    x: Tensor,
    timestep: Tensor,
    uncond: CondList,
    cond: CondList,
    cond_scale: float,
    model_options: Mapping[str, Any] = {},
    seed: int | None = None,
) -> Tensor:
    """The guided clean image of x at sigma; all functions of `model_options` around it called."""
    del seed
    hooks = native_hooks(model)
    guide: Callable[[], tuple[Tensor, Tensor]] = partial(
        _guided, model, x, timestep, uncond, cond, cond_scale, model_options, hooks
    )
    for around in hooks.around:
        guide = partial(around, x, timestep, guide)
    return guide()[0]


def _guided(
    model: Any,
    x: Tensor,
    sigma: Tensor,
    uncond: CondList,
    cond: CondList,
    scale: float,
    model_options: Mapping[str, Any],
    hooks: Hooks,
) -> tuple[Tensor, Tensor]:
    optimised = not model_options.get("disable_cfg1_optimization", False)
    skips = optimised and math.isclose(scale, 1.0) and not hooks.always_negative
    uncond = None if skips else uncond
    lists = [cond, uncond]
    samplers = host_module("comfy.samplers")
    replaced = model_options.get("sampler_calc_cond_batch_function")
    if replaced is not None:
        out = replaced(
            {
                "conds": lists,
                "input": x,
                "sigma": sigma,
                "model": model,
                "model_options": model_options,
            }
        )
    else:
        out = samplers.calc_cond_batch(model, lists, x, sigma, model_options)
    for change in model_options.get("sampler_pre_cfg_function", []):
        out = change(
            {
                "conds": lists,
                "conds_out": out,
                "cond_scale": scale,
                "timestep": sigma,
                "input": x,
                "sigma": sigma,
                "model": model,
                "model_options": model_options,
            }
        )
    result = samplers.cfg_function(
        model,
        out[0],
        out[1],
        scale,
        x,
        sigma,
        model_options=model_options,
        cond=cond,
        uncond=uncond,
    )
    return result, out[0] if uncond is None else out[1]


def cfg_function(
    model: Any,
    cond_pred: Tensor,
    uncond_pred: Tensor,
    cond_scale: float,
    x: Tensor,
    timestep: Tensor,
    model_options: Mapping[str, Any] = {},
    cond: CondList = None,
    uncond: CondList = None,
) -> Tensor:
    """Combine two predictions; the functions that replace and follow guidance are called."""
    hooks = native_hooks(model)
    evaluate = evaluate_of(
        model, {"positive": cond, "negative": uncond}, x, timestep, model_options
    )
    predictions = Predictions(x, timestep, cond_pred, uncond_pred, cond_scale, evaluate)
    if uncond is None:
        predictions = replace(predictions, negative=cond_pred, names=("positive", "positive"))
    else:
        for before in hooks.before:
            predictions = before(predictions)
    result = _combined(model, predictions, model_options, cond, uncond, hooks, uncond_pred)
    result = hooks.finish(predictions, result)
    for after in model_options.get("sampler_post_cfg_function", []):
        result = after(
            {
                "denoised": result,
                "cond": cond,
                "uncond": uncond,
                "cond_scale": cond_scale,
                "model": model,
                "uncond_denoised": uncond_pred,
                "cond_denoised": cond_pred,
                "sigma": timestep,
                "model_options": model_options,
                "input": x,
            }
        )
    return result


def _combined(
    model: Any,
    predictions: Predictions,
    model_options: Mapping[str, Any],
    cond: CondList,
    uncond: CondList,
    hooks: Hooks,
    uncond_pred: Tensor,
) -> Tensor:
    replaced = model_options.get("sampler_cfg_function")
    if replaced is None:
        if uncond is None:
            return predictions.positive
        return Hooks(combine=hooks.combine).guide(predictions)
    x, sigma = predictions.x, predictions.sigma
    positive = predictions.positive
    negative = uncond_pred if uncond is None else predictions.negative
    return x - replaced(
        {
            "cond": x - positive,
            "uncond": x - negative,
            "cond_scale": predictions.scale,
            "timestep": sigma,
            "input": x,
            "sigma": sigma,
            "cond_denoised": positive,
            "uncond_denoised": negative,
            "model": model,
            "model_options": model_options,
            "input_cond": cond,
            "input_uncond": uncond,
        }
    )


def wrapped_hooks(
    model: Any, model_options: Mapping[str, Any], named: Mapping[str, CondList]
) -> Hooks:
    """Native guidance and the functions of `model_options` as the hooks of a native guider."""
    hooks = native_hooks(model)

    def combine(predictions: Predictions) -> Tensor:
        cond, uncond = (named.get(name) for name in predictions.names)
        plain = Hooks(combine=hooks.combine)
        return _combined(
            model, predictions, model_options, cond, uncond or (), plain, predictions.negative
        )

    def after(
        function: Callable[..., Tensor], predictions: Predictions, denoised: Tensor
    ) -> Tensor:
        cond, uncond = (named.get(name) for name in predictions.names)
        return function(
            {
                "denoised": denoised,
                "cond": cond,
                "uncond": uncond,
                "cond_scale": predictions.scale,
                "model": model,
                "uncond_denoised": predictions.negative,
                "cond_denoised": predictions.positive,
                "sigma": predictions.sigma,
                "model_options": model_options,
                "input": predictions.x,
            }
        )

    functions = model_options.get("sampler_post_cfg_function", [])
    afters = tuple(partial(after, function) for function in functions)
    always = hooks.always_negative or bool(model_options.get("disable_cfg1_optimization"))
    return Hooks(hooks.before, combine, (*hooks.after, *afters), always, hooks.around)
