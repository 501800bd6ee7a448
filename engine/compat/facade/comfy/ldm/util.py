"""Small functions."""

from engine.compat.blocks.attention import default, exists
