"""The values on the wires between nodes: Model, Clip, Vae, Noise, Sampler, Guider.

Frozen: a node that changes one returns a changed copy (`dataclasses.replace`), so that cached
results stay valid. IMAGE, MASK, LATENT, CONDITIONING and SIGMAS are plain tensors, dicts and lists
(see nodes/sockets.py), because plugins access their contents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.diffusion.context_windows import ContextWindows
from engine.diffusion.guidance import (
    Evaluate,
    Guidance,
    Hooks,
    Predictions,
    doubly_guided,
    guided,
    unguided,
)
from engine.diffusion.guidance_variants import perpendicular
from engine.diffusion.noise import continued_generator, initial_noise
from engine.diffusion.parameterization import Parameterization
from engine.diffusion.regions import Region
from engine.diffusion.samplers.table import SamplerSpec
from engine.families.autoencoders import AutoencoderKind
from engine.families.family import ModelFamily, Run, TextPlan
from engine.families.latent_format import LatentFormat
from engine.inference.network_hooks import NetworkHooks
from engine.nets.hooks import NetHooks
from engine.residency.handles import Weights
from engine.residency.sources import Patches
from engine.text.encoder import TextEncoder

LatentOperation = Callable[[Tensor], Tensor]
"""A function of a latent tensor, as LatentApplyOperation uses it."""
Conditioning = Sequence[Sequence[Any]]
"""Entries `[tensor [1, T, D], dict]`, the value of a CONDITIONING wire."""


@dataclass(frozen=True, slots=True)
class Model:
    """A denoiser and how to sample with it.

    Attributes:
        net: its weights, with their patches.
        guidance: replaces or follows plain classifier-free guidance.
        hooks: functions that are called inside the network.
        options: values that plugins attach.
        per_run: changes of the model for one run, made at its start in this order: patches with
            random numbers, or with state between steps.
        mask_at: the noise mask of a step; None: the same at every step.
        around_calls: factories of hooks around each call of the network, the last added outermost.
            They are called for the plain evaluation, and for each with changed hooks.
        network: plugins' hooks around the network as a whole.
        windows: the parts in which a long video is predicted; None: as a whole.
    """

    family: ModelFamily
    config: Any
    net: Weights
    latent: LatentFormat
    parameterization: Parameterization
    guidance: Guidance = field(default_factory=Guidance)
    hooks: NetHooks = field(default_factory=NetHooks)
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    per_run: tuple[PerRun, ...] = ()
    mask_at: MaskAt | None = None
    around_calls: tuple[Callable[[], AroundCall], ...] = ()
    network: NetworkHooks = field(default_factory=NetworkHooks)
    windows: ContextWindows | None = None


@dataclass(frozen=True, eq=False)
class Start:
    """The start of a run, as patches see it.

    Attributes:
        run: its latent, mask and seed.
        sigmas: [steps + 1], falling, on the CPU.
        batch_index: of the latent, see `initial_noise`.
    """

    run: Run
    sigmas: Tensor
    batch_index: Sequence[int] | None = None

    @cached_property
    def generator(self) -> torch.Generator:
        """The CPU's random numbers of this run: one sequence for all patches that draw.

        It continues the sequence of the initial noise, as in the incumbent, so that seeds give the
        same pictures.
        """
        run = self.run
        return continued_generator(run.shape, run.seed, batch_index=self.batch_index)


AroundCall = Callable[[Tensor, Tensor, Sequence[Region], Callable[[], Tensor]], Tensor]
"""Stands for a call of the network with x [N, C, ...] as it takes it, sigma [N], and the entries
that share the call, each with as many rows; the last argument makes it."""
PerRun = Callable[[Model, Start], Model]
"""From a model to the model of one run."""
MaskAt = Callable[[Tensor, Tensor], Tensor]
"""From a noise mask [1 or B, 1, ...] and sigma [B] or [1] to the mask of that step."""


class Changes(Protocol):
    """The change of weights by a hook. Equal objects make equal changes."""

    def of_model(self, model: Model, strength: float) -> Patches:
        """The patches of a denoiser."""
        ...

    def of_clip(self, clip: Clip, strength: float) -> Mapping[str, Patches]:
        """The patches of text encoders, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A factor of a hook's strength from a time of sampling on.

    Attributes:
        strength: the factor.
        start: 0 the beginning of sampling, 1 its end.
        steps: the minimum number of steps that it is active, even if it starts late.
    """

    strength: float
    start: float
    steps: int = 1


@dataclass(frozen=True, slots=True)
class Hook:
    """A change of weights attached to entries of a conditioning.

    Attributes:
        keyframes: ordered by start; if empty, the strengths are constant.
    """

    changes: Changes
    strength_model: float
    strength_clip: float
    keyframes: tuple[Keyframe, ...] = ()


HookGroup = tuple[Hook, ...]
"""The value of a HOOKS wire, and of `hooks` in an entry; applied in this order."""


@dataclass(frozen=True, slots=True)
class ClipHooks:
    """The hooks applied while encoding prompts.

    Attributes:
        group: the hooks.
        to_entries: whether the entries pass them to the sampler too.
        scheduled: whether a prompt is encoded once for every keyframe.
    """

    group: HookGroup = ()
    to_entries: bool = True
    scheduled: bool = False


@dataclass(frozen=True, slots=True)
class TextPart:
    """One text encoder: its kind, its sizes, its weights with their patches.

    `head` is the layer of a language model that scores words, where its file has one.
    """

    encoder: TextEncoder
    config: Any
    weights: Weights
    head: Weights | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """Text encoders and how their outputs become one conditioning.

    Attributes:
        plan: the family's.
        parts: by the encoder's name, in the plan's order.
        layer: the clip skip (-1 the last layer, -2 the one before ...); None: the plan's.
        hooks: changes of weights applied while encoding prompts.
    """

    plan: TextPlan
    parts: Mapping[str, TextPart]
    layer: int | None = None
    hooks: ClipHooks = ClipHooks()


@dataclass(frozen=True, slots=True)
class Vae:
    """An autoencoder between pictures and latents; `latent` is its unscaled format."""

    kind: AutoencoderKind
    config: Any
    autoencoder: Weights
    latent: LatentFormat


class Noise(Protocol):
    """The source of the initial noise."""

    @property
    def seed(self) -> int:
        """The seed, also used for the noise that samplers add."""
        ...

    def generate_noise(self, latent: Mapping[str, Any]) -> Tensor:
        """Noise of the shape of `latent["samples"]`."""
        ...


@dataclass(frozen=True, slots=True)
class RandomNoise:
    """Unit noise by seed, one draw for the batch, or row by row according to `batch_index`."""

    seed: int

    def generate_noise(self, latent: Mapping[str, Any]) -> Tensor:
        """See `Noise`."""
        samples: Tensor = latent["samples"]
        return initial_noise(samples.shape, self.seed, batch_index=latent.get("batch_index"))


@dataclass(frozen=True, slots=True)
class DisableNoise:
    """No initial noise; the noise that samplers add is drawn from `seed`."""

    seed: int = 0

    def generate_noise(self, latent: Mapping[str, Any]) -> Tensor:
        """See `Noise`."""
        return torch.zeros(latent["samples"].shape)


@dataclass(frozen=True, slots=True)
class Sampler:
    """A sampling function with its options filled in."""

    spec: SamplerSpec
    knobs: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Guider(Protocol):
    """A model with its conditioning: everything but noise, sampler and sigmas."""

    @property
    def model(self) -> Model:
        """The model."""
        ...

    def conditionings(self) -> Mapping[str, Conditioning]:
        """Its conditionings, by names that the guider defines."""
        ...

    def guide(
        self, evaluate: Evaluate, x: Tensor, sigma: Tensor, hooks: Hooks, *, both: bool
    ) -> tuple[Tensor, Tensor]:
        """(guided, unguided) from `evaluate(*names)`; the second is valid only if `both`."""
        ...


@dataclass(frozen=True, slots=True)
class BasicGuider:
    """One conditioning, no guidance: for distilled models and those with built-in guidance."""

    model: Model
    positive: Conditioning

    def conditionings(self) -> Mapping[str, Conditioning]:
        """See `Guider`."""
        return {"positive": self.positive}

    def guide(
        self,
        evaluate: Evaluate,
        x: Tensor,
        sigma: Tensor,
        hooks: Hooks,
        *,
        both: bool,  # noqa: ARG002 - of the protocol
    ) -> tuple[Tensor, Tensor]:
        """See `Guider`."""
        return unguided(evaluate, x, sigma, hooks)


@dataclass(frozen=True, slots=True)
class CfgGuider:
    """Classifier-free guidance."""

    model: Model
    positive: Conditioning
    negative: Conditioning
    scale: float

    def conditionings(self) -> Mapping[str, Conditioning]:
        """See `Guider`."""
        return {"positive": self.positive, "negative": self.negative}

    def guide(
        self, evaluate: Evaluate, x: Tensor, sigma: Tensor, hooks: Hooks, *, both: bool
    ) -> tuple[Tensor, Tensor]:
        """See `Guider`."""
        return guided(evaluate, x, sigma, self.scale, hooks, both=both)


@dataclass(frozen=True, slots=True)
class DualCfgGuider:
    """Guidance by two conditionings, see `doubly_guided`."""

    model: Model
    positive: Conditioning
    middle: Conditioning
    negative: Conditioning
    scale: float
    middle_scale: float
    nested: bool = False

    def conditionings(self) -> Mapping[str, Conditioning]:
        """See `Guider`."""
        return {"positive": self.positive, "middle": self.middle, "negative": self.negative}

    def guide(
        self, evaluate: Evaluate, x: Tensor, sigma: Tensor, hooks: Hooks, *, both: bool
    ) -> tuple[Tensor, Tensor]:
        """See `Guider`."""
        return doubly_guided(
            evaluate,
            x,
            sigma,
            scale=self.scale,
            middle_scale=self.middle_scale,
            nested=self.nested,
            hooks=hooks,
            both=both,
        )


@dataclass(frozen=True, slots=True)
class PerpNegGuider:
    """Guidance by a negative without its part along the positive, see `perpendicular`."""

    model: Model
    positive: Conditioning
    negative: Conditioning
    empty: Conditioning
    scale: float
    negative_scale: float

    def conditionings(self) -> Mapping[str, Conditioning]:
        """See `Guider`."""
        return {"positive": self.positive, "negative": self.negative, "empty": self.empty}

    def guide(
        self,
        evaluate: Evaluate,
        x: Tensor,
        sigma: Tensor,
        hooks: Hooks,
        *,
        both: bool,  # noqa: ARG002 - of the protocol
    ) -> tuple[Tensor, Tensor]:
        """See `Guider`; the unguided prediction is that of the empty conditioning."""
        positive, negative, empty = evaluate("positive", "negative", "empty")

        def combine(predictions: Predictions) -> Tensor:
            return perpendicular(predictions, empty, self.negative_scale)

        predictions = Predictions(x, sigma, positive, negative, self.scale, evaluate)
        return replace(hooks, combine=combine).guide(predictions), empty


@dataclass(frozen=True, slots=True, eq=False)
class LoraModel:
    """An adapter in memory; the value of a LORA_MODEL wire.

    Attributes:
        identity: two with equal identity have the same tensors.
        tensors: by their names in a file.
    """

    identity: str
    tensors: Mapping[str, Tensor]
