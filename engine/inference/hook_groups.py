"""Hooks: changes of weights that belong to conditioning entries, with a strength over time.

These are the values of HOOKS wires. Entries with different hook groups never share a call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Self, cast

from torch import Tensor

from engine.adapters.names import DENOISER
from engine.adapters.read import Adapter
from engine.diffusion.parameterization import Parameterization
from engine.diffusion.regions import Call, Region
from engine.families.family import Checkpoint
from engine.inference.adapters import matched_with
from engine.inference.merging import moved_patches
from engine.inference.values import Clip, ClipHooks, Hook, HookGroup, Keyframe, Model, TextPart
from engine.residency.handles import PatchedWeights, Weights
from engine.residency.manager import Residency
from engine.residency.sources import Patches


@dataclass(frozen=True, slots=True)
class AdapterChanges:
    """A LoRA or similar adapter as a hook."""

    adapter: Adapter

    def of_model(self, model: Model, strength: float) -> Patches:
        """See `Changes`."""
        return matched_with(self.adapter, model, None).patches(DENOISER, strength)

    def of_clip(self, clip: Clip, strength: float) -> Mapping[str, Patches]:
        """See `Changes`."""
        matched = matched_with(self.adapter, None, clip)
        return {name: matched.patches(name, strength) for name in clip.parts}


@dataclass(frozen=True, slots=True)
class ModelChanges:
    """A whole checkpoint as a hook: its difference from the model it is applied to."""

    net: Weights
    texts: Mapping[str, TextPart] = field(hash=False)

    def of_model(self, model: Model, strength: float) -> Patches:
        """See `Changes`."""
        return moved_patches(model.net.base, self.net, strength)

    def of_clip(self, clip: Clip, strength: float) -> Mapping[str, Patches]:
        """See `Changes`."""
        return {
            name: moved_patches(part.weights.base, self.texts[name].weights, strength)
            for name, part in clip.parts.items()
            if name in self.texts
            and not part.weights.is_missing
            and not self.texts[name].weights.is_missing
        }


def with_keyframes(group: HookGroup, keyframes: Sequence[Keyframe]) -> HookGroup:
    """The group with other keyframes for every hook."""
    return tuple(replace(hook, keyframes=tuple(keyframes)) for hook in group)


def clip_with(clip: Clip, group: HookGroup, multipliers: Sequence[float]) -> Clip:
    """The text encoders with a group's hooks applied, each with its multiplier."""
    parts = dict(clip.parts)
    for hook, multiplier in zip(group, multipliers, strict=True):
        strength = hook.strength_clip * multiplier
        if strength == 0.0:
            continue
        for name, patches in hook.changes.of_clip(clip, strength).items():
            part = parts[name]
            parts[name] = replace(part, weights=PatchedWeights(part.weights, patches))
    return replace(clip, parts=parts)


def clip_times(hooks: ClipHooks) -> list[tuple[dict[str, float], list[float]]]:
    """The encodings of a prompt over time: (the entry's times, each hook's multiplier), in order.

    Without a schedule a single one, with the first keyframes.
    """
    moments = sorted({0.0, *(each.start for hook in hooks.group for each in hook.keyframes)})
    if not hooks.scheduled or len(moments) == 1:
        return [({}, [_multiplier(hook, 0.0) for hook in hooks.group])]
    found: list[tuple[dict[str, float], list[float]]] = []
    for start, end in zip(moments, [*moments[1:], 1.0], strict=True):
        multipliers = [_multiplier(hook, start) for hook in hooks.group]
        if found and found[-1][1] == multipliers:
            found[-1][0]["clip_end_percent"] = end
        else:
            found.append(({"clip_start_percent": start, "clip_end_percent": end}, multipliers))
    return found


def _multiplier(hook: Hook, time: float) -> float:
    """The multiplier of the last keyframe that has started; of the first if none has."""
    begun = [each for each in hook.keyframes if each.start <= time] or hook.keyframes[:1]
    return begun[-1].strength if begun else 1.0


class _Clock:
    """Selects a hook's keyframe: the last started one, each for its minimum number of steps."""

    def __init__(self, keyframes: Sequence[Keyframe], levels: Parameterization) -> None:
        self._keyframes = keyframes
        self._starts = [levels.percent_to_sigma(each.start) for each in keyframes]
        self._first = math.nan
        self._sigma = math.nan
        self._now = 0
        self._used = 0

    def multiplier(self, sigma: float) -> float:
        """The multiplier at this noise level; must be called in the order of sampling."""
        if not self._keyframes:
            return 1.0
        if math.isnan(self._first):
            self._first = sigma
        if sigma != self._sigma:  # another step
            self._sigma = sigma
            if self._used >= self._least(self._now):
                self._advance(sigma)
            self._used += 1
        return self._keyframes[self._now].strength

    def _advance(self, sigma: float) -> None:
        for index in range(self._now + 1, len(self._keyframes)):
            if sigma > self._starts[index]:
                return
            self._now, self._used = index, 0
            if self._least(index):
                return

    def _least(self, index: int) -> int:
        """The minimum number of steps of a keyframe; 0 if it ended before this run began."""
        keyframe = self._keyframes[index]
        return 0 if keyframe.start > 0 and self._starts[index] > self._first else keyframe.steps


class WeightSwitch:
    """Loads the weights with the patches of a call's hook group, and the model's after the run.

    The last group's weights stay until another is needed, so that consecutive steps load nothing.
    """

    def __init__(
        self,
        model: Model,
        levels: Parameterization,
        residency: Residency,
        checkpoint: Checkpoint = lambda: None,
    ) -> None:
        self._model = model
        self._checkpoint = checkpoint
        self._levels = levels
        self._residency = residency
        self._clocks: dict[Hook, _Clock] = {}
        self._patched: dict[tuple[HookGroup, tuple[float, ...]], Weights] = {}
        self._stack = ExitStack()
        self._in_place: Weights = model.net

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the model's weights."""
        self._stack.close()

    def switching(self, call: Call) -> Call:
        """The same call with the weights of its entries' hook group."""

        def switched(
            x: Tensor, sigma: Tensor, inputs: Mapping[str, Tensor], entries: Sequence[Region]
        ) -> Tensor:
            self.put(cast("HookGroup", entries[0].hooks), float(sigma.flatten()[0]))
            return call(x, sigma, inputs, entries)

        return switched

    def put(self, group: HookGroup, sigma: float) -> None:
        """Load the weights of a group at this noise level."""
        wanted = self._weights(group, sigma)
        if wanted is self._in_place:
            return
        self._stack.close()
        if wanted is not self._model.net:
            self._stack.enter_context(self._residency.use(wanted, checkpoint=self._checkpoint))
        self._in_place = wanted

    def _weights(self, group: HookGroup, sigma: float) -> Weights:
        multipliers = tuple(self._clock(hook).multiplier(sigma) for hook in group)
        key = (group, multipliers)
        if key not in self._patched:
            weights: Weights = self._model.net
            for hook, multiplier in zip(group, multipliers, strict=True):
                strength = hook.strength_model * multiplier
                if strength != 0.0:
                    patches = hook.changes.of_model(self._model, strength)
                    weights = PatchedWeights(weights, patches) if patches else weights
            self._patched[key] = weights
        return self._patched[key]

    def _clock(self, hook: Hook) -> _Clock:
        if hook not in self._clocks:
            self._clocks[hook] = _Clock(hook.keyframes, self._levels)
        return self._clocks[hook]
