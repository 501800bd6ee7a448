"""The run that a guider is in: conditionings made ready for its x, and the network on the device.

A plugin sees conditionings as dictionaries. Each carries, under `KEY`, the `Region` it was made
from, so that the engine evaluates it exactly as its own nodes do; what a plugin changes in the
dictionary is applied to the region when it is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from engine.compat.sampling.options import with_attached
from engine.compat.sampling.values import to_value
from engine.diffusion import regions
from engine.diffusion.conditioning import Input
from engine.diffusion.guidance import Guidance, Hooks
from engine.diffusion.regions import Region
from engine.families.family import Checkpoint, Run
from engine.inference.guided import Evaluators, started_model
from engine.inference.sample import NetworkRun, network_run
from engine.inference.values import Model
from engine.residency.manager import current

KEY = "calotype_region"
"""The key of `Ready` in a processed conditioning."""
MOST_CHANGES = 16
"""Of `model_options` for which evaluators are retained; a plugin may make new ones at each step."""
SHOWN = ("area", "mask", "strength", "timestep_start", "timestep_end", "model_conds")
"""Keys of a processed conditioning that plugins change."""


@dataclass(eq=False)
class Running:
    """One run of a guider.

    Attributes:
        sigmas: [steps + 1] of the run; empty where nobody said.
        checkpoint: called at every block of the network; may raise `Stopped`.
        batch_index: of the latent.
        stack: closed at the end of the run.
        values: frozen values of plugins' objects, by `id`, so that one object has one value.
        hooks: the native guidance of models, started for this run, by the `id` of their settings.
        is_open: whether it goes on.
    """

    sigmas: Tensor = field(default_factory=lambda: torch.empty(0))
    checkpoint: Checkpoint = lambda: None
    batch_index: Sequence[int] | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    values: dict[int, tuple[Any, Any]] = field(default_factory=dict[int, tuple[Any, Any]])

    hooks: dict[int, tuple[Any, Hooks]] = field(default_factory=dict[int, Any])
    is_open: bool = True

    def hooks_of(self, guidance: Guidance) -> Hooks:
        """The hooks of native guidance, started once in a run."""
        if id(guidance) not in self.hooks:
            self.hooks[id(guidance)] = (guidance, guidance.started())
        return self.hooks[id(guidance)][1]

    def value_of(self, thing: Any) -> Any:
        """The frozen value of a plugin's object; the same for the same object."""
        if isinstance(thing, Tensor | str | int | float | bool | type(None)):
            return thing
        if id(thing) not in self.values:
            self.values[id(thing)] = (thing, to_value(thing))
        return self.values[id(thing)][1]


_RUN: ContextVar[Running | None] = ContextVar("calotype_run", default=None)


def running() -> Running | None:
    """The run that this code is part of."""
    return _RUN.get()


@contextmanager
def run_of(
    sigmas: Tensor | None = None,
    *,
    checkpoint: Checkpoint | None = None,
    batch_index: Sequence[int] | None = None,
) -> Iterator[Running]:
    """A run inside the `with`; one inside another inherits what it is not given."""
    outer = _RUN.get() or Running()
    run = Running(
        checkpoint=checkpoint or outer.checkpoint,
        batch_index=batch_index if batch_index is not None else outer.batch_index,
    )
    if sigmas is not None:
        run.sigmas = sigmas.detach().float().cpu()
    token = _RUN.set(run)
    try:
        with run.stack:
            yield run
    finally:
        run.is_open = False
        _RUN.reset(token)


@dataclass(eq=False)
class Group:
    """Conditionings that were made ready together, and the network for them.

    Attributes:
        patcher: the plugin-side model.
        value: the frozen model as its patches changed it for the run.
        start: the run's latent, mask and seed.
        network: ready while the run goes on.
        run: that it belongs to.
    """

    patcher: Any
    value: Model
    start: Run
    network: NetworkRun
    run: Running
    changed: dict[Any, tuple[Any, Evaluators]] = field(default_factory=dict[Any, Any])

    def evaluators(self, model_options: Mapping[str, Any] | None) -> Evaluators:
        """Evaluate with these options; those of the model itself need nothing new."""
        key = fingerprint(model_options)
        own = with_attached(self.patcher, self.patcher.model_options)
        if model_options is None or key == fingerprint(own):
            return self.network.evaluators
        if key not in self.changed:
            other = self.patcher.clone()
            other.model_options = model_options
            value = other.to_value()
            value = started_model(value, self.start, self.run.sigmas, self.run.batch_index)
            if len(self.changed) >= MOST_CHANGES:
                del self.changed[next(iter(self.changed))]
            # With the options, so that the ids in the fingerprint stay theirs.
            self.changed[key] = (model_options, self.network.evaluators_of(value))
        return self.changed[key][1]


OF_THE_RUN = frozenset({"sample_sigmas", "sigmas", "cond_or_uncond", "uuids", "cond_lists"})
OF_THE_NETWORK = frozenset(
    {"patches", "patches_replace", "wrappers", "optimized_attention_override"}
)
OUTSIDE = frozenset(
    {
        "OUTER_SAMPLE",
        "outer_sample",
        "sampler_sample",
        "predict_noise",
        "calc_cond_batch",
        "prepare_sampling",
    }
)
"""Wrappers that are called outside of the network."""


def fingerprint(model_options: Mapping[str, Any] | None) -> Any:
    """What of the options changes calls of the network, as something that can be compared."""
    if not model_options:
        return (None, ())
    given = model_options.get("transformer_options", {})
    inner = {key: value for key, value in given.items() if key in OF_THE_NETWORK}
    wrappers = inner.get("wrappers")
    if isinstance(wrappers, Mapping):
        inner["wrappers"] = {
            kind: each for kind, each in wrappers.items() if kind not in OUTSIDE and each
        }
    around = model_options.get("model_function_wrapper")
    key = (id(around) if around is not None else None, _structure(inner))
    if not any(key):
        return key
    # Only functions inside the network read the rest; tensors there are new at every call.
    plain = {
        name: value
        for name, value in given.items()
        if name not in OF_THE_NETWORK | OF_THE_RUN and isinstance(value, str | int | float)
    }
    return (*key, _structure(plain))


def _structure(value: Any) -> Any:
    if isinstance(value, Mapping):
        pairs = ((str(key), _structure(each)) for key, each in value.items())
        return tuple(sorted((pair for pair in pairs if pair[1] != ()), key=lambda pair: pair[0]))
    if isinstance(value, list | tuple):
        return tuple(_structure(each) for each in value)
    if isinstance(value, str | int | float | bool | type(None)):
        return value
    # A bound method is a new object each time it is read.
    return (id(getattr(value, "__self__", None)), id(getattr(value, "__func__", value)))


@dataclass(frozen=True, eq=False)
class Ready:
    """What a processed conditioning was made from.

    Attributes:
        group: that it belongs to.
        region: on the device.
        shown: what its dictionary held under the keys of `SHOWN`.
    """

    group: Group
    region: Region
    shown: Mapping[str, Any]

    def region_for(self, cond: Mapping[str, Any]) -> Region:
        """The region with what a plugin changed in the dictionary."""
        changed = [key for key in SHOWN if cond.get(key) is not self.shown.get(key)]
        if not changed and not self._changed_inputs(cond):
            return self.region
        region = replace(self.region, inputs=self._inputs(cond))
        size = self.group.start.shape[2:]
        if "timestep_start" in changed or "timestep_end" in changed:
            start, end = cond.get("timestep_start"), cond.get("timestep_end")
            region = replace(
                region,
                start=float("inf") if start is None else float(start),
                end=0.0 if end is None else float(end),
            )
        if {"area", "mask", "strength"} & set(changed):
            mask, area = cond.get("mask"), cond.get("area")
            if mask is not None:
                mask = regions.fitted_mask(mask.cpu(), size, self.group.start.shape[0])
                mask = mask * cond.get("mask_strength", 1.0)
            region = replace(
                region,
                area=regions.in_cells(area, size),
                mask=mask,
                strength=float(cond.get("strength", 1.0)),
            )
            device = current().device
            weighted = regions.weighted(region, size)
            weight = None if weighted.weight is None else weighted.weight.to(device)
            region = replace(weighted, weight=weight)
        return region

    def _changed_inputs(self, cond: Mapping[str, Any]) -> bool:
        shown, now = self.shown.get("model_conds") or {}, cond.get("model_conds") or {}
        kept = self.shown.get("inputs") or {}
        return any(now.get(key) is not kept.get(key) for key in kept) or bool(set(now) - set(shown))

    def _inputs(self, cond: Mapping[str, Any]) -> Mapping[str, Input]:
        """The network's inputs with the tensors that a plugin put into `model_conds`."""
        inputs = dict(self.region.inputs)
        kept: Mapping[str, Any] = self.shown.get("inputs") or {}
        now: Mapping[str, Any] = cond.get("model_conds") or {}
        for key, made in now.items():
            name = TO_INPUT.get(key, key)
            value = getattr(made, "cond", None)
            if name not in inputs or made is kept.get(key) or not isinstance(value, Tensor):
                continue
            old = inputs[name]
            inputs[name] = Input(value.to(old.value), old.join)
        return inputs


TO_INPUT: Mapping[str, str] = {"c_crossattn": "context", "c_concat": "concat", "y": "vector"}
"""Names of `model_conds` to those of our networks' inputs."""
FROM_INPUT: Mapping[str, str] = {ours: theirs for theirs, ours in TO_INPUT.items()}


def open_group(
    patcher: Any,
    conditionings: Mapping[str, Sequence[Sequence[Any]]],
    start: Run,
) -> Group:
    """Make conditionings ready for x of a run, and the network for them until its end.

    Raises:
        RuntimeError: there is no run.
    """
    run = running()
    if run is None:
        raise RuntimeError("conditionings are made ready only inside a run; use a guider's sample")
    value = started_model(patcher.to_value(), start, run.sigmas, run.batch_index)
    network = run.stack.enter_context(
        network_run(conditionings, value, start, run.sigmas, run.checkpoint)
    )
    return Group(patcher, value, start, network, run)
