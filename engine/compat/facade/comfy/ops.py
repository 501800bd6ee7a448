"""Layers whose weights are not drawn, and cast when they are used."""

import logging

import torch

from engine.compat.blocks.ops import (
    CastWeightBiasOp,
    cast_bias_weight,
    cast_to,
    cast_to_input,
    disable_weight_init,
    fp8_ops,
    manual_cast,
    pick_operations,
    scaled_fp8_ops,
    uncast_bias_weight,
)
