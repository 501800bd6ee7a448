"""The object of a MODEL wire."""

import torch

import comfy.model_management  # pyright: ignore[reportMissingImports]
import comfy.patcher_extension
from comfy.patcher_extension import CallbacksMP, PatcherInjection, WrappersMP
from engine.compat.models.model_options import (
    create_model_options_clone,
    set_model_options_patch_replace,
    set_model_options_post_cfg_function,
    set_model_options_pre_cfg_function,
)
from engine.compat.models.patcher import CoreModelPatcher, ModelPatcher
from engine.compat.models.patcher_extras import AutoPatcherEjector
from engine.compat.models.patcher_weights import (
    LowVramPatch,
    get_key_weight,
    low_vram_patch_estimate_vram,
)
