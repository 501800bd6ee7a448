"""Attention functions and transformer blocks."""

import logging
import math

import torch
import torch.nn.functional as F
from comfy import model_management
from torch import einsum, nn

from engine.compat.blocks.attention import (
    REGISTERED_ATTENTION_FUNCTIONS,
    CrossAttention,
    attention_basic,
    attention_flash,
    attention_pytorch,
    attention_sage,
    attention_split,
    attention_sub_quad,
    attention_xformers,
    default,
    exists,
    get_attention_function,
    optimized_attention,
    optimized_attention_for_device,
    optimized_attention_masked,
    register_attention_function,
    wrap_attn,
)
from engine.compat.blocks.ops import disable_weight_init as ops
from engine.compat.blocks.time import AlphaBlender, timestep_embedding
from engine.compat.blocks.transformers import (
    GEGLU,
    BasicTransformerBlock,
    FeedForward,
    SpatialTransformer,
    SpatialVideoTransformer,
)
