"""CLIP L with more positions."""

from engine.compat.parts.other_layouts import model_options_long_clip
