"""Video models of the LTX family."""

from engine.compat.blocks.patchify import SymmetricPatchifier, latent_to_pixel_coords
from engine.compat.core_nodes.extra_functions import get_keyframe_idxs, get_noise_mask
from engine.compat.core_nodes.plugin_names import names_of

__getattr__ = names_of(__name__)
