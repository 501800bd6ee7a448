"""Nodes for masks, and the function that pastes."""

from engine.compat.core_nodes.extra_functions import composite
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
