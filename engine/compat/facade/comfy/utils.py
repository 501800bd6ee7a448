"""Tensors, state dicts, sizes and progress, as plugins know them."""

import math
import os

import torch

from engine.compat.host.progress import (
    ProgressBar,
    model_trange,
    set_progress_bar_enabled,
    set_progress_bar_global_hook,
)
from engine.compat.host.scaling import (
    bislerp,
    common_upscale,
    get_tiled_scale_steps,
    lanczos,
    pack_latents,
    repeat_to_batch_size,
    reshape_mask,
    resize_to_batch_size,
    tiled_scale,
    tiled_scale_multidim,
    unpack_latents,
)
from engine.compat.host.state_dicts import (
    calculate_parameters,
    clip_text_transformers_convert,
    convert_old_quants,
    convert_sd_to,
    copy_to_param,
    detect_layer_quantization,
    get_attr,
    set_attr,
    set_attr_buffer,
    set_attr_param,
    state_dict_key_replace,
    state_dict_prefix_replace,
    string_to_seed,
    transformers_convert,
    weight_dtype,
)
from engine.compat.host.unet_maps import (
    TRANSFORMER_BLOCKS,
    UNET_MAP_ATTENTIONS,
    UNET_MAP_BASIC,
    UNET_MAP_RESNET,
    unet_to_diffusers,
)
from engine.compat.host.weights_files import (
    DISABLE_MMAP,
    MMAP_TORCH_FILES,
    load_torch_file,
    safetensors_header,
    save_torch_file,
)
from engine.compat.live import live

PROGRESS_BAR_ENABLED = True
PROGRESS_BAR_HOOK = None
live("comfy.utils.PROGRESS_BAR_ENABLED", "comfy.utils.PROGRESS_BAR_HOOK")
