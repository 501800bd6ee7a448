"""What `comfy.sample` offers, and `common_ksampler` of `nodes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.compat.install import host_module
from engine.compat.sampling.conds import Cond
from engine.compat.sampling.values import patcher_of
from engine.inference.sample import fitted

Callback = Callable[..., Any]


def fix_empty_latent_channels(
    model: Any, latent_image: Tensor, downscale_ratio_spacial: Any = None
) -> Tensor:
    """An empty latent with the channels and axes of the model; any other unchanged."""
    del downscale_ratio_spacial
    value = patcher_of(model).to_value()
    if latent_image.ndim != 2 + value.latent.dims and latent_image.ndim != 4:
        return latent_image
    if latent_image.shape[1] != value.latent.channels and bool(latent_image.any()):
        return latent_image
    return fitted({"samples": latent_image}, value)["samples"]


def prepare_sampling(
    model: Any,
    noise_shape: Sequence[int],
    positive: Any,
    negative: Any,
    noise_mask: Tensor | None,
) -> tuple[Any, Any, Any, Tensor | None, list[Any]]:
    """(model, positive, negative, noise mask, models): unchanged; a run loads what it needs."""
    del noise_shape
    return model, positive, negative, noise_mask, []


def cleanup_additional_models(models: Sequence[Any]) -> None:
    """See `comfy.sampler_helpers`."""
    host_module("comfy.sampler_helpers").cleanup_additional_models(models)


def get_additional_models(
    positive: Sequence[Cond], negative: Sequence[Cond], dtype: Any
) -> tuple[list[Any], int]:
    """See `comfy.sampler_helpers`."""
    conds = {"positive": positive, "negative": negative}
    return host_module("comfy.sampler_helpers").get_additional_models(conds, dtype)


def sample(
    model: Any,
    noise: Tensor,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
    noise_mask: Tensor | None = None,
    sigmas: Tensor | None = None,
    callback: Callback | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Run a KSampler: samples [B, C, ...] on the CPU.

    `noise` [B, C, ...] is unit noise, see `prepare_noise`; `disable_noise` has no effect beside it.
    `callback` is called `(step, denoised, x, steps)`.
    """
    del disable_noise
    runs = host_module("comfy.samplers").KSampler(
        model,
        steps=steps,
        device=model.load_device,
        sampler=sampler_name,
        scheduler=scheduler,
        denoise=denoise,
        model_options=model.model_options,
    )
    samples = runs.sample(
        noise,
        positive,
        negative,
        cfg=cfg,
        latent_image=latent_image,
        start_step=start_step,
        last_step=last_step,
        force_full_denoise=force_full_denoise,
        denoise_mask=noise_mask,
        sigmas=sigmas,
        callback=callback,
        disable_pbar=disable_pbar,
        seed=seed,
    )
    return samples.cpu()


def sample_custom(
    model: Any,
    noise: Tensor,
    cfg: float,
    sampler: Any,
    sigmas: Tensor,
    positive: Any,
    negative: Any,
    latent_image: Tensor,
    noise_mask: Tensor | None = None,
    callback: Callback | None = None,
    disable_pbar: bool = False,
    seed: int | None = None,
) -> Tensor:
    """Run a sampler object along sigmas with guidance: samples on the CPU."""
    samples = host_module("comfy.samplers").sample(
        model,
        noise,
        positive,
        negative,
        cfg,
        model.load_device,
        sampler,
        sigmas,
        model_options=model.model_options,
        latent_image=latent_image,
        denoise_mask=noise_mask,
        callback=callback,
        disable_pbar=disable_pbar,
        seed=seed,
    )
    return samples.cpu()


def common_ksampler(
    model: Any,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent: Mapping[str, Any],
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
) -> tuple[dict[str, Any]]:
    """What the node KSampler does, with a plugin's objects: `(latent,)`."""
    host = host_module("comfy.sample")
    samples = host.fix_empty_latent_channels(model, latent["samples"])
    if disable_noise:
        noise = torch.zeros(samples.size(), dtype=samples.dtype, device="cpu")
    else:
        noise = host.prepare_noise(samples, seed, latent.get("batch_index"))
    callback = host_module("latent_preview").prepare_callback(model, steps)
    found = host.sample(
        model,
        noise,
        steps,
        cfg,
        sampler_name,
        scheduler,
        positive,
        negative,
        samples,
        denoise=denoise,
        disable_noise=disable_noise,
        start_step=start_step,
        last_step=last_step,
        force_full_denoise=force_full_denoise,
        noise_mask=latent.get("noise_mask"),
        callback=callback,
        disable_pbar=True,
        seed=seed,
    )
    return ({**latent, "samples": found},)
