"""Schedules of Align Your Steps."""

from engine.compat.core_nodes.extra_functions import loglinear_interp
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
