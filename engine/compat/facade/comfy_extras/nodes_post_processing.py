"""Filters of pictures."""

from engine.compat.core_nodes.extra_functions import gaussian_kernel
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
