"""The autoencoder of Stable Diffusion."""

from engine.compat.parts.tiny import AutoencoderKL
