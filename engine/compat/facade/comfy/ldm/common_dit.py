"""Small functions that diffusion transformers share."""

import torch

from engine.compat.blocks.dit import pad_to_patch_size, rms_norm
from engine.compat.blocks.ops import disable_weight_init

RMSNorm = disable_weight_init.RMSNorm
