"""Schedules of GITS."""

from engine.compat.core_nodes.extra_functions import gits_noise_levels
from engine.compat.core_nodes.plugin_names import names_of

NOISE_LEVELS = gits_noise_levels()

__getattr__ = names_of(__name__)
