"""Sampling in parts, and the objects that its nodes pass on."""

from engine.compat.core_nodes.plugin_names import names_of
from engine.compat.sampling.guiders import Guider_Basic, Guider_DualCFG
from engine.compat.sampling.noise_objects import Noise_EmptyNoise, Noise_RandomNoise

__getattr__ = names_of(__name__)
