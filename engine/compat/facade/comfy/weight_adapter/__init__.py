"""Adapters of single tensors."""

from engine.compat.parts.weight_adapters import (
    BOFTAdapter,
    GLoRAAdapter,
    LoHaAdapter,
    LoKrAdapter,
    LoRAAdapter,
    OFTAdapter,
    WeightAdapterBase,
    adapter_maps,
    adapters,
)
