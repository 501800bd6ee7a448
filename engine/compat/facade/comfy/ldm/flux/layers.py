"""The blocks of FLUX."""

import torch

from engine.compat.blocks.flux import (
    DoubleStreamBlock,
    EmbedND,
    LastLayer,
    MLPEmbedder,
    Modulation,
    ModulationOut,
    QKNorm,
    RMSNorm,
    SelfAttention,
    SingleStreamBlock,
    apply_mod,
    attention,
    rope,
    timestep_embedding,
)
