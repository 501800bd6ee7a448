"""Views of an object."""

from engine.compat.core_nodes.extra_functions import camera_embeddings
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
