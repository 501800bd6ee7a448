"""Our samplers as `comfy.k_diffusion.sampling.sample_NAME(model, x, sigmas, extra_args, ...)`.

Each takes a model `model(x, sigma, **extra_args) -> denoised` and a callback that gets a dictionary
`{"x", "i", "sigma", "sigma_hat", "denoised"}`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.compat.install import host_module
from engine.compat.sampling.levels import levels_of, levels_of_model
from engine.compat.sampling.noise_objects import default_noise_sampler
from engine.compat.sampling.options import set_model_options_post_cfg_function
from engine.diffusion.denoiser import OnStep
from engine.diffusion.samplers.table import SAMPLERS, SamplerSpec

Callback = Callable[[dict[str, Any]], Any]
CHURNED = ("euler", "heun", "dpm_2", "ddim")
"""Samplers that take the four options of Karras et al. 2022, algorithm 2."""
CHURN: Mapping[str, float] = {"s_churn": 0.0, "s_tmin": 0.0, "s_tmax": math.inf, "s_noise": 1.0}
RENAMED: Mapping[str, str] = {"ge_gamma": "gamma"}
"""Options of the ecosystem's to ours."""
UNUSED = frozenset({"return_info", "deis_mode", "cfg_pp", "disable_pbar"})


class ModelDenoiser:
    """A plugin's model as the denoiser that our samplers call."""

    def __init__(self, model: Any, extra_args: Mapping[str, Any] | None) -> None:
        self._model = model
        self._extra = dict(extra_args or {})
        self.parameterization = levels_of_model(model)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean image."""
        return self._model(x, sigma, **self._extra)

    def with_unguided(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The guided clean image and the negative's, by a hook after guidance."""
        seen: list[Tensor] = []

        def watch(args: dict[str, Any]) -> Tensor:
            seen.append(args["uncond_denoised"])
            return args["denoised"]

        options = dict(self._extra.get("model_options", {}))
        options = set_model_options_post_cfg_function(
            options, watch, disable_cfg1_optimization=True
        )
        denoised = self._model(x, sigma, **{**self._extra, "model_options": options})
        return denoised, seen[-1] if seen else denoised


def reporting(callback: Callback | None, first: int = 0) -> OnStep:
    """Reports steps to a callback, counted from `first`."""

    def report(step: int, steps: int, x: Tensor, denoised: Tensor, sigma: Tensor) -> None:
        del steps
        if callback is not None:
            callback(
                {
                    "x": x,
                    "i": first + step,
                    "sigma": sigma,
                    "sigma_hat": sigma,
                    "denoised": denoised,
                }
            )

    return report


def run_spec(
    spec: SamplerSpec,
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: Mapping[str, Any] | None,
    callback: Callback | None,
    options: Mapping[str, Any],
) -> Tensor:
    """Run one of our samplers with a plugin's model.

    `options["noise_sampler"]` `(sigma, sigma_next) -> noise` draws the noise instead of ours.
    """
    options = {**spec.knobs, **options}
    draw = options.pop("noise_sampler", None)
    knobs = {
        RENAMED.get(name, name): value for name, value in options.items() if name not in UNUSED
    }
    seed = (extra_args or {}).get("seed")
    if draw is None and spec.noise == "ancestral":
        make = host_module("comfy.k_diffusion.sampling").default_noise_sampler
        if seed is None or make is not default_noise_sampler:
            draw = make(x, seed=seed)
    denoise, on_step = ModelDenoiser(model, extra_args), reporting(callback)
    if draw is not None and spec.noise != "none" and len(sigmas) > 1:
        knobs["noise"] = lambda _, sigma, sigma_next: draw(sigma, sigma_next)
        return spec.function(denoise, x, sigmas.cpu(), on_step=on_step, **knobs)
    seed = int(torch.randint(0, 2**31, ()).item()) if seed is None else int(seed)
    return spec.run(denoise, x, sigmas, seed=seed, on_step=on_step, **knobs)


def _churned(
    spec: SamplerSpec,
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: Mapping[str, Any] | None,
    callback: Callback | None,
    churn: Mapping[str, float],
) -> Tensor:
    """Karras et al. 2022, algorithm 2 with churn: each step starts from a noisier x."""
    denoise = ModelDenoiser(model, extra_args)
    sigmas = sigmas.cpu()
    steps = len(sigmas) - 1
    for step in range(steps):
        pair = sigmas[step : step + 2].clone()
        is_within = churn["s_tmin"] <= float(pair[0]) <= churn["s_tmax"]
        gamma = min(churn["s_churn"] / steps, math.sqrt(2) - 1) if is_within else 0.0
        if gamma > 0:
            raised = pair[0] * (gamma + 1)
            fresh = torch.randn_like(x) * churn["s_noise"]
            x = x + fresh * (raised**2 - pair[0] ** 2).sqrt()
            pair[0] = raised
        x = spec.function(denoise, x, pair, on_step=reporting(callback, step))
    return x


def _sampler(name: str, spec: SamplerSpec) -> Callable[..., Tensor]:
    takes_churn = name in CHURNED

    def sample(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        disable: Any = None,
        **options: Any,
    ) -> Tensor:
        del disable
        if takes_churn:
            churn = {key: options.pop(key, default) for key, default in CHURN.items()}
            if churn["s_churn"] > 0:
                return _churned(spec, model, x, sigmas, extra_args, callback, churn)
        return run_spec(spec, model, x, sigmas, extra_args, callback, options)

    sample.__name__ = sample.__qualname__ = f"sample_{name}"
    sample.__doc__ = f"The sampler {name}; see engine/diffusion/samplers."
    sample.__signature__ = _signature(sample, spec, takes_churn=takes_churn)  # type: ignore[attr-defined]
    return sample


def _signature(
    sample: Callable[..., Tensor], spec: SamplerSpec, *, takes_churn: bool
) -> inspect.Signature:
    """The signature with a sampler's own options, which plugins look for by name."""
    form = inspect.signature(sample)
    parameters = list(form.parameters.values())[:-1]
    names: dict[str, Any] = {
        each.name: spec.knobs.get(each.name, each.default)
        for each in inspect.signature(spec.function).parameters.values()
        if each.kind is each.KEYWORD_ONLY and each.name not in ("noise", "on_step")
    }
    if takes_churn:
        names |= CHURN
    if spec.noise != "none":
        names["noise_sampler"] = None
    own = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for name, default in names.items()
    ]
    return form.replace(parameters=[*parameters, *own])


def _whole_range(sigma_min: float, sigma_max: float, steps: int) -> Tensor:
    ends = torch.tensor([float(sigma_max), float(sigma_min)])
    return torch.cat([ends[:1].expand(max(steps - 1, 1)), ends[1:], torch.zeros(1)])


def sample_dpm_fast(
    model: Any,
    x: Tensor,
    sigma_min: float,
    sigma_max: float,
    n: int,
    extra_args: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    disable: Any = None,
    eta: float = 0.0,
    s_noise: float = 1.0,
    noise_sampler: Any = None,
) -> Tensor:
    """DPM-Solver-fast with `n` evaluations between two levels."""
    del disable
    options: dict[str, Any] = {"eta": eta, "s_noise": s_noise}
    if noise_sampler is not None:
        options["noise_sampler"] = noise_sampler
    sigmas = _whole_range(sigma_min, sigma_max, n)
    return run_spec(SAMPLERS["dpm_fast"], model, x, sigmas, extra_args, callback, options)


def sample_dpm_adaptive(
    model: Any,
    x: Tensor,
    sigma_min: float,
    sigma_max: float,
    extra_args: Mapping[str, Any] | None = None,
    callback: Callback | None = None,
    disable: Any = None,
    **options: Any,
) -> Tensor:
    """DPM-Solver-12 and -23 between two levels, in steps of its own."""
    del disable
    sigmas = _whole_range(sigma_min, sigma_max, 2)
    return run_spec(SAMPLERS["dpm_adaptive"], model, x, sigmas, extra_args, callback, options)


WHOLE_RANGE = ("dpm_fast", "dpm_adaptive")
"""Samplers whose function takes the ends of a schedule."""
FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    f"sample_{name}": _sampler(name, spec)
    for name, spec in SAMPLERS.items()
    if name not in WHOLE_RANGE
}
"""By the names in `comfy.k_diffusion.sampling`."""


def to_d(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """dx/dsigma of the probability-flow ODE (Karras et al. 2022, eq. 3)."""
    return (x - denoised) / append_dims(sigma, x.ndim)


def append_dims(x: Tensor, target_dims: int) -> Tensor:
    """A tensor with axes of length 1 behind its own, `target_dims` in all."""
    missing = target_dims - x.ndim
    if missing < 0:
        raise ValueError(f"the tensor has {x.ndim} axes, more than the wanted {target_dims}")
    return x[(..., *(None,) * missing)]


def append_zero(x: Tensor) -> Tensor:
    """The tensor with a 0 behind it."""
    return torch.cat([x, x.new_zeros([1])])


def get_ancestral_step(sigma_from: Any, sigma_to: Any, eta: float = 1.0) -> tuple[Any, Any]:
    """(sigma_down, sigma_up) of an ancestral step, see `ancestral_step`."""
    if not eta:
        return sigma_to, 0.0
    variance = sigma_to**2 * (sigma_from**2 - sigma_to**2) / sigma_from**2
    sigma_up = min(sigma_to, eta * variance**0.5)
    return (sigma_to**2 - sigma_up**2) ** 0.5, sigma_up


def sigma_to_half_log_snr(sigma: Tensor, model_sampling: Any) -> Tensor:
    """Half the log of the signal-to-noise ratio at sigma."""
    return levels_of(model_sampling).half_log_snr(sigma)


def half_log_snr_to_sigma(half_log_snr: Tensor, model_sampling: Any) -> Tensor:
    """The inverse of `sigma_to_half_log_snr`."""
    return levels_of(model_sampling).sigma_from_half_log_snr(half_log_snr)


def offset_first_sigma_for_snr(
    sigmas: Tensor, model_sampling: Any, percent_offset: float = 1e-4
) -> Tensor:
    """The schedule, its first sigma moved a little where a flow has no signal."""
    levels = levels_of(model_sampling)
    if not levels.is_flow or len(sigmas) == 0 or sigmas[0] < 1:
        return sigmas
    moved = sigmas.clone()
    moved[0] = levels.percent_to_sigma(percent_offset)
    return moved


def sampler_named(name: str) -> Mapping[str, Any]:
    """The options of one of our samplers, with their defaults."""
    spec = SAMPLERS[name]
    return {
        each.name: spec.knobs.get(each.name, each.default)
        for each in inspect.signature(spec.function).parameters.values()
        if each.kind is each.KEYWORD_ONLY and each.name not in ("noise", "on_step")
    }
