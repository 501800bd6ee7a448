"""LoRA."""

from engine.compat.parts.weight_adapters import LoRAAdapter, WeightAdapterBase
