"""Sampler functions `sample_NAME(model, x, sigmas, extra_args, callback, disable, ...)`."""

import math

import torch

from engine.compat.sampling.k_samplers import (
    FUNCTIONS,
    append_dims,
    append_zero,
    get_ancestral_step,
    half_log_snr_to_sigma,
    offset_first_sigma_for_snr,
    sample_dpm_adaptive,
    sample_dpm_fast,
    sigma_to_half_log_snr,
    to_d,
)
from engine.compat.sampling.noise_objects import (
    BrownianTreeNoiseSampler,
    default_noise_sampler,
)
from engine.compat.sampling.schedulers import (
    get_sigmas_exponential,
    get_sigmas_karras,
    get_sigmas_laplace,
    get_sigmas_polyexponential,
    get_sigmas_vp,
)

from . import utils

globals().update(FUNCTIONS)
