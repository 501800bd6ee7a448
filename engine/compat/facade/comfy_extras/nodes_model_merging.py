"""Merging and saving models."""

from engine.compat.core_nodes.extra_functions import save_checkpoint
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
