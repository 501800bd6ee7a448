"""Devices, dtypes, memory and interrupts, as plugins know them."""

import sys

import torch

from engine.compat.host.devices import (
    FLOAT8_TYPES,
    CPUState,
    VRAMState,
    always,
    cast_to,
    cast_to_device,
    cpu_state_now,
    current_stream,
    device_supports_non_blocking,
    dtype_size,
    force_upcast_attention_dtype,
    get_autocast_device,
    get_torch_device,
    get_torch_device_name,
    intermediate_dtype,
    is_amd,
    is_device_cpu,
    is_device_cuda,
    is_device_mps,
    is_device_type,
    is_device_xpu,
    is_nvidia,
    never,
    no_stream,
    on_cpu,
    pick_weight_dtype,
    pytorch_attention_flash_attention,
    should_use_bf16,
    should_use_fp16,
    supports_cast,
    supports_dtype,
    text_encoder_dtype,
    unet_dtype,
    unet_inital_load_device,
    unet_manual_cast,
    vae_dtype,
    vram_state_now,
)
from engine.compat.host.interrupts import (
    OOM_EXCEPTION,
    InterruptProcessingException,
    interrupt_current_processing,
    interrupt_processing_mutex,
    is_oom,
    processing_interrupted,
    raise_non_oom,
    throw_exception_if_processing_interrupted,
)
from engine.compat.host.memory import (
    LoadedModel,
    cleanup_models,
    cleanup_models_gc,
    extra_reserved_memory,
    free_memory,
    get_free_memory,
    get_total_memory,
    load_model_gpu,
    load_models_gpu,
    loaded_models,
    maximum_vram_for_weights,
    minimum_inference_memory,
    module_size,
    soft_empty_cache,
    unload_all_models,
    unload_model_clones,
)
from engine.compat.live import live

current_loaded_models: list[LoadedModel] = []
interrupt_processing = False
cpu_state = cpu_state_now()
vram_state = set_vram_to = vram_state_now()
total_vram = get_total_memory(get_torch_device()) / (1024 * 1024)
total_ram = get_total_memory(torch.device("cpu")) / (1024 * 1024)
lowvram_available = True
in_training = False
training_fp8_bwd = False

DISABLE_SMART_MEMORY = False
ENABLE_PYTORCH_ATTENTION = True
EXTRA_RESERVED_VRAM = extra_reserved_memory()
FORCE_FP32 = False
MIN_WEIGHT_MEMORY_RATIO = 0.4
NUM_STREAMS = 0
SAGE_ATTENTION_IS_AVAILABLE = FLASH_ATTENTION_IS_AVAILABLE = False
SUPPORT_FP8_OPS = False
WINDOWS = sys.platform == "win32"
XFORMERS_ENABLED_VAE = XFORMERS_IS_AVAILABLE = False
XFORMERS_VERSION = ""
directml_enabled = False

vae_device = unet_device = text_encoder_device = get_torch_device
unet_offload_device = vae_offload_device = text_encoder_offload_device = on_cpu
intermediate_device = on_cpu
text_encoder_initial_device = controlnet_offload_device = on_cpu

xpu_available = False
is_intel_xpu = is_ascend_npu = is_mlu = is_ixuca = is_wsl = is_directml_enabled = never
mac_version = no_stream
xformers_enabled = xformers_enabled_vae = never
sage_attention_enabled = sage_attention3_enabled = flash_attention_enabled = never
supports_fp8_compute = supports_nvfp4_compute = supports_mxfp8_compute = never
force_channels_last = extended_fp16_support = never
device_should_use_non_blocking = never
pin_memory = unpin_memory = never
pytorch_attention_enabled = pytorch_attention_enabled_vae = always
get_offload_stream = sync_stream = reset_cast_buffers = no_stream
should_use_fp32 = never

live(
    "comfy.model_management.current_loaded_models",
    "comfy.model_management.interrupt_processing",
)
