"""Guiders, samplers and schedules, and what lies between a node and a network."""

import collections
import logging
import math

import torch

import comfy.k_diffusion.sampling as k_diffusion_sampling
from engine.compat.sampling.cond_batch import (
    calc_cond_batch,
    calc_cond_uncond_batch,
    cfg_function,
    sampling_function,
)
from engine.compat.sampling.conds import (
    CondObj,
    apply_empty_x_to_equal_area,
    calculate_start_end_timesteps,
    can_concat_cond,
    cond_cat,
    cond_equal_size,
    create_cond_with_same_area_if_none,
    encode_model_conds,
    get_area_and_mult,
    pre_run_control,
    process_conds,
    resolve_areas_and_cond_masks,
    resolve_areas_and_cond_masks_multidim,
)
from engine.compat.sampling.guider import CFGGuider
from engine.compat.sampling.ksampler import (
    KSAMPLER,
    KSAMPLER_NAMES,
    SAMPLER_NAMES,
    KSampler,
    KSamplerX0Inpaint,
    Sampler,
    ksampler,
    sample,
    sampler_object,
)
from engine.compat.sampling.options import cast_to_load_options, cast_transformer_options
from engine.compat.sampling.schedulers import (
    SCHEDULER_HANDLERS,
    SCHEDULER_NAMES,
    SchedulerHandler,
    beta_scheduler,
    calculate_sigmas,
    ddim_scheduler,
    kl_optimal_scheduler,
    linear_quadratic_schedule,
    normal_scheduler,
    sgm_scheduler,
    simple_scheduler,
)

cond_obj = CondObj
calculate_sigmas_scheduler = calculate_sigmas
