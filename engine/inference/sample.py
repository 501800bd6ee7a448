"""Sampling: from a latent, noise and a guider to a latent. Used by every sampler node.

Outside the network everything is fp32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from engine.diffusion import regions, schedules
from engine.diffusion.conditioning import Step
from engine.diffusion.context_windows import EvaluatesRegions, in_windows
from engine.diffusion.denoiser import OnStep, no_report
from engine.diffusion.guidance import ChangeOfHooks
from engine.diffusion.parameterization import Parameterization
from engine.diffusion.regions import Evaluator, Region
from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError
from engine.families.family import Checkpoint, Run
from engine.inference import sampling_path
from engine.inference.control_run import ControlRun
from engine.inference.control_text import inputs_of_denoiser
from engine.inference.dual_model import DualModelGuider, conditionings_by_model, weights_beside
from engine.inference.entries import prepared_by_name
from engine.inference.guided import (
    Evaluators,
    GuidedNetwork,
    Inpainting,
    OtherNetwork,
    started_model,
)
from engine.inference.hook_groups import WeightSwitch
from engine.inference.hook_run import HookRun
from engine.inference.network_hooks import NetworkCall, surrounded
from engine.inference.shared_entries import shared_with_others
from engine.inference.values import Conditioning, Guider, Model, Noise, Sampler
from engine.residency.handles import Weights
from engine.residency.manager import current

Latent = Mapping[str, Any]
"""`samples` [B, C, ...] and optionally `noise_mask`, `batch_index`: the value of a LATENT wire."""
PIXELS_OF_CELL = "downscale_ratio_spacial"
"""The key of an empty latent: the pixels along the side of the cells that it was made for."""


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """The result of a run, both [B, C, ...] on the CPU.

    Attributes:
        samples: x at the last sigma.
        denoised: the clean image predicted by the last step.
    """

    samples: Tensor
    denoised: Tensor


def sample(
    guider: Guider,
    noise: Noise,
    sampler: Sampler,
    sigmas: Tensor,
    latent: Latent,
    *,
    checkpoint: Checkpoint = lambda: None,
    on_step: OnStep = no_report,
) -> Sampled:
    """Add noise to a latent and sample along `sigmas` [steps + 1].

    Args:
        guider: the model and its conditionings.
        noise: the initial noise, and the seed of noise that samplers add.
        sampler: the sampling function.
        sigmas: falling; if empty, the latent is unchanged.
        latent: where `noise_mask` is 0, it is unchanged.
        checkpoint: called at every block of the network; may raise `Stopped`.
        on_step: called at every step, with denoiser-space tensors on the device.
    """
    path = sampling_path.taken()
    if path is not None and path.wants(guider, sampler):
        samples, denoised = path.sample(
            guider, noise, sampler, sigmas, latent, checkpoint=checkpoint, on_step=on_step
        )
        return Sampled(samples, denoised)
    latent = fitted(latent, guider.model)
    samples = latent["samples"]
    if len(sigmas) == 0:
        return Sampled(samples, samples)
    start = initial_noise(guider.model, noise, latent)
    last: list[Tensor] = []

    def watch(step: int, steps: int, x: Tensor, denoised: Tensor, sigma: Tensor) -> None:
        last[:] = [denoised]
        on_step(step, steps, x, denoised, sigma)

    mask = latent.get("noise_mask")
    clean = into_latent(samples, guider.model)
    if mask is not None:
        mask = regions.fitted_mask(mask, clean.shape[2:], len(clean))[:, None]
    run = Run(clean.shape, noise.seed, clean, mask)
    batch_index = latent.get("batch_index")
    guided = guided_network(guider, run, sigmas, batch_index, checkpoint)
    with torch.no_grad(), guided as made:
        network, model = made
        levels = network.parameterization
        clean, start = (each.to(current().device) for each in (clean, start))
        first, end = (sigma.float().to(clean.device) for sigma in (sigmas[:1], sigmas[-1:]))
        x = levels.add_noise(first, start, clean, full=_is_full(model, sigmas))
        if mask is not None:
            moved, stays = mask.to(clean.device), model.latent.keeps_clean
            painting = Inpainting(moved, clean, start, model.mask_at, keeps_clean=stays)
            network = replace(network, inpainting=painting)
        steps = sampler.spec.run
        x = steps(network, x, sigmas.float(), seed=noise.seed, on_step=watch, **sampler.knobs)
        result = out_of_latent(levels.remove_noise_scale(end, x), model).cpu()
        denoised = out_of_latent(last[0], model).cpu() if last else result
    return Sampled(result, denoised)


@contextmanager
def guided_network(
    guider: Guider,
    run: Run,
    sigmas: Tensor,
    batch_index: Sequence[int] | None,
    checkpoint: Checkpoint,
) -> Iterator[tuple[GuidedNetwork, Model]]:
    """A guider's network, ready for x of that run, and its model as its patches changed it."""
    model = started_model(guider.model, run, sigmas, batch_index)
    mine, others = conditionings_by_model(guider)
    beside = weights_beside(guider)
    with (
        network_run(mine, model, run, sigmas, checkpoint, beside=beside) as ready,
        _other_network(guider, others, run, sigmas, batch_index, checkpoint) as other,
    ):
        hooks = model.guidance.started()
        levels, evaluators, named = ready.parameterization, ready.evaluators, ready.named
        yield GuidedNetwork(guider, hooks, levels, evaluators, named, other=other), model


@contextmanager
def _other_network(
    guider: Guider,
    conditionings: Mapping[str, Conditioning],
    run: Run,
    sigmas: Tensor,
    batch_index: Sequence[int] | None,
    checkpoint: Checkpoint,
) -> Iterator[OtherNetwork | None]:
    """The network of a guider's second model, on the device beside the first."""
    if not isinstance(guider, DualModelGuider):
        yield None
        return
    guider.check()
    first, other = guider.model, guider.negative_model
    other = started_model(other, run, sigmas, batch_index)
    residency = current()
    uses = [
        partial(residency.use, each.net, checkpoint=checkpoint)
        if guider.shares_weights
        else nullcontext
        for each in (first, other)
    ]
    with network_run(conditionings, other, run, sigmas, checkpoint) as made:
        yield OtherNetwork(made.evaluators, made.named, *uses)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRun:
    """A model's network, on the device and ready for x of one run.

    Attributes:
        model: as its patches changed it for the run.
        parameterization: the model's, on the device.
        named: the conditionings by name, on the device.
        evaluators: evaluate the network with the model's hooks.
        evaluators_of: the same with the hooks and calls of another model of the same weights.
    """

    model: Model
    parameterization: Parameterization
    named: Mapping[str, Sequence[Region]]
    evaluators: Evaluators
    evaluators_of: Callable[[Model], Evaluators]


@contextmanager
def network_run(
    conditionings: Mapping[str, Conditioning],
    model: Model,
    run: Run,
    sigmas: Tensor,
    checkpoint: Checkpoint,
    *,
    beside: Sequence[Weights] = (),
) -> Iterator[NetworkRun]:
    """The network of a model, on the device and ready for x of that run.

    `model` is the guider's as its patches changed it for this run. Control networks, those of
    hooks and the weights of `beside` stay on the device with it for the whole run.
    """
    residency, shape = current(), run.shape
    device, dtype, size = residency.device, residency.dtype_of(model.net), shape[2:]
    conditionings = shared_with_others({**model.guidance.conditionings, **conditionings})
    named = {
        name: [regions.moved(regions.weighted(one, size), device, dtype) for one in many]
        for name, many in prepared_by_name(conditionings, model, run).items()
    }
    part = shape_of_call(model, shape)
    rows_shape = (part[0] * sum(len(many) for many in named.values()), *part[1:])
    parameterization = model.parameterization.to(device)
    to_sigma = model.parameterization.percent_to_sigma
    controls = ControlRun(conditionings, model.net, to_sigma, residency, checkpoint, sampled=model)
    controls.encode((region for many in named.values() for region in many), size)
    room = model.family.activation_bytes(model.config, rows_shape, dtype.itemsize)
    hooks = HookRun(model, named, residency, shape)
    room = controls.room_for(rows_shape, room) + hooks.room_for(rows_shape)
    brought = (*controls.weights, *hooks.weights, *beside)
    switch = WeightSwitch(model, parameterization, residency, checkpoint)
    with (
        residency.reserve(controls.features_bytes(shape)),
        residency.use(
            model.net, *brought, room_for=room, checkpoint=checkpoint, calls=len(sigmas) - 1
        ),
        switch,
        ExitStack() as stack,
    ):
        stack.callback(controls.end)
        for context in model.network.contexts:
            stack.enter_context(context())
        switches = any(region.hooks for many in named.values() for region in many)

        def evaluators(used: Model, plain: HookRun) -> Evaluators:
            def evaluator(change: ChangeOfHooks | None) -> EvaluatesRegions:
                changed = plain if change is None else plain.changed(change)
                call = network_call(
                    used, parameterization, dtype, checkpoint, sigmas, controls, changed
                )
                make = partial(Evaluator, switch.switching(call) if switches else call, sigmas)
                return in_windows(used.windows, make, sigmas, controls.use_rows)

            return Evaluators(evaluator)

        def evaluators_of(other: Model) -> Evaluators:
            return evaluators(other, HookRun(other, named, residency, shape))

        yield NetworkRun(model, parameterization, named, evaluators(model, hooks), evaluators_of)


def network_call(
    model: Model,
    parameterization: Parameterization,
    dtype: torch.dtype,
    checkpoint: Checkpoint,
    sigmas: Tensor,
    controls: ControlRun,
    hooks: HookRun,
) -> regions.Call:
    """A function that evaluates a model's network: noisy x to the clean image.

    May be called only inside `residency.use` of the model's net and the weights of `controls` and
    `hooks`. `sigmas` are the run's.
    """
    outer = model.network
    predict, net = model.family.predict, model.net.module
    predict = predict if outer.through is None else outer.through(predict)
    arounds = [make() for make in model.around_calls]

    def network_input(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        scaled = parameterization.scale_input(x, sigma).to(dtype)
        return scaled, parameterization.timestep(sigma).float()

    def call(made: NetworkCall, *, is_complete: bool = True) -> Tensor:
        x, sigma, inputs, entries = made.x, made.sigma, made.inputs, made.entries
        scaled, time = network_input(x, sigma)

        def evaluate() -> Tensor:
            inside, control = made.hooks, made.control
            if not is_complete:
                always = controls.has_foreign
                inside = hooks.for_call(x, Step(sigma, sigmas), entries, always=always)
                options = inside.options if inside else {}
                control = controls.residuals(
                    entries, scaled, time, sigma, inputs, noisy=x, options=options
                )
            told = inputs_of_denoiser(inputs)
            return predict(
                net, scaled, time, told, control=control, hooks=inside, checkpoint=checkpoint
            )

        for around in arounds:
            evaluate = partial(around, scaled, sigma, entries, evaluate)
        return parameterization.denoised(evaluate().float(), x, sigma)

    def completed(made: NetworkCall) -> NetworkCall:
        x, sigma, entries = made.x, made.sigma, made.entries
        inside = hooks.for_call(x, Step(sigma, sigmas), entries, always=True)
        options = inside.options if inside else {}
        scaled, time = network_input(x, sigma)
        control = controls.residuals(
            entries, scaled, time, sigma, made.inputs, noisy=x, options=options
        )
        return replace(made, hooks=inside, control=control)

    return surrounded(outer, call, completed)


def shape_of_call(model: Model, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the largest part of x that is predicted at once."""
    windows = model.windows
    if windows is None or windows.dim >= len(shape):
        return tuple(shape)
    dim = windows.dim
    return (*shape[:dim], windows.length_in(shape), *shape[dim + 1 :])


def initial_noise(model: Model, noise: Noise, latent: Latent) -> Tensor:
    """The noise that a run of a model starts from, like the latent's samples."""
    made = noise.generate_noise(latent)
    return made if model.windows is None else model.windows.shuffled(made, noise.seed)


def fitted(latent: Latent, model: Model) -> dict[str, Any]:
    """The latent, with the channels, axes and cells of the model if it is empty.

    A picture's latent becomes one frame of a video's. Larger cells than the latent was made for
    (`PIXELS_OF_CELL`) are fewer.

    Raises:
        NodeError: it is not empty and has other channels or axes.
    """
    samples: Tensor = latent["samples"]
    channels, axes = model.latent.channels, model.latent.dims
    if samples.ndim == 4 and axes == 3:
        samples = samples[:, :, None]
    if samples.ndim != 2 + axes:
        raise NodeError(
            f"the latent has {samples.ndim - 2} axes behind its channels, the model works on "
            f"{axes}; use the empty latent that belongs to the model"
        )
    if samples.shape[1] != channels:
        if samples.any():
            raise NodeError(
                f"the latent has {samples.shape[1]} channels, the model works on {channels}; "
                "encode the picture with the VAE that belongs to the model"
            )
        times = max(1, model.latent.pixels // latent.get(PIXELS_OF_CELL, model.latent.pixels))
        sides = (max(1, side // times) for side in samples.shape[-2:])
        samples = samples.new_zeros(*samples.shape[:1], channels, *samples.shape[2:-2], *sides)
    return {**latent, "samples": samples}


def into_latent(samples: Tensor, model: Model) -> Tensor:
    """An autoencoder's latent in denoiser space; an empty one stays empty."""
    samples = samples.float()
    if not samples.any():
        return samples
    return model.latent.into(samples)


def out_of_latent(x: Tensor, model: Model) -> Tensor:
    """The inverse of `into_latent`."""
    return model.latent.out(x)


def _is_full(model: Model, sigmas: Tensor) -> bool:
    """Whether a run starts from pure noise."""
    most, first = model.parameterization.sigma_max, float(sigmas[0])
    return first > most or math.isclose(most, first, rel_tol=1e-5)


def sampler_sigmas(model: Model, sampler: str, schedule: str, steps: int, denoise: float) -> Tensor:
    """The sigmas of a KSampler; some samplers require that one level is left out."""
    made = schedules.SCHEDULES[schedule]
    if SAMPLERS[sampler].drops_penultimate:
        made = schedules.skipping_penultimate(made)
    return schedules.tail(made, model.parameterization, steps, denoise)
