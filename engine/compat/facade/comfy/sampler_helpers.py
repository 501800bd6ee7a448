"""Loading for a run, and the models that conditionings bring."""

import logging
import uuid

import torch

from engine.compat.sampling.conds import convert_cond, prepare_mask
from engine.compat.sampling.helpers import (
    cleanup_additional_models,
    cleanup_models,
    estimate_memory,
    filter_registered_hooks_on_conds,
    get_additional_models,
    get_additional_models_from_model_options,
    get_models_from_cond,
    prepare_model_patcher,
    prepare_sampling,
    preprocess_conds_hooks,
)
