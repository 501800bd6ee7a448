"""Samplers as plugins see them: KSAMPLER, KSampler, and the functions between them and a node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.compat.install import host_module
from engine.compat.sampling.cond_batch import native_value
from engine.compat.sampling.k_samplers import FUNCTIONS, RENAMED, sampler_named
from engine.compat.sampling.plugin_values import PLUGIN_SPEC, PluginSampler
from engine.compat.sampling.schedulers import SCHEDULER_NAMES
from engine.diffusion.samplers.table import SAMPLERS
from engine.diffusion.schedules import section
from engine.inference.values import Sampler as EngineSampler

KSAMPLER_NAMES: list[str] = [
    name for name in SAMPLERS if name not in ("ddim", "uni_pc", "uni_pc_bh2")
]
"""Samplers with a function `sample_NAME` of their own."""
SAMPLER_NAMES: list[str] = list(SAMPLERS)
"""The list that plugins add to; `KSampler.SAMPLERS` is the same list."""
DROPPING = frozenset(name for name, spec in SAMPLERS.items() if spec.drops_penultimate)


class KSamplerX0Inpaint:
    """The model that a sampler function calls: a guider, with a noise mask.

    Attributes:
        inner_model: the guider.
        sigmas: of the run.
        noise, latent_image: what is outside of the mask.
    """

    def __init__(self, model: Any, sigmas: Tensor) -> None:
        self.inner_model = model
        self.sigmas = sigmas
        self.noise: Tensor
        self.latent_image: Tensor

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor,
        denoise_mask: Tensor | None = None,
        model_options: Mapping[str, Any] = {},
        seed: int | None = None,
    ) -> Tensor:
        """The clean image of x at sigma [B]."""
        if denoise_mask is None:
            return self.inner_model(x, sigma, model_options=model_options, seed=seed)
        mask = self._mask(denoise_mask, sigma, model_options)
        base = self.inner_model.inner_model
        scale = getattr(base, "scale_latent_inpaint", None)
        if scale is None:
            levels = base.model_sampling
            outside = levels.noise_scaling(sigma, self.noise, self.latent_image)
        else:
            outside = scale(x=x, sigma=sigma, noise=self.noise, latent_image=self.latent_image)
        x = x * mask + outside * (1.0 - mask)
        out = self.inner_model(x, sigma, model_options=model_options, seed=seed)
        return out * mask + self.latent_image * (1.0 - mask)

    def _mask(self, mask: Tensor, sigma: Tensor, model_options: Mapping[str, Any]) -> Tensor:
        changed = model_options.get("denoise_mask_function")
        if changed is not None:
            options = {"model": self.inner_model, "sigmas": self.sigmas}
            return changed(sigma, mask, extra_options=options)
        value = native_value(self.inner_model.inner_model)
        return mask if value is None or value.mask_at is None else value.mask_at(mask, sigma)


class Sampler:
    """Runs a guider along sigmas; plugins derive from it."""

    def sample(self, *args: Any, **kwargs: Any) -> Tensor:
        """See `KSAMPLER.sample`."""
        raise NotImplementedError(f"{type(self).__name__} has no method sample")

    def max_denoise(self, model_wrap: Any, sigmas: Tensor) -> bool:
        """Whether a run starts from pure noise."""
        most = float(model_wrap.inner_model.model_sampling.sigma_max)
        first = float(sigmas[0])
        return math.isclose(most, first, rel_tol=1e-5) or first > most

    def to_value(self) -> Any:
        """The engine's value: itself, on the plugins' path."""
        return PluginSampler(PLUGIN_SPEC, thing=self)


_NAMES = {id(function): name.removeprefix("sample_") for name, function in FUNCTIONS.items()}


class KSAMPLER(Sampler):
    """A sampler function `(model, x, sigmas, extra_args, callback, disable, **options)`.

    Attributes:
        sampler_function: the function.
        extra_options: its options.
        inpaint_options: `random`: other noise outside of a mask.
    """

    def __init__(
        self,
        sampler_function: Callable[..., Tensor],
        extra_options: Mapping[str, Any] = {},
        inpaint_options: Mapping[str, Any] = {},
    ) -> None:
        self.sampler_function = sampler_function
        self.extra_options = dict(extra_options)
        self.inpaint_options = dict(inpaint_options)

    def sample(
        self,
        model_wrap: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Callable[..., Any] | None,
        noise: Tensor,
        latent_image: Tensor | None = None,
        denoise_mask: Tensor | None = None,
        disable_pbar: bool = False,
    ) -> Tensor:
        """Sample from noise; all tensors in the denoiser's space, on its device."""
        extra_args["denoise_mask"] = denoise_mask
        model = KSamplerX0Inpaint(model_wrap, sigmas)
        if latent_image is None:
            latent_image = torch.zeros_like(noise)
        model.latent_image = latent_image
        model.noise = noise
        if self.inpaint_options.get("random", False):
            generator = torch.Generator("cpu").manual_seed(extra_args.get("seed", 41) + 1)
            shape, device = noise.shape, noise.device
            model.noise = torch.randn(shape, generator=generator, dtype=noise.dtype).to(device)
        levels = model_wrap.inner_model.model_sampling
        x = levels.noise_scaling(
            sigmas[0], noise, latent_image, self.max_denoise(model_wrap, sigmas)
        )
        steps = len(sigmas) - 1

        def report(args: Mapping[str, Any]) -> None:
            if callback is not None:
                callback(args["i"], args["denoised"], args["x"], steps)

        samples = self.sampler_function(
            model,
            x,
            sigmas,
            extra_args=extra_args,
            callback=report,
            disable=disable_pbar,
            **self.extra_options,
        )
        return levels.inverse_noise_scaling(sigmas[-1], samples)

    def to_value(self) -> Any:
        """One of the engine's own samplers, if the function and all options are; else itself."""
        name = _NAMES.get(id(self.sampler_function))
        if type(self) is KSAMPLER and name is not None and not self.inpaint_options:
            knobs = {RENAMED.get(key, key): each for key, each in self.extra_options.items()}
            if knobs.keys() <= sampler_named(name).keys():
                return EngineSampler(SAMPLERS[name], knobs)
        return super().to_value()


def ksampler(
    sampler_name: str,
    extra_options: Mapping[str, Any] = {},
    inpaint_options: Mapping[str, Any] = {},
) -> KSAMPLER:
    """A sampler by the name of its function `sample_NAME` in `comfy.k_diffusion.sampling`.

    Raises:
        ValueError: there is none.
    """
    functions = host_module("comfy.k_diffusion.sampling")
    function = getattr(functions, f"sample_{sampler_name}", None)
    if function is None:
        raise ValueError(
            f"there is no sampler {sampler_name!r}: comfy.k_diffusion.sampling has no function "
            f"sample_{sampler_name}"
        )
    if sampler_name in ("dpm_fast", "dpm_adaptive"):
        function = _WholeRange(function, is_fast=sampler_name == "dpm_fast")
    return KSAMPLER(function, extra_options, inpaint_options)


class _WholeRange:
    """A sampler function that takes the ends of a schedule, as one that takes the schedule."""

    def __init__(self, function: Callable[..., Tensor], *, is_fast: bool) -> None:
        self.function = function
        self._is_fast = is_fast

    def __call__(self, model: Any, x: Tensor, sigmas: Tensor, **options: Any) -> Tensor:
        """Sample between the last positive sigma and the first."""
        if len(sigmas) <= 1:
            return x
        last = sigmas[-1] if sigmas[-1] > 0 else sigmas[-2]
        count = (len(sigmas) - 1,) if self._is_fast else ()
        return self.function(model, x, last, sigmas[0], *count, **options)


def sampler_object(name: str) -> Any:
    """A sampler by its name in the menus, with what plugins added or replaced."""
    samplers = host_module("comfy.samplers")
    if name == "ddim":
        return samplers.ksampler("euler")
    if name in ("uni_pc", "uni_pc_bh2"):
        functions = host_module("comfy.extra_samplers.uni_pc")
        own = functions.sample_unipc if name == "uni_pc" else functions.sample_unipc_bh2
        return samplers.KSAMPLER(own)
    return samplers.ksampler(name)


class KSampler:
    """Steps, a schedule and a sampler by name, with a model.

    Attributes:
        SCHEDULERS, SAMPLERS: the lists of the menus; plugins add to them.
        DISCARD_PENULTIMATE_SIGMA_SAMPLERS: samplers whose schedule leaves one level out.
        sigmas: of the run.
    """

    SCHEDULERS: list[str] = SCHEDULER_NAMES
    SAMPLERS: list[str] = SAMPLER_NAMES
    DISCARD_PENULTIMATE_SIGMA_SAMPLERS: set[str] = set(DROPPING)

    def __init__(
        self,
        model: Any,
        steps: int,
        device: Any,
        sampler: str | None = None,
        scheduler: str | None = None,
        denoise: float | None = None,
        model_options: Mapping[str, Any] = {},
    ) -> None:
        self.model = model
        self.device = device
        self.scheduler = scheduler if scheduler in self.SCHEDULERS else self.SCHEDULERS[0]
        self.sampler = sampler if sampler in self.SAMPLERS else self.SAMPLERS[0]
        self.sigmas: Tensor
        self.set_steps(steps, denoise)
        self.denoise = denoise
        self.model_options = model_options

    def calculate_sigmas(self, steps: int) -> Tensor:
        """The whole schedule."""
        drops = self.sampler in self.DISCARD_PENULTIMATE_SIGMA_SAMPLERS
        sigmas = host_module("comfy.samplers").calculate_sigmas(
            self._model_sampling(), self.scheduler, steps + 1 if drops else steps
        )
        return torch.cat([sigmas[:-2], sigmas[-1:]]) if drops else sigmas

    def _model_sampling(self) -> Any:
        if hasattr(self.model, "get_model_object"):
            return self.model.get_model_object("model_sampling")
        return self.model.model_sampling

    def set_steps(self, steps: int, denoise: float | None = None) -> None:
        """Choose the last `steps` of a schedule of `steps / denoise`."""
        self.steps = steps
        if denoise is None or denoise > 0.9999:
            self.sigmas = self.calculate_sigmas(steps).to(self.device)
        elif denoise <= 0.0:
            self.sigmas = torch.empty(0)
        else:
            sigmas = self.calculate_sigmas(int(steps / denoise)).to(self.device)
            self.sigmas = sigmas[-(steps + 1) :]

    def sample(
        self,
        noise: Tensor,
        positive: Any,
        negative: Any,
        cfg: float,
        latent_image: Tensor | None = None,
        start_step: int | None = None,
        last_step: int | None = None,
        force_full_denoise: bool = False,
        denoise_mask: Tensor | None = None,
        sigmas: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Sample; `start_step` to `last_step` of the schedule only."""
        sigmas = self.sigmas if sigmas is None else sigmas
        if len(sigmas):
            last = len(sigmas) if last_step is None else last_step
            sigmas = section(sigmas, start_step or 0, last, to_the_end=force_full_denoise)
        if not len(sigmas):
            return torch.zeros_like(noise) if latent_image is None else latent_image
        samplers = host_module("comfy.samplers")
        return samplers.sample(
            self.model,
            noise,
            positive,
            negative,
            cfg,
            self.device,
            samplers.sampler_object(self.sampler),
            sigmas,
            self.model_options,
            latent_image=latent_image,
            denoise_mask=denoise_mask,
            callback=callback,
            disable_pbar=disable_pbar,
            seed=seed,
        )


def sample(
    model: Any,
    noise: Tensor,
    positive: Any,
    negative: Any,
    cfg: float,
    device: Any,
    sampler: Any,
    sigmas: Tensor,
    model_options: Mapping[str, Any] = {},
    latent_image: Tensor | None = None,
    denoise_mask: Tensor | None = None,
    callback: Callable[..., Any] | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Sample with guidance between two conditionings."""
    del device
    guider = host_module("comfy.samplers").CFGGuider(model)
    if model_options:
        guider.model_options = model_options
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    if latent_image is None:
        latent_image = torch.zeros_like(noise)
    return guider.sample(
        noise, latent_image, sampler, sigmas, denoise_mask, callback, disable_pbar, seed
    )
