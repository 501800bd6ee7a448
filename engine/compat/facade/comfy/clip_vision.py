"""Image encoders."""

from engine.compat.parts.vision import (
    ClipVisionModel,
    Output,
    clip_preprocess,
    load,
    load_clipvision_from_sd,
)
