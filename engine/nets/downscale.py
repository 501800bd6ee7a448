"""Smaller feature maps in the deep part of a UNet, at high noise levels.

Kohya S., "Deep Shrink" (2023): at sizes beyond those of training, a network composes the whole
picture better if its deep features have the size of training in the first steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.nets.hooks import NetHooks

Resize = Callable[[Tensor, int, int], Tensor]
"""From features [B, C, h, w], a width and a height to features of that size."""


@dataclass(frozen=True, slots=True, eq=False)
class Downscale:
    """Two patches: one makes features smaller, the other enlarges them in the decoder.

    Attributes:
        block: the number of the input block whose result is made smaller.
        factor: width and height are divided by it.
        first, last: it is active while first >= sigma >= last.
        shrink, enlarge: how features are resized.
    """

    block: int
    factor: float
    first: float
    last: float
    shrink: Resize
    enlarge: Resize

    def hooked(self, hooks: NetHooks, *, after_skip: bool) -> NetHooks:
        """Hooks with both patches; `after_skip`: the skip connection keeps its size."""
        kind = "input_block_patch_after_skip" if after_skip else "input_block_patch"
        return hooks.with_patch(kind, self.smaller).with_patch("output_block_patch", self.larger)

    def smaller(self, hidden: Tensor, options: Mapping[str, Any]) -> Tensor:
        """The patch of input blocks."""
        if options["block"][1] != self.block:
            return hidden
        sigma = float(options["sigmas"].flatten()[0])
        if not self.first >= sigma >= self.last:
            return hidden
        height, width = (max(round(side / self.factor), 1) for side in hidden.shape[-2:])
        return self.shrink(hidden, width, height)

    def larger(
        self, hidden: Tensor, skip: Tensor, options: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor]:
        """The patch of output blocks: to the size of the skip connection, where it differs."""
        del options
        if hidden.shape[-2:] != skip.shape[-2:]:
            hidden = self.enlarge(hidden, skip.shape[-1], skip.shape[-2])
        return hidden, skip
