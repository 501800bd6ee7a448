"""Perp-Neg guidance."""

from engine.compat.core_nodes.plugin_names import names_of
from engine.compat.sampling.guiders import Guider_PerpNeg

__getattr__ = names_of(__name__)
