"""Folders of diffusers."""

from engine.compat.parts.loading import load_diffusers
