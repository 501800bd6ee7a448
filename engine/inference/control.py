"""Control networks as values on wires: opened from files, applied to conditionings.

A conditioning entry may bring a chain of them, each with a picture, a strength and a time. What
they do in a run is `control_run.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.control.detect import find_control
from engine.control.kind import ControlKind
from engine.errors import WeightsError
from engine.families.detect import recognise
from engine.inference.load import module_weights
from engine.inference.values import Conditioning, Model
from engine.residency.carriers import Wants
from engine.residency.carriers import patched as with_patches
from engine.residency.handles import PatchedWeights, Weights
from engine.residency.sources import Patch, Source
from engine.weights.open import open_weights

ENTRY = "control"
"""Under which name a conditioning entry brings its chain."""
ALSO_NEGATIVE = "control_apply_to_uncond"
"""Whether entries of the other conditionings that bring none get the same."""


@dataclass(frozen=True, slots=True)
class ControlNet:
    """A control network: what kind it is, its sizes, its weights with their patches."""

    kind: ControlKind
    config: Any
    weights: Weights

    @property
    def is_difference(self) -> bool:
        """Whether its weights are to be added to those of a model, see `on_top_of`."""
        return self.kind.is_difference(self.config)


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """One control network at work, and those before it in the chain.

    Attributes:
        net: what computes.
        picture: [B, H, W, 3] in 0..1, one for all rows of a batch or one for each.
        strength: what its residuals are multiplied by.
        start, end: shares of the run, 0..1, between which it works.
        previous: whose residuals are added to; None at the end of the chain.
    """

    net: ControlNet
    picture: Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    previous: Control | None = None

    @property
    def chain(self) -> tuple[Control, ...]:
        """All of the chain, the first that was applied first."""
        return (*(self.previous.chain if self.previous else ()), self)


def load_control(path: Path, *, dtype: torch.dtype | None = None) -> ControlNet:
    """The control network of a file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, foreign or incomplete, or of a kind that cannot be used yet.
    """
    weights = open_weights(path)
    found = find_control(weights)
    if found is None:
        name = recognise(weights)
        raise WeightsError(
            f"{weights.origin}: no control network: "
            f"{f'this is {name}' if name else 'of no known kind'}; choose a ControlNet file."
        )
    kind, config = found.kind, found.config
    net = module_weights(
        f"{weights.origin}, {kind.name}",
        lambda: kind.build(config),
        found.tensors,
        Wants(dtype=dtype, packed=True),
    )
    return ControlNet(kind, config, net)


def on_top_of(control: ControlNet, model: Model) -> ControlNet:
    """A control network whose file holds differences: its weights are added to the model's.

    Those of the model count as they are patched; tensors that only one of them has stay.
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
    """A patch that adds another network's tensor, patched as it is there.

    The sum is rounded to `dtype`, that of the file of differences, as those who made it had it.
    """

    source: Source
    patches: tuple[Patch, ...]
    dtype: torch.dtype

    def apply(self, weight: Tensor) -> Tensor:
        """See `engine.residency.sources.Patch`."""
        parts = tuple(part.to(weight.device) for part in self.source.read_parts())
        added = with_patches(self.source.unpack(parts, weight.dtype), self.patches)
        return (weight + added.to(self.dtype).to(weight.dtype)).to(self.dtype).to(weight.dtype)


def controlled(
    conditionings: Sequence[Conditioning], control: Control, *, also_negative: bool
) -> list[list[list[Any]]]:
    """The conditionings with one control network more at each entry.

    Entries with the same chain so far share the longer one, and may share calls.
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
    """The control networks that an entry brings, the first applied first."""
    control: Control | None = extras.get(ENTRY)
    return control.chain if control else ()


def shared_with_others(
    conditionings: Mapping[str, Conditioning],
) -> dict[str, Conditioning]:
    """Conditionings whose entries got the chains that others bring for them, too.

    Entries about the whole picture share theirs with those of the other conditionings that have
    none; where there are fewer of those, further copies of them are made.
    """
    found = {name: list(entries) for name, entries in conditionings.items()}
    for name, entries in conditionings.items():
        chains = [
            extras[ENTRY]
            for _, extras in entries
            if extras.get(ENTRY) is not None and extras.get(ALSO_NEGATIVE) and _is_whole(extras)
        ]
        for other, theirs in tuple(found.items()):
            if other != name and chains:
                found[other] = _with_chains(theirs, chains)
    return dict(found)


def _with_chains(entries: Sequence[Sequence[Any]], chains: Sequence[Control]) -> list[Any]:
    """The entries, the k-th chain at the k-th one that is about the whole picture."""
    whole = [index for index, (_, extras) in enumerate(entries) if _is_whole(extras)]
    if any(entries[index][1].get(ENTRY) is not None for index in whole):
        return list(entries)
    found: list[Any] = list(entries)
    for number, chain in enumerate(chains if whole else ()):
        index = whole[number % len(whole)]
        tensor, extras = entries[index]
        entry = [tensor, {**extras, ENTRY: chain}]
        if number < len(whole):
            found[index] = entry
        else:
            found.append(entry)
    return found


def _is_whole(extras: Mapping[str, Any]) -> bool:
    return extras.get("area") is None
