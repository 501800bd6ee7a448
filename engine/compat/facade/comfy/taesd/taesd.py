"""Tiny autoencoders."""

from engine.compat.parts.tiny import TAESD, Block, Clamp, conv
