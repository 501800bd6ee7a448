"""Control networks as values on wires: opened from files, applied to conditionings.

A conditioning entry may have a chain of them, each with a picture, a strength and a time range.
`control_run.py` evaluates them in a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.control.detect import find_control
from engine.control.kind import ControlKind, OnModel
from engine.errors import NodeError, WeightsError
from engine.families.detect import other_part
from engine.inference.load import module_weights
from engine.inference.values import Conditioning, Model
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
    """

    net: ControlNet
    picture: Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    previous: Control | None = None

    @property
    def chain(self) -> tuple[Control, ...]:
        """The whole chain, the first applied first."""
        return (*(self.previous.chain if self.previous else ()), self)


def load_control(path: Path, *, dtype: torch.dtype | None = None) -> ControlNet:
    """The control network of a file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, foreign or incomplete, or of a kind that is not supported
            yet.
    """
    weights = open_weights(path)
    found = find_control(weights)
    if found is None:
        raise WeightsError(other_part(weights, wanted="a control network"))
    kind, config = found.kind, found.config
    title, wants = f"{weights.origin}, {kind.name}", Wants(dtype=dtype, packed=True)
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


def controlled(
    conditionings: Sequence[Conditioning], control: Control, *, also_negative: bool
) -> list[list[list[Any]]]:
    """The conditionings with one more control network at each entry.

    Entries with the same chain before share the longer one, and may share calls.
    """
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


def chain_of(extras: Mapping[str, Any]) -> tuple[Control, ...]:
    """The control networks of an entry, the first applied first."""
    control: Control | None = extras.get(ENTRY)
    return control.chain if control else ()
