"""GUIDER, SAMPLER and NOISE between the engine and plugins, see `engine.compat.boundary`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from engine.compat.sampling.guider import CFGGuider
from engine.compat.sampling.guiders import Guider_Basic, Guider_DualCFG, Guider_PerpNeg
from engine.compat.sampling.k_samplers import FUNCTIONS, run_spec
from engine.compat.sampling.ksampler import KSAMPLER, ksampler
from engine.compat.sampling.noise_objects import Noise_EmptyNoise, Noise_RandomNoise
from engine.compat.sampling.plugin_values import (
    PLUGIN_SPEC,
    PluginGuider,
    PluginNoise,
    PluginSampler,
    plugin_guider,
)
from engine.compat.sampling.values import to_object
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.inference.dual_model import DualModelGuider
from engine.inference.values import (
    BasicGuider,
    CfgGuider,
    Conditioning,
    DisableNoise,
    DualCfgGuider,
    PerpNegGuider,
    RandomNoise,
    Sampler,
)


def _guider_object(value: PluginGuider) -> Any:
    thing = copy.copy(value.thing)
    conds = getattr(thing, "original_conds", None)
    if isinstance(conds, dict):
        named = cast("dict[str, list[dict[str, Any]]]", conds)
        thing.original_conds = {name: [dict(cond) for cond in many] for name, many in named.items()}
    return thing


def sampler_object_of(value: Sampler) -> Any:
    """A KSAMPLER of one of the engine's samplers."""
    for name, spec in SAMPLERS.items():
        if spec is value.spec:
            if name in ("ddim", "uni_pc", "uni_pc_bh2"):
                return KSAMPLER(FUNCTIONS[f"sample_{name}"], value.knobs)
            return ksampler(name, value.knobs)
    spec = value.spec

    def sample(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: Mapping[str, Any] | None = None,
        callback: Callable[..., Any] | None = None,
        disable: Any = None,
        **options: Any,
    ) -> Tensor:
        del disable
        return run_spec(spec, model, x, sigmas, extra_args, callback, options)

    return KSAMPLER(sample, value.knobs)


def _basic(value: BasicGuider) -> Any:
    made = Guider_Basic(to_object(value.model))
    made.set_conds(to_object(_list(value.positive)))
    return made


def _cfg(value: CfgGuider) -> Any:
    made = CFGGuider(to_object(value.model))
    made.set_conds(*_objects(value.positive, value.negative))
    made.set_cfg(value.scale)
    return made


def _dual(value: DualCfgGuider) -> Any:
    made = Guider_DualCFG(to_object(value.model))
    made.set_conds(*_objects(value.positive, value.middle, value.negative))
    made.set_cfg(value.scale, value.middle_scale, nested=value.nested)
    return made


def _perp(value: PerpNegGuider) -> Any:
    made = Guider_PerpNeg(to_object(value.model))
    made.set_conds(*_objects(value.positive, value.negative, value.empty))
    made.set_cfg(value.scale, value.negative_scale)
    return made


def _dual_model(value: DualModelGuider) -> Any:
    del value
    raise NodeError(
        "DualModelGuider runs two networks, which what a plugin changed about sampling cannot do; "
        "take the plugin's nodes before the sampler out, or use CFGGuider"
    )


def _list(conditioning: Conditioning) -> list[Any]:
    return list(conditioning)


def _objects(*conditionings: Conditioning) -> list[list[Any]]:
    """Conditionings as plugins expect them; one value of several entries becomes one object."""
    made: dict[int, Any] = {}

    def shown(value: Any) -> Any:
        if isinstance(value, Tensor | str | int | float | type(None)):
            return value
        if id(value) not in made:
            made[id(value)] = to_object(value)
        return made[id(value)]

    return [
        [[entry[0], {key: shown(each) for key, each in entry[1].items()}] for entry in many]
        for many in conditionings
    ]


def _seeded(value: RandomNoise) -> Any:
    return Noise_RandomNoise(value.seed)


def _unseeded(value: DisableNoise) -> Any:
    made = Noise_EmptyNoise()
    made.seed = value.seed
    return made


ADAPTERS: Mapping[type, Callable[[Any], Any]] = {
    BasicGuider: _basic,
    CfgGuider: _cfg,
    DualCfgGuider: _dual,
    DualModelGuider: _dual_model,
    PerpNegGuider: _perp,
    Sampler: sampler_object_of,
    RandomNoise: _seeded,
    DisableNoise: _unseeded,
    PluginGuider: _guider_object,
    PluginSampler: lambda value: value.object(),
    PluginNoise: lambda value: value.thing,
}


def _stranger_guider(thing: Any) -> Any:
    if hasattr(thing, "model_patcher") and callable(getattr(thing, "sample", None)):
        return plugin_guider(thing)
    return None


def _stranger_sampler(thing: Any) -> Any:
    if not callable(getattr(thing, "sample", None)) or isinstance(thing, type):
        return None
    if callable(getattr(thing, "max_denoise", None)) or hasattr(thing, "sampler_function"):
        return PluginSampler(PLUGIN_SPEC, thing=thing)
    return None


def _stranger_noise(thing: Any) -> Any:
    if callable(getattr(thing, "generate_noise", None)) and not hasattr(thing, "seed"):
        return PluginNoise(thing)
    return None


STRANGERS: Sequence[Callable[[Any], Any]] = (_stranger_guider, _stranger_sampler, _stranger_noise)
