"""The enumerations and keyframes of `comfy.hooks`."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, TypeVar

from engine.inference.values import Keyframe

Item = TypeVar("Item")


class EnumHookMode(enum.Enum):
    """When hooked weights are made; the engine decides, so this has no effect."""

    MinVram = "minvram"
    MaxSpeed = "maxspeed"


class EnumHookType(enum.Enum):
    """What a hook changes."""

    Weight = "weight"
    ObjectPatch = "object_patch"
    AdditionalModels = "add_models"
    TransformerOptions = "transformer_options"
    Injections = "add_injections"


class EnumWeightTarget(enum.Enum):
    """The network that a hook changes."""

    Model = "model"
    Clip = "clip"


class EnumHookScope(enum.Enum):
    """Whether a hook applies to all entries of a run or to those that carry it."""

    AllConditioning = "all_conditioning"
    HookedOnly = "hooked_only"


class HookRef:
    """The identity of a hook: its copies have the same."""


def get_sorted_list_via_attr(objects: Sequence[Item], attr: str) -> list[Item]:
    """Objects in the order of an attribute; equal ones keep their order."""
    return sorted(objects, key=lambda each: getattr(each, attr))


class HookKeyframe:
    """A factor of a hook's strength from a time of sampling on.

    Attributes:
        strength: the factor.
        start_percent: 0 the beginning of sampling, 1 its end.
        guarantee_steps: the least number of steps that it is active.
        start_t: the sigma at which it starts, once a run began.
    """

    def __init__(
        self, strength: float, start_percent: float = 0.0, guarantee_steps: int = 1
    ) -> None:
        self.strength = strength
        self.start_percent = float(start_percent)
        self.start_t = 999999999.9
        self.guarantee_steps = guarantee_steps

    def get_effective_guarantee_steps(self, max_sigma: float) -> int:
        """The guaranteed steps; 0 if it ended before the run began."""
        if self.start_percent > 0.0 and self.start_t > float(max_sigma):
            return 0
        return self.guarantee_steps

    def clone(self) -> HookKeyframe:
        """A copy."""
        made = HookKeyframe(self.strength, self.start_percent, self.guarantee_steps)
        made.start_t = self.start_t
        return made


class HookKeyframeGroup:
    """Keyframes in the order of their starts."""

    def __init__(self) -> None:
        self.keyframes: list[HookKeyframe] = []
        self._current_index = 0
        self._current_used_steps = 0
        self._curr_t = -1.0

    @classmethod
    def of_value(cls, keyframes: Sequence[Keyframe]) -> HookKeyframeGroup:
        """The object of a HOOK_KEYFRAMES value."""
        made = cls()
        for each in keyframes:
            made.keyframes.append(HookKeyframe(each.strength, each.start, each.steps))
        return made

    def to_value(self) -> tuple[Keyframe, ...]:
        """The frozen value."""
        return tuple(
            Keyframe(float(k.strength), k.start_percent, int(k.guarantee_steps))
            for k in self.keyframes
        )

    @property
    def _current_keyframe(self) -> HookKeyframe | None:
        return self.keyframes[self._current_index] if self.keyframes else None

    @property
    def strength(self) -> float:
        """The present factor; 1 without keyframes."""
        return self.keyframes[self._current_index].strength if self.keyframes else 1.0

    def reset(self) -> None:
        """Return to the first keyframe."""
        self._current_index, self._current_used_steps, self._curr_t = 0, 0, -1.0

    def add(self, keyframe: HookKeyframe) -> None:
        """Add a keyframe in its place."""
        self.keyframes.append(keyframe)
        self.keyframes = get_sorted_list_via_attr(self.keyframes, "start_percent")
        self.reset()

    def has_guarantee_steps(self) -> bool:
        """Whether a keyframe has a least number of steps."""
        return any(each.guarantee_steps > 0 for each in self.keyframes)

    def has_index(self, index: int) -> bool:
        """Whether there is a keyframe of that number."""
        return 0 <= index < len(self.keyframes)

    def is_empty(self) -> bool:
        """Whether there is no keyframe."""
        return not self.keyframes

    def clone(self) -> HookKeyframeGroup:
        """A copy."""
        made = HookKeyframeGroup()
        made.keyframes = [each.clone() for each in self.keyframes]
        return made

    def initialize_timesteps(self, model: Any) -> None:
        """Compute the sigmas of the starts, from `model.model_sampling`."""
        for each in self.keyframes:
            each.start_t = float(model.model_sampling.percent_to_sigma(each.start_percent))

    def prepare_current_keyframe(self, curr_t: float, transformer_options: Any) -> bool:
        """Choose the keyframe for a sigma; whether the strength changed."""
        if not self.keyframes or curr_t == self._curr_t:
            return False
        before, index = self.strength, self._current_index
        first = transformer_options.get("sample_sigmas", [curr_t])[0]
        if self._current_used_steps >= self.keyframes[index].get_effective_guarantee_steps(first):
            for later in range(index + 1, len(self.keyframes)):
                if self.keyframes[later].start_t < curr_t:
                    break
                self._current_index, self._current_used_steps = later, 0
                if self.keyframes[later].get_effective_guarantee_steps(first) > 0:
                    break
        self._current_used_steps += 1
        self._curr_t = curr_t
        return self.strength != before
