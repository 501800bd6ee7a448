"""Finds the tensors that an adapter changes, and those of the adapter that match nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.adapters.algorithms.table import SCALE, WEIGHT, changes
from engine.adapters.change import AdapterPatch, Change
from engine.adapters.names import DENOISER, Place, Target, place
from engine.adapters.parts import Parts
from engine.adapters.read import Adapter
from engine.adapters.rows import OfRows, Rows
from engine.errors import WeightsError

_SECOND, _THIRD = "clip_g", "t5xxl"
_THIRD_NUMBER = 2


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One change and its target.

    Attributes:
        part: `denoiser`, or a text encoder's name.
        tensor: its name in the network.
        source: see `AdapterPatch`.
    """

    part: str
    tensor: str
    change: Change
    source: tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """The result of matching an adapter with a model.

    Attributes:
        found: the changes.
        unmatched: names of modules and tensors in the file that no part of the model has.
        misfits: a sentence for each module that exists with another shape.
        left_out: the number of tensors for parts that were not passed.
    """

    found: tuple[Found, ...]
    unmatched: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()
    left_out: int = 0

    def patches(self, part: str, strength: float) -> dict[str, tuple[AdapterPatch, ...]]:
        """The patches of one part by tensor; none at strength 0."""
        patches: dict[str, tuple[AdapterPatch, ...]] = {}
        if strength == 0.0:
            return patches
        for each in self.found:
            if each.part == part:
                patch = AdapterPatch(each.source, strength, each.change)
                patches[each.tensor] = (*patches.get(each.tensor, ()), patch)
        return patches


def match(adapter: Adapter, targets: Mapping[str, Target]) -> Match:
    """Match an adapter with the parts of a model.

    Args:
        adapter: the adapter.
        targets: `denoiser`, and text encoders by name in the family's order; parts that are absent
            are not changed.
    """
    collected = _Collected(adapter, targets)
    for parts in adapter.modules.values():
        collected.add(parts)
    return Match(
        tuple(collected.found),
        (*collected.unmatched, *adapter.unknown),
        tuple(collected.misfits),
        collected.left_out,
    )


@dataclass(slots=True)
class _Collected:
    adapter: Adapter
    targets: Mapping[str, Target]
    found: list[Found] = field(default_factory=list[Found])
    unmatched: list[str] = field(default_factory=list[str])
    misfits: list[str] = field(default_factory=list[str])
    left_out: int = 0

    def add(self, parts: Parts) -> None:
        where = place(parts.module)
        if not self._is_offered(where):
            self.left_out += len(parts.entries)
            return
        hit = next(self._candidates(where), None)
        if hit is None:
            self.unmatched.append(parts.module)
            return
        made = list(changes(parts))
        for number, (tensor, change) in enumerate(made):
            source = (self.adapter, parts.module, number, hit[1])
            self._take(parts, hit, tensor, change, source)
        if not made:
            self.misfits.append(f"{parts.module} has only {', '.join(parts.entries)}")

    def _take(
        self,
        parts: Parts,
        hit: tuple[str, str | Rows],
        tensor: str,
        change: Change,
        source: tuple[object, ...],
    ) -> None:
        part, module = hit
        base = module.module if isinstance(module, Rows) else module
        shapes = self.targets[part].shapes
        if tensor == SCALE and f"{base}.{SCALE}" not in shapes:
            tensor = WEIGHT  # a norm's values have both names
        name = f"{base}.{tensor}"
        shape = shapes.get(name)
        if shape is None:
            self.misfits.append(f"{parts.module} changes a {tensor}, which its target has not")
            return
        if isinstance(module, Rows):
            change = OfRows(change, module)
        try:
            if tensor == WEIGHT:
                parts.check_reshaped(module.shape(shape) if isinstance(module, Rows) else shape)
            change.check(shape)
        except WeightsError as error:
            self.misfits.append(str(error))
            return
        self.found.append(Found(part, name, change, source))

    def _is_offered(self, where: Place) -> bool:
        if where.is_text:
            return any(part != DENOISER for part in self.targets)
        return where.part is None or DENOISER in self.targets

    def _candidates(self, where: Place) -> Iterator[tuple[str, str | Rows]]:
        """(part, module or rows of one) of every place that the name may refer to."""
        encoders = [part for part in self.targets if part != DENOISER]
        if where.part is None:
            parts = list(self.targets)
        elif where.part == DENOISER:
            parts = [DENOISER]
        elif where.part.isdecimal():
            parts = _numbered(encoders, int(where.part))
        else:
            parts = [where.part]
        for part in parts:
            target = self.targets.get(part)
            module = target.find(where.name) if target else None
            if module is not None:
                yield part, module


def _numbered(encoders: Sequence[str], number: int) -> Sequence[str]:
    """The encoder that has that number in files.

    CLIP bigG is the second even if it is the only one, as in Stable Diffusion XL's refiner. The
    third of Stable Diffusion 3 is T5, which programs also call the third where it is the second.
    """
    if list(encoders) == [_SECOND]:
        return encoders if number == 1 else ()
    if number == _THIRD_NUMBER and len(encoders) <= number:
        return [name for name in encoders if name == _THIRD]
    return encoders[number : number + 1]
