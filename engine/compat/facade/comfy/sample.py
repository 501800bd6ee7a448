"""A KSampler's run, and that of a sampler object, as functions."""

import logging

import numpy as np
import torch

from engine.compat.sampling.conds import prepare_mask
from engine.compat.sampling.helpers import cleanup_additional_models
from engine.compat.sampling.host_sample import (
    fix_empty_latent_channels,
    get_additional_models,
    prepare_sampling,
    sample,
    sample_custom,
)
from engine.compat.sampling.noise_objects import prepare_noise, prepare_noise_inner
