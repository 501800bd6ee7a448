"""Nodes for transparency: join and split alpha, composite images."""

from __future__ import annotations

from typing import Literal

import torch

from engine.nodekit.contract import node
from nodes.image_scaling import as_masks, scale, scale_masks
from nodes.sockets import Image, Mask

Mode = Literal[
    "ADD", "CLEAR", "DARKEN", "DST", "DST_ATOP", "DST_IN", "DST_OUT", "DST_OVER", "LIGHTEN",
    "MULTIPLY", "OVERLAY", "SCREEN", "SRC", "SRC_ATOP", "SRC_IN", "SRC_OUT", "SRC_OVER", "XOR",
]  # fmt: skip
_FAINTEST = 1e-5
"""Alpha below which a colour is undefined."""


@node("JoinImageWithAlpha", category="mask/compositing", display="Join Image with Alpha")
def join_image_with_alpha(image: Image, alpha: Mask) -> Image:
    """Make images transparent where a mask is white; as many as in the shorter batch."""
    count = min(image.shape[0], as_masks(alpha).shape[0])
    masks = scale_masks(as_masks(alpha)[:count], image.shape[2], image.shape[1])
    opaque = 1.0 - masks.unsqueeze(-1).to(image)
    return torch.cat([image[:count, ..., :3], opaque], dim=-1)


@node("SplitImageWithAlpha", category="mask/compositing", display="Split Image with Alpha")
def split_image_with_alpha(image: Image) -> tuple[Image, Mask]:
    """Split images into colours and masks that are white where they are transparent."""
    if image.shape[-1] > 3:
        return image[..., :3].clone(), 1.0 - image[..., 3]
    return image, torch.zeros(image.shape[:3])


@node(
    "PorterDuffImageComposite", category="mask/compositing", display="Porter-Duff Image Composite"
)
def porter_duff_image_composite(
    source: Image,
    source_alpha: Mask,
    destination: Image,
    destination_alpha: Mask,
    mode: Mode = "DST",
) -> tuple[Image, Mask]:
    """Composite two images, transparent where their masks are white, by one of 18 modes.

    Everything is scaled and cropped to the destination's size. The result's mask is white where it
    is transparent; if a mask was scaled, it may be slightly outside 0..1, as that one was.
    """
    count = min(
        each.shape[0]
        for each in (source, as_masks(source_alpha), destination, as_masks(destination_alpha))
    )
    height, width = destination.shape[1:3]
    above = scale(source[:count, ..., :3], width, height, method="bicubic", crop="center")
    below = destination[:count, ..., :3]
    above_alpha, below_alpha = (
        1.0
        - scale_masks(
            as_masks(mask)[:count], width, height, method="bicubic", crop="center"
        ).unsqueeze(-1)
        for mask in (source_alpha, destination_alpha)
    )
    color, alpha = compose(above * above_alpha, above_alpha, below * below_alpha, below_alpha, mode)
    color = torch.where(alpha > _FAINTEST, color / alpha.clamp(min=_FAINTEST), 0.0)
    return color.clamp(0, 1), 1.0 - alpha.squeeze(-1)


def compose(
    above: torch.Tensor,
    above_alpha: torch.Tensor,
    below: torch.Tensor,
    below_alpha: torch.Tensor,
    mode: Mode,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Colours multiplied by their alpha, and alphas, of a source `above` a destination `below`.

    Porter and Duff, "Compositing Digital Images", SIGGRAPH 1984, table in section 4.3; the
    blending modes as the documentation of Android's `PorterDuff.Mode` defines them.
    """
    if mode in _BLENDING:
        return _blend(above, above_alpha, below, below_alpha, mode)
    source_part, destination_part = _factors(above_alpha, below_alpha, mode)
    color = above * source_part + below * destination_part
    alpha = above_alpha * source_part + below_alpha * destination_part
    return (color.clamp(max=1), alpha.clamp(max=1)) if mode == "ADD" else (color, alpha)


_BLENDING = frozenset({"DARKEN", "LIGHTEN", "MULTIPLY", "OVERLAY", "SCREEN"})


def _factors(
    above: torch.Tensor, below: torch.Tensor, mode: Mode
) -> tuple[torch.Tensor | float, torch.Tensor | float]:
    """The factors of the source and of the destination in a compositing operator."""
    match mode:
        case "CLEAR":
            return 0.0, 0.0
        case "SRC":
            return 1.0, 0.0
        case "DST":
            return 0.0, 1.0
        case "SRC_OVER":
            return 1.0, 1 - above
        case "DST_OVER":
            return 1 - below, 1.0
        case "SRC_IN":
            return below, 0.0
        case "DST_IN":
            return 0.0, above
        case "SRC_OUT":
            return 1 - below, 0.0
        case "DST_OUT":
            return 0.0, 1 - above
        case "SRC_ATOP":
            return below, 1 - above
        case "DST_ATOP":
            return 1 - below, above
        case "XOR":
            return 1 - below, 1 - above
        case _:  # ADD, which is the paper's PLUS
            return 1.0, 1.0


def _blend(
    above: torch.Tensor,
    above_alpha: torch.Tensor,
    below: torch.Tensor,
    below_alpha: torch.Tensor,
    mode: Mode,
) -> tuple[torch.Tensor, torch.Tensor]:
    both = above_alpha + below_alpha - above_alpha * below_alpha
    apart = (1 - below_alpha) * above + (1 - above_alpha) * below
    match mode:
        case "MULTIPLY":
            return above * below, above_alpha * below_alpha
        case "SCREEN":
            return above + below - above * below, both
        case "DARKEN":
            return apart + torch.minimum(above, below), both
        case "LIGHTEN":
            return apart + torch.maximum(above, below), both
        case _:
            dark = 2 * above * below
            # Android's formula: each colour is taken from the other picture's alpha.
            light = above_alpha * below_alpha - 2 * (below_alpha - above) * (above_alpha - below)
            return torch.where(2 * below < below_alpha, dark, light), both
