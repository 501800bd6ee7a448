"""Rotary positions, and attention with them."""

import torch

from engine.compat.blocks.flux import apply_rope, apply_rope1, attention, rope
