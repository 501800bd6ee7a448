"""Root mean square normalization."""

import torch

from engine.compat.host.small_modules import RMSNorm, rms_norm
