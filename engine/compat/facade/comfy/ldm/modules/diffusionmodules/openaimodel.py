"""The UNet of the latent diffusion models, and its blocks."""

import torch
import torch.nn.functional as F
from torch import nn

from engine.compat.blocks.attention import exists
from engine.compat.blocks.ops import disable_weight_init as ops
from engine.compat.blocks.time import (
    AlphaBlender,
    avg_pool_nd,
    checkpoint,
    timestep_embedding,
)
from engine.compat.blocks.transformers import SpatialTransformer, SpatialVideoTransformer
from engine.compat.blocks.unet_parts import (
    Downsample,
    ResBlock,
    Timestep,
    TimestepBlock,
    TimestepEmbedSequential,
    Upsample,
    VideoResBlock,
    apply_control,
    forward_timestep_embed,
)
from engine.compat.models.networks import UNetModel
