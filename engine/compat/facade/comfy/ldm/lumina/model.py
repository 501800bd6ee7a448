"""The denoiser of Lumina 2 and Z-Image."""

from engine.compat.blocks.network_classes import NextDiT
