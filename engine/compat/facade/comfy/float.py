"""Conversion to 8 bits."""

import torch

from engine.compat.host.float_rounding import stochastic_rounding
