"""Self-Attention Guidance."""

from engine.compat.core_nodes.extra_functions import create_blur_map, gaussian_blur_2d
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
