"""The positions of tokens in a model's network."""

from __future__ import annotations

from typing import Annotated

from engine.inference.position_scaling import with_scaled_positions
from engine.nets.rope import AxisScale
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sockets import Model

Factor = Annotated[float, Range(0.0, 100.0, step=0.1)]
Shift = Annotated[float, Range(-256.0, 256.0, step=0.1)]


@node("ScaleROPE", category="advanced/model_patches", experimental=True)
def scale_rope(
    model: Model,
    scale_x: Factor = 1.0,
    shift_x: Shift = 0.0,
    scale_y: Factor = 1.0,
    shift_y: Shift = 0.0,
    scale_t: Factor = 1.0,
    shift_t: Shift = 0.0,
) -> Model:
    """Place the tokens of a Wan model elsewhere: column, row and time, times a scale, plus a shift.

    ChronoEdit takes a time scale of 7: its two frames are the first and the last of a motion. A
    scale below 1 makes a larger picture be seen as one of the size the model was trained on.
    """
    time, rows = AxisScale(scale_t, shift_t), AxisScale(scale_y, shift_y)
    return with_scaled_positions(model, time, rows, AxisScale(scale_x, shift_x))
