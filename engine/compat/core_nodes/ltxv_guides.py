"""The steps of `LTXVAddGuide` that plugins call one by one: encode, find the place, append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.bridge.ltxv import GUIDES, LATENT, positions
from nodes.image_scaling import scale
from nodes.ltxv_guides import beginning_of_guide, with_cells, with_guide, with_kept_cells


class LTXVAddGuide:
    """Has its steps as methods of the class, with the arguments that plugins pass."""

    @classmethod
    def encode(
        cls,
        vae: Any,
        latent_width: int,
        latent_height: int,
        images: Tensor,
        scale_factors: Sequence[int],
        latent_downscale_factor: float = 1,
    ) -> tuple[Tensor, Tensor]:
        """As many pictures as whole cells hold, in the latent's size: (pixels, their latent)."""
        _refuse_other_sizes(latent_downscale_factor)
        _, rows, columns = scale_factors
        frames = images[: LATENT.frames(LATENT.cells(len(images))), ..., :3]
        pixels = scale(frames, latent_width * columns, latent_height * rows, crop="center")
        return pixels, vae.encode(pixels)

    @classmethod
    def get_latent_index(
        cls,
        cond: Any,
        latent_length: int,
        guide_length: int,
        frame_idx: int,
        scale_factors: Sequence[int],
        **_: Any,
    ) -> tuple[int, int]:
        """The frame and the cell of time where a guide of so many frames begins.

        `latent_length` counts the cells of guides that `cond` has.
        """
        del scale_factors
        cells = latent_length - _guiding_cells(cond)
        return beginning_of_guide(frame_idx, LATENT.cells(guide_length), cells)

    @classmethod
    def append_keyframe(
        cls,
        positive: Any,
        negative: Any,
        frame_idx: int,
        latent_image: Tensor,
        noise_mask: Tensor,
        guiding_latent: Tensor,
        strength: float,
        scale_factors: Sequence[int],
        guide_mask: Tensor | None = None,
        latent_downscale_factor: float = 1,
        causal_fix: bool | None = None,
    ) -> tuple[Any, Any, Tensor, Tensor]:
        """Both conditionings, the latent and the noise mask, with one more guide from that frame.

        `causal_fix`: whether the guide's first cell is a single frame; by default it is.
        """
        del scale_factors
        _refuse_other_sizes(latent_downscale_factor)
        if guide_mask is not None:
            raise NodeError(
                "a mask of a guide (guide_mask) is not supported here; use guides that count whole"
            )
        single = causal_fix is not False
        places = positions(guiding_latent.shape[2:], single=single, first=frame_idx).flatten(2)
        return (
            with_guide(positive, places),
            with_guide(negative, places),
            with_cells(latent_image, guiding_latent),
            with_kept_cells(noise_mask, guiding_latent.shape[2], strength),
        )


def _refuse_other_sizes(factor: float) -> None:
    if factor != 1:
        raise NodeError(
            f"a guide {factor} times smaller than the video (latent_downscale_factor) is not "
            "supported here; use guides of the video's size"
        )


def _guiding_cells(cond: Any) -> int:
    """How many cells of time of a latent are guides: each has one at the first row and column."""
    found = next((known.get(GUIDES) for _, known in cond), None)
    if not isinstance(found, torch.Tensor):
        return 0
    return int(((found[0, 1] == 0) & (found[0, 2] == 0)).sum())
