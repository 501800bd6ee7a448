"""The denoiser of FLUX."""

from engine.compat.blocks.network_classes import Flux
from engine.compat.blocks.time import timestep_embedding
