"""Adapters as dictionaries of changes."""

from engine.compat.live import live
from engine.compat.parts.lora import (
    calculate_weight,
    load_lora,
    model_lora_keys_clip,
    model_lora_keys_unet,
)

live("comfy.lora.calculate_weight")
