"""Folders of diffusers."""

from engine.compat.parts.other_layouts import load_diffusers
