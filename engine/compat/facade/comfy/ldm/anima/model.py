"""The denoiser of Anima."""

from engine.compat.blocks.network_classes import Anima
