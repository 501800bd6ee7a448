"""The training loop: noise is added to latents, and adapters learn from the predictions.

The weights of the model are not changed or moved. All random numbers depend on the seed and the
number of the step, so an interrupted run ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as computed_again

from engine.adapters.names import file_names
from engine.errors import NodeError, OutOfMemoryError, Stopped
from engine.families.family import Checkpoint
from engine.inference.values import Model
from engine.nets.attention import OwnForward
from engine.residency.carriers import Wants, value_bytes
from engine.residency.handles import LazyWeights, PatchedWeights, Weights
from engine.residency.manager import current
from engine.training.adapters import Adapter, make_adapters
from engine.training.existing import Existing
from engine.training.objective import LOSSES, generator_of, target_of
from engine.training.options import TrainingOptions
from engine.training.samples import Group, batch_inputs, digest
from engine.training.state import SavedState, refuse_unless_finite

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {"bf16": torch.bfloat16, "fp32": torch.float32}
)
SAVE_EVERY = 25
"""Steps between two saves of the training state."""
ROOMS: Mapping[bool, int] = MappingProxyType({True: 2, False: 20})
"""With gradient checkpointing and without: what a step takes, as a multiple of a call without
gradients. Tensors alone are 1.3 to 1.6 and 5 to 16 times what families expect for that."""

OnStep = Callable[[int, int, Sequence[float]], None]
"""Called after each step with its number from 1, the number of steps, and the losses so far."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The result of a training.

    Attributes:
        tensors: the adapter, as a file holds it.
        losses: the loss of every step.
        resumed_at: the number of steps already done when this run began.
    """

    tensors: Mapping[str, Tensor]
    losses: Sequence[float]
    resumed_at: int


def train(
    model: Model,
    groups: Sequence[Group],
    options: TrainingOptions,
    *,
    existing: Existing | None = None,
    saved: SavedState | None = None,
    save_every: int = SAVE_EVERY,
    checkpoint: Checkpoint = lambda: None,
    on_step: OnStep = lambda *_: None,
) -> Trained:
    """Train an adapter of a model's denoiser.

    Args:
        model: the model; its patches are applied and not trained.
        groups: from `make_groups`.
        options: the training options.
        existing: the tensors of an adapter file to start from, of the same algorithm and rank.
        saved: where the training state is stored; the training is resumed from there if it is the
            same.
        save_every: steps between two saves.
        checkpoint: called at every block of the network; may raise `Stopped`.
        on_step: see `OnStep`.

    Raises:
        Stopped: by `checkpoint`; the state is saved before.
        OutOfMemoryError: the whole model, or a step, does not fit.
        WeightsError: the training diverged, or `existing` does not fit.
    """
    # A worker runs nodes in inference mode, which excludes autograd.
    with torch.inference_mode(mode=False), torch.enable_grad():
        dtype = DTYPES[options.training_dtype]
        weights = training_weights(model, dtype)
        room = _room(model, weights, groups, options, dtype)
        with current().use(weights, room_for=room, checkpoint=checkpoint):
            run = _Run(model, weights.module, groups, options, checkpoint)
            run.begin(existing)
            return run.through(saved, save_every, on_step)


def key_of(model: Model, groups: Sequence[Group], options: TrainingOptions, *more: object) -> str:
    """A key that identifies a training: the model, the samples and the options."""
    net = model.net
    shapes = sorted((name, source.shape) for name, source in net.sources.items())
    parts = net.name, net.size, shapes, repr(dict(net.patches)), digest(groups), options, more
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def training_weights(model: Model, dtype: torch.dtype) -> Weights:
    """A handle on the model's file in a form that supports gradients.

    Sampling may hold the same weights in a form without gradients (packed, or of another dtype);
    those are evicted like any others.
    """
    base = model.net.base
    if not base.sources:
        raise NodeError("this model brings its own network, without a file; it cannot be trained")
    weights = LazyWeights(
        f"{base.name}, for training",
        base.size,
        lambda: model.family.build(model.config),
        sources=base.sources,
        wants=Wants(dtype=dtype),
        forget=base.forget,
    )
    return PatchedWeights(weights, model.net.patches) if model.net.patches else weights


def _room(
    model: Model,
    weights: Weights,
    groups: Sequence[Group],
    options: TrainingOptions,
    dtype: torch.dtype,
) -> int:
    """Bytes of a step beside the weights. Raises `OutOfMemoryError` if both do not fit."""
    largest = max(groups, key=lambda group: prod(group[0].clean.shape))
    shape = (min(options.batch_size, len(largest)), *largest[0].clean.shape[1:])
    room = model.family.activation_bytes(model.config, shape, dtype.itemsize)
    room *= ROOMS[options.gradient_checkpointing]
    needed = sum(value_bytes(source, dtype) for source in weights.sources.values())
    budget = current().budget
    if needed + room // 4 > budget:  # `room` is an estimate
        raise OutOfMemoryError(
            f"training needs the whole model in memory, {needed:,} bytes, and about {room:,} for a "
            f"step; {budget:,} may be used. Choose bf16, a smaller batch, smaller pictures or "
            "gradient checkpointing"
        )
    return min(room, budget - needed)


class _Run:
    """One training, from its first step or from a saved state."""

    def __init__(
        self,
        model: Model,
        network: nn.Module,
        groups: Sequence[Group],
        options: TrainingOptions,
        checkpoint: Checkpoint,
    ) -> None:
        self.model, self.network, self.groups, self.options = model, network, groups, options
        self.checkpoint = checkpoint
        self.device = current().device
        self.dtype = DTYPES[options.training_dtype]
        self.parameterization = model.parameterization.to(self.device)
        made = make_adapters(network, options.algorithm, options.rank, options.seed)
        self.adapters = {name: adapter.to(self.device) for name, adapter in made.items()}
        trained = [p for adapter in self.adapters.values() for p in adapter.parameters()]
        kind: Callable[..., torch.optim.Optimizer] = getattr(torch.optim, options.optimizer)
        self.optimizer = kind(trained, lr=options.learning_rate)

    def begin(self, existing: Existing | None) -> None:
        """Take over what a file holds."""
        for name, parts in (existing or {}).items():
            if name in self.adapters:
                self.adapters[name].continue_from(parts)

    def through(self, saved: SavedState | None, save_every: int, on_step: OnStep) -> Trained:
        """Run all remaining steps."""
        losses = (saved.read(self.adapters, self.optimizer) if saved else None) or []
        resumed_at, steps = len(losses), self.options.steps
        with ExitStack() as stack:
            stack.enter_context(_normal_weights(self.network))
            stack.enter_context(attached(self.network, self.adapters, self.checkpoint))
            if self.options.gradient_checkpointing:
                stack.enter_context(computed_twice(self.network))
            for step in range(resumed_at, steps):
                try:
                    losses.append(self.step(step))
                except Stopped:
                    if saved and losses:
                        saved.write(self.adapters, self.optimizer, losses)
                    raise
                except torch.OutOfMemoryError as error:
                    raise OutOfMemoryError(
                        "a step of the training does not fit into memory; choose a smaller batch, "
                        "smaller pictures or gradient checkpointing"
                    ) from error
                if saved and (step + 1) % save_every == 0 and step + 1 < steps:
                    saved.write(self.adapters, self.optimizer, losses)
                on_step(step + 1, steps, losses)
        return Trained(self.tensors(), losses, resumed_at)

    def step(self, step: int) -> float:
        """Run one step of the optimizer; returns its mean loss."""
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for part in range(self.options.accumulation):
            self.checkpoint()
            loss = self.loss(generator_of(self.options.seed, step, part))
            (loss / self.options.accumulation).backward()
            total += loss.item() / self.options.accumulation
        refuse_unless_finite(total, step + 1)
        self.checkpoint()
        self.optimizer.step()
        return total

    def loss(self, generator: torch.Generator) -> Tensor:
        """The loss of one batch, drawn with the generator."""
        samples = self.draw(generator)
        clean = torch.cat([sample.clean for sample in samples])
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        clean = clean.to(self.device)
        levels = self.parameterization.sigmas
        drawn = torch.randint(len(levels), (len(clean),), generator=generator).to(levels.device)
        sigma = levels[drawn]
        x = self.parameterization.add_noise(sigma, noise, clean)
        output = self.model.family.predict(
            self.network,
            self.parameterization.scale_input(x, sigma).to(self.dtype),
            self.parameterization.timestep(sigma).float(),
            batch_inputs(samples, self.device, self.dtype),
            control=None,
            hooks=None if self.model.hooks.is_empty else self.model.hooks,
            checkpoint=self.checkpoint,
        )
        target = target_of(self.parameterization, x, sigma, clean)
        return LOSSES[self.options.loss_function](output.float(), target)

    def draw(self, generator: torch.Generator) -> Group:
        """Draw a batch: a group by its share of all pictures, and distinct pictures of it."""
        sizes = torch.tensor([float(len(group)) for group in self.groups])
        group = self.groups[int(torch.multinomial(sizes, 1, generator=generator))]
        order = torch.randperm(len(group), generator=generator)[: self.options.batch_size]
        return [group[index] for index in order.tolist()]

    def tensors(self) -> dict[str, Tensor]:
        """The adapter as a file holds it."""
        dtype = DTYPES[self.options.lora_dtype]
        named = file_names(self.model.family.lora_names(self.model.config))
        return {
            f"{named(name)}.{ending}": value.detach().to("cpu", dtype).contiguous()
            for name, adapter in self.adapters.items()
            for ending, value in adapter.stored().items()
        }


@contextmanager
def _normal_weights(network: nn.Module) -> Iterator[None]:
    """Copy weights that were read in inference mode, which autograd cannot use."""
    before: list[tuple[nn.Module, str, nn.Parameter | None]] = []
    for part in network.modules():
        for name, parameter in part._parameters.items():  # noqa: SLF001 - without re-registering
            if parameter is not None and parameter.is_inference():
                before.append((part, name, parameter))
                part._parameters[name] = nn.Parameter(parameter.clone(), requires_grad=False)  # noqa: SLF001
    try:
        yield
    finally:
        for part, name, parameter in before:
            part._parameters[name] = parameter  # noqa: SLF001


@contextmanager
def attached(
    network: nn.Module, adapters: Mapping[str, Adapter], checkpoint: Checkpoint = lambda: None
) -> Iterator[None]:
    """Attach adapters to the network's layers; `checkpoint` is called in the backward pass, too."""

    def hook(adapter: Adapter, layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        assert isinstance(layer, nn.Linear | nn.Conv2d)  # noqa: S101 - `make_adapters` chose it
        changed = adapter.changed(layer, inputs[0], output)
        if changed.requires_grad:
            changed.register_hook(lambda _: checkpoint())
        return changed

    layers = dict(network.named_modules())
    hooks = [
        layers[name].register_forward_hook(partial(hook, adapter))
        for name, adapter in adapters.items()
    ]
    try:
        yield
    finally:
        for each in hooks:
            each.remove()


@contextmanager
def computed_twice(network: nn.Module) -> Iterator[None]:
    """Let the network's blocks save only their inputs for the backward pass."""
    blocks = list(_units(network))
    for block in blocks:
        block.forward = OwnForward(computed_again, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def _units(module: nn.Module) -> Iterator[nn.Module]:
    """The largest submodules that are called and hold no list of blocks.

    A stage or transformer of many blocks would be computed again as a whole, all of it in memory.
    """
    for child in module.children():
        is_called = type(child).forward is not nn.Module.forward
        if is_called and not any(isinstance(part, nn.ModuleList) for part in child.modules()):
            yield child
        else:
            yield from _units(child)
