"""Embeddings of time, blending, and layers by axes."""

import torch

from engine.compat.blocks.time import (
    AlphaBlender,
    avg_pool_nd,
    checkpoint,
    conv_nd,
    linear,
    mean_flat,
    normalization,
    scale_module,
    timestep_embedding,
    zero_module,
)
