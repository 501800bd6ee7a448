"""Upscale models."""

from engine.compat.parts.upscaler import ImageModelDescriptor, load_state_dict
