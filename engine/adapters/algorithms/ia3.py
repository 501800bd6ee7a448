"""IA3: every input or output channel of a weight is scaled by a learned number.

    W' = (1 + w) W           `weight` of a module with `on_input`, in LyCORIS' files
    W' = l W                 `ia3_l` in peft's, [out, 1] or [1, in]

Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context
Learning", section 3.3. The strength multiplies w, or l - 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from engine.adapters.parts import Parts, Shape

SCALES, ON_INPUT, PEFT = "ia3", "on_input", "ia3_l"


@dataclass(frozen=True, slots=True, eq=False)
class Ia3:
    """See the module."""

    parts: Parts

    def check(self, shape: Shape) -> None:
        """See `Change`; `on_input` is read."""
        found = self.parts.shape(self._part)
        if len(shape) < 2 or prod(found) != shape[self._axis()]:
            raise self.parts.refuse(f"scales {list(found)}", shape)

    def changed(self, weight: Tensor, strength: float) -> Tensor:
        """See `Change`."""
        scales = self.parts.values(self._part, weight).flatten()
        if self._part == PEFT:
            scales = scales - 1.0
        axis = self._axis()
        sides = [-1 if each == axis else 1 for each in range(weight.ndim)]
        return weight * (scales * strength + 1.0).reshape(sides)

    @property
    def _part(self) -> str:
        return SCALES if SCALES in self.parts else PEFT

    def _axis(self) -> int:
        if self._part == PEFT:
            return 1 if self.parts.shape(PEFT)[0] == 1 else 0
        return 1 if bool(self.parts.entries[ON_INPUT].read().any()) else 0
