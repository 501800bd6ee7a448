"""The base of adapters of single tensors."""

from engine.compat.parts.weight_adapters import WeightAdapterBase
