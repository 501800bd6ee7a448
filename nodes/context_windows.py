"""Context windows: long videos, predicted in overlapping parts at each step."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from engine.diffusion.context_windows import ContextWindows, Fuse, Schedule
from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, Range
from nodes.sockets import Model

CATEGORY = "context"
PIXELS_OF_FRAME = 4
"""Frames of a video for each frame of Wan's latents, but for the first."""
TIME = 2
Schedules = Annotated[str, Choice(*Schedule)]
Fuses = Annotated[str, Choice(*Fuse)]
AtLeastOne = Annotated[int, Range(1, None)]
NotNegative = Annotated[int, Range(0, None)]


@node(
    "ContextWindowsManual",
    category=CATEGORY,
    display="Context Windows (Manual)",
    experimental=True,
)
def context_windows(
    *,
    model: Model,
    context_length: AtLeastOne = 16,
    context_overlap: NotNegative = 4,
    context_schedule: Schedules,
    context_stride: AtLeastOne = 1,
    closed_loop: bool = False,
    fuse_method: Fuses = Fuse.PYRAMID.value,
    dim: Annotated[int, Range(0, 5)] = 0,
    freenoise: bool = False,
) -> Model:
    """Sample long videos in windows of `context_length` frames, which share `context_overlap`.

    `dim` is the axis to split: 0 where rows are frames (SVD), 2 for the frames of other videos,
    counted in frames of the latent. `freenoise` repeats the first window's noise in another order.
    """
    windows = ContextWindows(
        context_length,
        context_overlap,
        Schedule(context_schedule),
        context_stride,
        closed_loop,
        Fuse(fuse_method),
        dim,
        freenoise,
    )
    return with_windows(model, windows)


@node(
    "WanContextWindowsManual",
    category=CATEGORY,
    display="WAN Context Windows (Manual)",
    experimental=True,
)
def wan_context_windows(
    *,
    model: Model,
    context_length: Annotated[int, Range(1, 16384, step=4)] = 81,
    context_overlap: NotNegative = 30,
    context_schedule: Schedules,
    context_stride: AtLeastOne = 1,
    closed_loop: bool = False,
    fuse_method: Fuses = Fuse.PYRAMID.value,
    freenoise: bool = False,
) -> Model:
    """Sample long videos of Wan in windows of `context_length` frames of the video.

    Windows share `context_overlap` frames. Schedules but `batched` and `standard_static` move
    their windows at each step.
    """
    windows = ContextWindows(
        latent_frames(context_length),
        max(0, latent_frames(context_overlap)),
        Schedule(context_schedule),
        context_stride,
        closed_loop,
        Fuse(fuse_method),
        TIME,
        freenoise,
    )
    return with_windows(model, windows)


def latent_frames(frames: int) -> int:
    """Frames of Wan's latent that a number of frames of a video make."""
    return (frames - 1) // PIXELS_OF_FRAME + 1


def with_windows(model: Model, windows: ContextWindows) -> Model:
    """The model with context windows instead of those that it had.

    Raises:
        NodeError: they do not move on.
    """
    if windows.overlap >= windows.length:
        raise NodeError(
            f"context_overlap is {windows.overlap} frames of the latent, context_length "
            f"{windows.length}; windows share fewer frames than they have"
        )
    return replace(model, windows=windows)
