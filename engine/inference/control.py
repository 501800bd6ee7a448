"""Control networks as values on wires: opened from files, applied to conditionings.

A conditioning entry may have a chain of them, each with a picture, a strength and a time range.
`control_run.py` evaluates them in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.control.detect import find_control
from engine.control.kind import ControlKind, OnModel
from engine.errors import NodeError, WeightsError
from engine.families.detect import other_part
from engine.inference.load import module_weights
from engine.inference.values import Conditioning, Model, Vae
from engine.nets.hooks import Residuals
from engine.residency.carriers import Wants, part_bytes
from engine.residency.carriers import patched as with_patches
from engine.residency.handles import LazyWeights, MissingWeights, PatchedWeights, Weights
from engine.residency.sources import Patch, Source
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict

ENTRY = "control"
"""The key of the chain in a conditioning entry."""
ALSO_NEGATIVE = "control_apply_to_uncond"
"""The key of the flag: entries of other conditionings that have no chain get the same one."""


class Changes:
    """A file of changes of a denoiser's weights, whose network is made once per denoiser."""

    def __init__(self, kind: ControlKind, config: Any, tensors: StateDict, wants: Wants) -> None:
        self._kind = kind
        self._wants = wants
        self._config = config
        self._tensors = tensors
        self._made: WeakKeyDictionary[Weights, tuple[OnModel, Weights]] = WeakKeyDictionary()

    def on(self, model: Weights) -> ControlNet:
        """The control network on these weights with their patches. Reads no tensor.

        Raises:
            NodeError: the file was made for another model.
        """
        kind, base = self._kind, model.base
        if base not in self._made:
            found = kind.on_model(self._config, self._tensors, base)
            net = LazyWeights(
                f"{self._tensors.origin}, {kind.name}",
                sum(part_bytes(source) for source in found.sources.values()),
                lambda: kind.build(found.config),
                sources=found.sources,
                wants=self._wants,
                forget=self._tensors.forget,
            )
            self._made[base] = found, net
        found, net = self._made[base]
        theirs = {
            name: model.patches.get(name, ())
            for name, source in found.sources.items()
            if source is base.sources.get(name)
        }
        patches = {name: (*theirs.get(name, ()), *found.patches.get(name, ())) for name in theirs}
        return ControlNet(kind, found.config, PatchedWeights(net, patches))


@dataclass(frozen=True, slots=True)
class ControlNet:
    """A control network: its kind, its sizes, its weights with their patches.

    Attributes:
        kind, config, weights: see above; if there are `changes`, before the model is known.
        changes: the file's, if it holds changes of a denoiser's weights.
    """

    kind: ControlKind
    config: Any
    weights: Weights
    changes: Changes | None = None

    @property
    def is_difference(self) -> bool:
        """Whether its weights must be added to those of a model, see `on_top_of`."""
        return self.kind.is_difference(self.config)

    @property
    def types(self) -> int:
        """The number of types of pictures among which the user chooses; 0 without a choice."""
        return self.kind.types(self.config)

    def on(self, model: Weights) -> ControlNet:
        """The control network in a run with a denoiser of these weights.

        Raises:
            NodeError: it was made for another model.
        """
        return self.changes.on(model) if self.changes else self

    def of_type(self, number: int | None) -> ControlNet:
        """The control network for one type of picture; None: no type.

        One without types is unchanged. Raises `NodeError` if there is no such type.
        """
        return replace(self, config=self.kind.of_type(self.config, number))


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """One application of a control network, and those before it in the chain.

    Attributes:
        net: the control network.
        picture: [B, H, W, 3] in 0..1, one for all rows of a batch or one per row.
        strength: the factor of its residuals.
        start, end: shares of the run, 0..1, between which it is active.
        previous: the application whose residuals are added to these; None at the end of the chain.
        vae: encodes the picture for a network that takes it encoded.
        mask: [1 or more, H, W], 1 in a hole of the picture, for a network that takes one.
    """

    net: ControlNet
    picture: Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    previous: Control | ForeignControl | None = None
    vae: Vae | None = None
    mask: Tensor | None = None

    @property
    def chain(self) -> tuple[Control | ForeignControl, ...]:
        """The whole chain, the first applied first."""
        return (*(self.previous.chain if self.previous else ()), self)


@runtime_checkable
class ForeignControl(Protocol):
    """An application that is evaluated elsewhere, such as a plugin's, in place of a `Control`."""

    @property
    def chain(self) -> tuple[Any, ...]:
        """The links of the chain, the first applied first; itself is the last."""
        ...

    @property
    def weights(self) -> tuple[Weights, ...]:
        """Weights that stay on the device for the run."""
        ...

    def start(self, model: Model, to_sigma: Callable[[float], float]) -> None:
        """A run begins; `to_sigma` maps shares of the run, 0..1."""
        ...

    def residuals(
        self,
        x: Tensor,
        sigma: Tensor,
        inputs: Mapping[str, Tensor],
        options: Mapping[str, Any],
        entries: int,
    ) -> Residuals | None:
        """The residuals for one call of the denoiser, or None.

        Args:
            x: [N, C, ...], noisy, not scaled.
            sigma: [N].
            inputs: of the denoiser.
            options: `transformer_options` of the call.
            entries: the number of entries that share the call, N / entries rows each.
        """
        ...

    def end(self) -> None:
        """The run ended, whatever the reason."""
        ...


def load_control(path: Path, *, dtype: torch.dtype | None = None) -> ControlNet:
    """The control network of a file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, foreign or incomplete, or of a kind that is not supported
            yet.
    """
    return control_of(open_weights(path), dtype=dtype)


def control_of(weights: StateDict, *, dtype: torch.dtype | None = None) -> ControlNet:
    """The control network of an open file; see `load_control`."""
    found = find_control(weights)
    if found is None:
        raise WeightsError(other_part(weights, wanted="a control network"))
    kind, config = found.kind, found.config
    title = f"{weights.origin}, {kind.name}"
    wants = Wants(dtype=dtype, dtypes=tuple(kind.dtypes(config)), packed=True)
    if kind.needs_model(config):
        missing = MissingWeights(title, "it is complete only on the weights of a model.")
        return ControlNet(kind, config, missing, Changes(kind, config, found.tensors, wants))
    net = module_weights(title, lambda: kind.build(config), found.tensors, wants)
    return ControlNet(kind, config, net)


def on_top_of(control: ControlNet, model: Model) -> ControlNet:
    """Add the weights of a control network whose file holds differences to the model's.

    The model's patches apply; tensors that only one of them has are unchanged.
    """
    base = model.net
    patches: dict[str, tuple[Patch, ...]] = {
        name: (AddedWeight(base.sources[name], base.patches.get(name, ()), source.dtype),)
        for name, source in control.weights.sources.items()
        if name in base.sources and base.sources[name].shape == source.shape
    }
    return replace(control, weights=PatchedWeights(control.weights, patches))


@dataclass(frozen=True, slots=True)
class AddedWeight:
    """A patch that adds another network's tensor, with its patches.

    The sum is rounded to `dtype`, that of the file of differences, as in its training.
    """

    source: Source
    patches: tuple[Patch, ...]
    dtype: torch.dtype

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        parts = tuple(part.to(weight.device) for part in self.source.read_parts())
        added = with_patches(self.source.unpack(parts, weight.dtype), self.patches)
        return (weight + added.to(self.dtype).to(weight.dtype)).to(self.dtype).to(weight.dtype)


def with_hole(control: ControlNet, picture: Tensor, mask: Tensor) -> Tensor:
    """The picture for a control network for inpainting, with a hole where a mask is over 0.5.

    Args:
        control: the network.
        picture: [B, H, W, C] in 0..1.
        mask: [1 or more, h, w] or [h, w], of any size. Pictures and masks, whichever are fewer, are
            repeated from the first.

    Raises:
        NodeError: it is not known how such a network expects the hole.
    """
    value = control.kind.hole(control.config)
    if value is None:
        raise NodeError(
            f"it is not known how a {control.kind.name} expects a hole in its picture; draw the "
            "picture as its author describes and use Apply ControlNet, or choose a ControlNet for "
            "inpainting, such as control_v11p_sd15_inpaint"
        )
    if mask.numel() == 0:
        raise NodeError("the mask is empty; connect a mask with at least one pixel")
    mask = mask.float().reshape(-1, 1, *mask.shape[-2:])
    mask = interpolate(mask, tuple(picture.shape[1:3]), mode="bilinear")[:, 0, :, :, None]
    rows = torch.arange(max(len(picture), len(mask)))
    filled = mask[rows % len(mask)] > 0.5
    return picture[rows % len(picture)].where(~filled, torch.tensor(value))


def check_encoder(control: Control) -> None:
    """Refuse an application whose network takes an encoded picture, but not from this autoencoder.

    Raises:
        NodeError: there is no VAE, or one of another model.
    """
    kind, config = control.net.kind, control.net.config
    latent = kind.latent(config)
    if latent is None:
        return
    name, made_for = control.net.weights.name, kind.made_for(config)
    if control.vae is None:
        raise NodeError(
            f"{name} takes an encoded picture, but there is no VAE; connect the one of {made_for} "
            "to the vae input of Apply ControlNet (ControlNetApplyAdvanced)"
        )
    found = control.vae.latent
    if (found.channels, found.downscale) != (latent.channels, latent.downscale):
        raise NodeError(
            f"{name} takes pictures encoded with the VAE of {made_for} ({latent.channels} "
            f"channels, {latent.dims} axes), the connected VAE makes latents of {found.channels} "
            f"channels and {found.dims} axes; connect the VAE of {made_for}"
        )


def check_model(net: ControlNet, model: Model) -> None:
    """Refuse a control network that was made for another model. Raises `NodeError`."""
    if net.kind.fits(net.config, model.family, model.config):
        return
    raise NodeError(
        f"{net.weights.name} was made for {net.kind.made_for(net.config)}, but the model is "
        f"{model.net.name}, of the family {model.family.name}; choose a control network that was "
        "made for it"
    )


def controlled(
    conditionings: Sequence[Conditioning], control: Control, *, also_negative: bool
) -> list[list[list[Any]]]:
    """The conditionings with one more control network at each entry.

    Entries with the same chain before share the longer one, and may share calls.

    Raises:
        NodeError: it needs a VAE, see `check_encoder`.
    """
    check_encoder(control)
    longer: dict[int, Control] = {}

    def behind(previous: Control | None) -> Control:
        if id(previous) not in longer:
            longer[id(previous)] = replace(control, previous=previous)
        return longer[id(previous)]

    return [
        [
            [tensor, {**extras, ENTRY: behind(extras.get(ENTRY)), ALSO_NEGATIVE: also_negative}]
            for tensor, extras in entries
        ]
        for entries in conditionings
    ]


def chain_of(extras: Mapping[str, Any]) -> tuple[Control | ForeignControl, ...]:
    """The control networks of an entry, the first applied first."""
    control: Control | ForeignControl | None = extras.get(ENTRY)
    return control.chain if control else ()
