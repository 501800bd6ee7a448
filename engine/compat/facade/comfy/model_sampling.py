"""What networks predict, and their noise levels."""

import math

import torch

from engine.compat.models.model_sampling import (
    ModelSamplingContinuousEDM,
    ModelSamplingContinuousV,
    ModelSamplingCosmosRFlow,
    ModelSamplingDiscrete,
    ModelSamplingDiscreteEDM,
    ModelSamplingDiscreteFlow,
    ModelSamplingFlux,
    StableCascadeSampling,
    flux_time_shift,
    rescale_zero_terminal_snr_sigmas,
    time_snr_shift,
)
from engine.compat.models.predictions import (
    CONST,
    COSMOS_RFLOW,
    EDM,
    EPS,
    IMG_TO_IMG,
    IMG_TO_IMG_FLOW,
    V_PREDICTION,
    X0,
    reshape_sigma,
)
