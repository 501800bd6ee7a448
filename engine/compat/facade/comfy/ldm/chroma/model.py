"""The denoiser of Chroma."""

from engine.compat.blocks.network_classes import Chroma
