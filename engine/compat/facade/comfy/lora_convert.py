"""Adapters in other layouts, which are read as they are."""

from engine.compat.parts.other_layouts import convert_lora
