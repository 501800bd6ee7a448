"""Blocks of the latent diffusion autoencoders."""

import torch

from engine.compat.blocks.autoencoder_parts import (
    AttnBlock,
    Downsample,
    Normalize,
    ResnetBlock,
    Upsample,
    nonlinearity,
    ops,
    vae_attention,
)
