"""CFGGuider, which plugins derive from: a model with its conditionings, and how it samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.compat.install import host_module
from engine.compat.sampling.conds import Cond
from engine.compat.sampling.options import create_model_options_clone, with_attached
from engine.compat.sampling.plugin_values import plugin_guider
from engine.compat.sampling.ready import run_of, running
from engine.compat.sampling.values import patcher_of
from engine.inference.sample import into_latent, out_of_latent


class CFGGuider:
    """Classifier-free guidance as plugins know it.

    Attributes:
        model_patcher: the MODEL.
        model_options: of this guider; its own copy during a run.
        original_conds: converted conditionings by name.
        cfg: the scale.
        conds: during a run: the conditionings, ready for its x.
        inner_model: during a run: the BaseModel.
        loaded_models: during a run; ours load what they need themselves.
    """

    def __init__(self, model_patcher: Any) -> None:
        self.model_patcher = patcher_of(model_patcher)
        self.model_options: dict[str, Any] = self.model_patcher.model_options
        self.original_conds: dict[str, list[Cond]] = {}
        self.cfg = 1.0
        self.conds: dict[str, list[Cond]]
        self.inner_model: Any
        self.loaded_models: list[Any]

    def set_conds(self, positive: Any, negative: Any) -> None:
        """Set the positive and the negative CONDITIONING."""
        self.inner_set_conds({"positive": positive, "negative": negative})

    def set_cfg(self, cfg: float) -> None:
        """Set the scale of guidance."""
        self.cfg = cfg

    def inner_set_conds(self, conds: Mapping[str, Sequence[Any]]) -> None:
        """Set conditionings by name."""
        helpers = host_module("comfy.sampler_helpers")
        for name, cond in conds.items():
            self.original_conds[name] = helpers.convert_cond(cond)

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        """The guided clean image: `(x, sigma, model_options=, seed=)`."""
        return self.outer_predict_noise(*args, **kwargs)

    def outer_predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: Mapping[str, Any] = {},
        seed: int | None = None,
    ) -> Tensor:
        """`predict_noise` within its wrappers."""
        wrapped = self._wrapped("PREDICT_NOISE", self.predict_noise, self.model_options, self)
        return wrapped(x, timestep, model_options, seed)

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: Mapping[str, Any] = {},
        seed: int | None = None,
    ) -> Tensor:
        """The guided clean image (the name is the ecosystem's)."""
        return host_module("comfy.samplers").sampling_function(
            self.inner_model,
            x,
            timestep,
            self.conds.get("negative"),
            self.conds.get("positive"),
            self.cfg,
            model_options=model_options,
            seed=seed,
        )

    def inner_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        device: Any,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None,
        callback: Callable[..., Any] | None,
        disable_pbar: bool,
        seed: int | None,
        latent_shapes: Any = None,
    ) -> Tensor:
        """Make the conditionings ready and run the sampler, in the denoiser's space."""
        samplers = host_module("comfy.samplers")
        model = self.model_patcher.to_value()
        latent_image = into_latent(latent_image, model)
        self.conds = samplers.process_conds(
            self.inner_model,
            noise,
            self.conds,
            device,
            latent_image,
            denoise_mask,
            seed,
            latent_shapes=latent_shapes,
        )
        options = create_model_options_clone(self.model_options)
        options.setdefault("transformer_options", {})["sample_sigmas"] = sigmas
        extra_args = {"model_options": options, "seed": seed}
        wrapped = self._wrapped("SAMPLER_SAMPLE", sampler.sample, options, sampler)
        samples = wrapped(
            self, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar
        )
        return out_of_latent(samples.float(), model)

    def outer_sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
        latent_shapes: Any = None,
    ) -> Tensor:
        """Load what the run needs, sample, and clean up."""
        helpers = host_module("comfy.sampler_helpers")
        self.inner_model, self.conds, self.loaded_models = helpers.prepare_sampling(
            self.model_patcher, noise.shape, self.conds, self.model_options
        )
        device = self.model_patcher.load_device
        if denoise_mask is not None:
            denoise_mask = helpers.prepare_mask(denoise_mask, noise.shape, device)
        noise, latent_image = noise.to(device), latent_image.to(device)
        sigmas = sigmas.to(device)
        try:
            self.model_patcher.pre_run()
            return self.inner_sample(
                noise,
                latent_image,
                device,
                sampler,
                sigmas,
                denoise_mask,
                callback,
                disable_pbar,
                seed,
                latent_shapes=latent_shapes,
            )
        finally:
            self.model_patcher.cleanup()
            helpers.cleanup_models(self.conds, self.loaded_models)
            del self.inner_model, self.loaded_models

    def sample(
        self,
        noise: Tensor,
        latent_image: Tensor,
        sampler: Any,
        sigmas: Tensor,
        denoise_mask: Tensor | None = None,
        callback: Callable[..., Any] | None = None,
        disable_pbar: bool = False,
        seed: int | None = None,
    ) -> Tensor:
        """Sample along `sigmas` [steps + 1].

        Args:
            noise: [B, C, ...], unit noise.
            latent_image: [B, C, ...], an autoencoder's latent.
            sampler: a `Sampler`.
            sigmas: falling; if empty, the latent is unchanged.
            denoise_mask: 1 where it is painted.
            callback: called `(step, denoised, x, steps)`.
            disable_pbar: has no effect.
            seed: of the noise that samplers add.
        """
        if sigmas.shape[-1] == 0:
            return latent_image
        self.conds = {
            name: [dict(cond) for cond in many] for name, many in self.original_conds.items()
        }
        before = self.model_options
        self.model_options = with_attached(self.model_patcher, before)
        host_module("comfy.sampler_helpers").prepare_model_patcher(
            self.model_patcher, self.conds, self.model_options
        )
        outer = running()
        checkpoint = None if outer is None else outer.checkpoint
        try:
            with torch.no_grad(), run_of(sigmas, checkpoint=checkpoint):
                wrapped = self._wrapped("OUTER_SAMPLE", self.outer_sample, self.model_options, self)
                return wrapped(
                    noise,
                    latent_image,
                    sampler,
                    sigmas,
                    denoise_mask,
                    callback,
                    disable_pbar,
                    seed,
                    latent_shapes=[tuple(latent_image.shape)],
                )
        finally:
            self.model_options = before
            del self.conds

    @staticmethod
    def _wrapped(
        kind: str, function: Callable[..., Any], options: Mapping[str, Any], owner: Any
    ) -> Callable[..., Any]:
        """A method within the wrappers of a kind that plugins put into the options."""
        extension = host_module("comfy.patcher_extension")
        wrappers = extension.get_all_wrappers(
            getattr(extension.WrappersMP, kind), options, is_model_options=True
        )
        return extension.WrapperExecutor.new_class_executor(function, owner, wrappers).execute

    def to_value(self) -> Any:
        """The engine's value: itself, as a guider that samples on the plugins' path."""
        return plugin_guider(self)
