"""The plugins' path of sampling, see `engine.inference.sampling_path`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from engine.compat.blocks.attention import attend_as_patched
from engine.compat.install import host_module
from engine.compat.live import live
from engine.compat.models import unet_run
from engine.compat.sampling import run_hooks
from engine.compat.sampling.adapters import sampler_object_of
from engine.compat.sampling.plugin_values import PluginGuider, PluginSampler
from engine.compat.sampling.ready import OUTSIDE, run_of
from engine.compat.sampling.schedulers import BUILTIN_HANDLERS
from engine.compat.sampling.values import to_object, to_value
from engine.diffusion.denoiser import OnStep
from engine.diffusion.samplers.table import SAMPLERS
from engine.diffusion.schedules import SCHEDULES, Schedule
from engine.families.family import Checkpoint
from engine.inference import sampling_path
from engine.inference.sample import fitted, initial_noise, out_of_latent
from engine.inference.sampling_path import KSamplerCall
from engine.inference.values import CfgGuider, Guider, Model, Noise, Sampler
from engine.nets import attention

GUIDANCE = (
    "sampler_cfg_function",
    "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
    "disable_cfg1_optimization",
    "sampler_calc_cond_batch_function",
    "denoise_mask_function",
)
"""Keys of `model_options` that only this path applies."""
CALLBACKS = ("on_pre_run", "on_cleanup")
REPLACEABLE: Mapping[str, tuple[str, ...]] = {
    "comfy.sample": (
        "sample",
        "sample_custom",
        "prepare_noise",
    ),
    "comfy.samplers": (
        "sample",
        "sampling_function",
        "calc_cond_batch",
        "calculate_sigmas",
        "cfg_function",
        "pre_run_control",
        "process_conds",
        "sampler_object",
        "ksampler",
        "KSampler",
        "KSAMPLER",
        "CFGGuider",
        "KSampler.sample",
        "KSampler.__init__",
        "KSampler.calculate_sigmas",
        "KSampler.set_steps",
        "KSAMPLER.sample",
        "CFGGuider.sample",
        "CFGGuider.outer_sample",
        "CFGGuider.inner_sample",
        "CFGGuider.predict_noise",
        "CFGGuider.set_conds",
        "CFGGuider.set_cfg",
        "CFGGuider.__call__",
        "KSamplerX0Inpaint.__call__",
        "Sampler.max_denoise",
    ),
    "comfy.sampler_helpers": (
        "convert_cond",
        "prepare_mask",
        "prepare_sampling",
        "cleanup_models",
        "cleanup_additional_models",
    ),
}
"""Names whose replacement by a plugin makes every sampler node take this path."""


def _lookup(module: str, name: str) -> Any:
    found: Any = host_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


class PluginPath:
    """Samples as the host does, calling what plugins derive from, add and replace."""

    def __init__(self) -> None:
        self._originals = {
            (module, name): _lookup(module, name)
            for module, names in REPLACEABLE.items()
            for name in names
        }
        functions = host_module("comfy.k_diffusion.sampling")
        self._functions = {name: getattr(functions, f"sample_{name}", None) for name in SAMPLERS}

    def _is_replaced(self, *names: str) -> bool:
        return any(
            _lookup(module, name) is not original
            for (module, name), original in self._originals.items()
            if not names or name in names
        )

    def wants(self, guider: Guider, sampler: Sampler) -> bool:
        """Whether a plugin's object, option or replacement takes part."""
        if isinstance(guider, PluginGuider) or isinstance(sampler, PluginSampler):
            return True
        if holds_plugin_options(guider.model) or self._is_replaced():
            return True
        return run_hooks.surround_runs(guider.conditionings())

    def sample(
        self,
        guider: Guider,
        noise: Noise,
        sampler: Sampler,
        sigmas: Tensor,
        latent: Mapping[str, Any],
        *,
        checkpoint: Checkpoint,
        on_step: OnStep,
    ) -> tuple[Tensor, Tensor]:
        """See `engine.inference.sample.sample`."""
        latent = fitted(latent, guider.model)
        samples: Tensor = latent["samples"]
        if not len(sigmas):
            return samples, samples
        start = initial_noise(guider.model, noise, latent)
        reports = Reports(sigmas, on_step)
        theirs = (
            sampler.object() if isinstance(sampler, PluginSampler) else sampler_object_of(sampler)
        )
        mask, batch_index = latent.get("noise_mask"), latent.get("batch_index")
        with run_of(sigmas, checkpoint=checkpoint, batch_index=batch_index):
            if type(guider) is CfgGuider and self._is_replaced("sample_custom", "sample"):
                found = host_module("comfy.sample").sample_custom(
                    to_object(guider.model),
                    start,
                    guider.scale,
                    theirs,
                    sigmas,
                    to_object(list(guider.positive)),
                    to_object(list(guider.negative)),
                    samples,
                    noise_mask=mask,
                    callback=reports,
                    disable_pbar=True,
                    seed=noise.seed,
                )
            else:
                found = to_object(guider).sample(
                    start,
                    samples,
                    theirs,
                    sigmas,
                    denoise_mask=mask,
                    callback=reports,
                    disable_pbar=True,
                    seed=noise.seed,
                )
        found = cast("Tensor", found).cpu()
        if reports.last is None:
            return found, found
        return found, out_of_latent(reports.last, guider.model).cpu()

    def wants_call(self, call: KSamplerCall) -> bool:
        """Whether a KSampler calls what a plugin added or replaced."""
        if self.sampler(call.sampler) is not None:
            return True
        if self.schedule(call.model, call.schedule) is not None:
            return True
        return holds_plugin_options(call.model) or self._is_replaced()

    def ksampler(self, call: KSamplerCall, *, checkpoint: Checkpoint, on_step: OnStep) -> Tensor:
        """Run a KSampler through `comfy.sample`."""
        latent = fitted(call.latent, call.model)
        samples: Tensor = latent["samples"]
        host, batch_index = host_module("comfy.sample"), latent.get("batch_index")
        noise = torch.zeros(samples.shape)
        if call.adds_noise:
            noise = host.prepare_noise(samples, call.seed, batch_index)
        with run_of(checkpoint=checkpoint, batch_index=batch_index):
            found = host.sample(
                to_object(call.model),
                noise,
                call.steps,
                call.cfg,
                call.sampler,
                call.schedule,
                to_object(list(call.positive)),
                to_object(list(call.negative)),
                samples,
                denoise=call.denoise,
                disable_noise=not call.adds_noise,
                start_step=call.first,
                last_step=call.last,
                force_full_denoise=call.to_the_end,
                noise_mask=latent.get("noise_mask"),
                callback=Reports(torch.empty(0), on_step),
                disable_pbar=True,
                seed=call.seed,
            )
        return cast("Tensor", found).cpu()

    def sampler(self, name: str) -> Sampler | None:
        """The sampler of a name that plugins added, or whose function they replaced."""
        functions = host_module("comfy.k_diffusion.sampling")
        now = getattr(functions, f"sample_{name}", None)
        if name in SAMPLERS and now is self._functions[name]:
            return None
        return to_value(host_module("comfy.samplers").sampler_object(name))

    def schedule(self, model: Model, name: str) -> Schedule | None:
        """The schedule of a name that plugins added, or that they compute otherwise."""
        samplers = host_module("comfy.samplers")
        known = (
            name in SCHEDULES and samplers.SCHEDULER_HANDLERS.get(name) == BUILTIN_HANDLERS[name]
        )
        if known and not self._is_replaced("calculate_sigmas"):
            return None
        model_sampling = to_object(model).get_model_object("model_sampling")

        def made(_: Any, steps: int) -> Tensor:
            sigmas = samplers.calculate_sigmas(model_sampling, name, steps)
            return cast("Tensor", sigmas).float().cpu()

        return made


class Reports:
    """A plugin-side callback `(step, denoised, x, steps)` that reports to `on_step`.

    Attributes:
        last: the clean image of the last step, in the denoiser's space.
    """

    def __init__(self, sigmas: Tensor, on_step: OnStep) -> None:
        self._sigmas = sigmas
        self._on_step = on_step
        self.last: Tensor | None = None

    def __call__(self, step: int, x0: Tensor, x: Tensor, total_steps: int) -> None:
        """Report a step."""
        self.last = x0
        sigma = self._sigmas[step] if step < len(self._sigmas) else torch.tensor(0.0)
        self._on_step(step, total_steps, x, x0, sigma)


def holds_plugin_options(model: Model) -> bool:
    """Whether plugins put something on the model that only this path applies."""
    options = model.options.get("model_options")
    if not isinstance(options, Mapping):
        return False
    if any(options.get(key) for key in GUIDANCE):
        return True
    inner = options.get("transformer_options") or {}
    wrappers = {**(options.get("wrappers") or {}), **(inner.get("wrappers") or {})}
    callbacks = {
        **(model.options.get("callbacks") or {}),
        **(options.get("callbacks") or {}),
        **(inner.get("callbacks") or {}),
    }
    return _any_of(wrappers, OUTSIDE) or _any_of(callbacks, frozenset(CALLBACKS))


def _any_of(kinds: Mapping[Any, Any], wanted: frozenset[str]) -> bool:
    return any(str(kind) in wanted and _holds(each) for kind, each in kinds.items())


def _holds(functions: Any) -> bool:
    if isinstance(functions, Mapping):
        return any(_holds(each) for each in functions.values())
    return bool(functions)


def install() -> None:
    """Take this path, and declare which names plugins may replace."""
    for module, names in REPLACEABLE.items():
        live(*(f"{module}.{name}" for name in names))
    live(
        "comfy.samplers.KSampler.*",
        "comfy.samplers.k_diffusion_sampling.*",
        "comfy.samplers.SCHEDULER_NAMES",
        "comfy.samplers.SCHEDULER_HANDLERS",
        "comfy.samplers.SAMPLER_NAMES",
        "comfy.k_diffusion.sampling.default_noise_sampler",
        *(f"comfy.k_diffusion.sampling.sample_{name}" for name in SAMPLERS),
    )
    live("comfy.ldm.modules.attention.optimized_attention")
    attention.attend_by(attend_as_patched)
    live(*unet_run.REPLACEABLE)
    unet_run.install()
    sampling_path.take(PluginPath())
