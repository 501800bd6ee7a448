"""`comfy.context_windows`: the names of schedules and of ways to blend windows."""

from __future__ import annotations

from engine.diffusion.context_windows import Fuse, Schedule


class ContextSchedules:
    """The schedules by the names of their constants."""

    STATIC_STANDARD = Schedule.STATIC.value
    UNIFORM_STANDARD = Schedule.UNIFORM.value
    UNIFORM_LOOPED = Schedule.LOOPED.value
    BATCHED = Schedule.BATCHED.value


class ContextFuseMethods:
    """The ways to blend by the names of their constants; for static windows all of them."""

    PYRAMID = Fuse.PYRAMID.value
    RELATIVE = Fuse.RELATIVE.value
    FLAT = Fuse.FLAT.value
    OVERLAP_LINEAR = Fuse.OVERLAP_LINEAR.value
    LIST = [PYRAMID, FLAT, OVERLAP_LINEAR]
    LIST_STATIC = [PYRAMID, RELATIVE, FLAT, OVERLAP_LINEAR]
