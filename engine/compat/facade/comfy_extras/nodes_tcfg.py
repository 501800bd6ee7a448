"""Tangential damping of guidance."""

from engine.compat.core_nodes.extra_functions import score_tangential_damping
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
