"""`comfy.cli_args`: the incumbent's flags, with the values that this process's settings mean."""

from __future__ import annotations

import argparse
from enum import Enum
from typing import Any

from engine.compat.host.state import host
from engine.compat.install import host_module
from engine.serving import DEFAULT_PORT


class LatentPreviewMethod(Enum):
    """How a sampler makes previews."""

    NoPreviews = "none"
    Auto = "auto"
    Latent2RGB = "latent2rgb"
    TAESD = "taesd"

    @classmethod
    def from_string(cls, value: str) -> LatentPreviewMethod | None:
        """The method of that name; None for `default` and others."""
        return next((each for each in cls if each.value == value), None)


class PerformanceFeature(Enum):
    """What `--fast` switches on in the incumbent; without effect here."""

    Fp16Accumulation = "fp16_accumulation"
    Fp8MatrixMultiplication = "fp8_matrix_mult"
    CublasOps = "cublas_ops"
    AutoTune = "autotune"


_OFF = (
    "auto_launch",
    "cache_classic",
    "cache_none",
    "dont_print_server",
    "dont_upcast_attention",
    "disable_all_custom_nodes",
    "disable_api_nodes",
    "disable_assets_autoscan",
    "disable_async_offload",
    "disable_auto_launch",
    "disable_cuda_malloc",
    "disable_dynamic_vram",
    "disable_ipex_optimize",
    "disable_manager_ui",
    "disable_mmap",
    "disable_pinned_memory",
    "disable_smart_memory",
    "disable_xformers",
    "enable_compress_response_body",
    "enable_manager",
    "enable_manager_legacy_ui",
    "force_channels_last",
    "force_fp16",
    "force_fp32",
    "force_non_blocking",
    "force_upcast_attention",
    "fp16_text_enc",
    "fp16_unet",
    "fp16_vae",
    "fp32_text_enc",
    "fp32_unet",
    "fp32_vae",
    "fp64_unet",
    "fp8_e4m3fn_text_enc",
    "fp8_e4m3fn_unet",
    "fp8_e5m2_text_enc",
    "fp8_e5m2_unet",
    "fp8_e8m0fnu_unet",
    "bf16_text_enc",
    "bf16_unet",
    "bf16_vae",
    "log_stdout",
    "mmap_torch_files",
    "multi_user",
    "oneapi_device_selector",
    "quick_test_for_ci",
    "supports_fp8_compute",
    "use_flash_attention",
    "use_pytorch_cross_attention",
    "use_quad_cross_attention",
    "use_sage_attention",
    "use_split_cross_attention",
    "windows_standalone_build",
    "cpu_vae",
    "deterministic",
    "highvram",
    "gpu_only",
    "lowvram",
    "novram",
    "normalvram",
)
_NONE = (
    "async_offload",
    "cache_lru",
    "cache_ram",
    "comfy_api_base",
    "cuda_device",
    "cuda_malloc",
    "default_device",
    "default_hashing_function",
    "directml",
    "enable_cors_header",
    "extra_model_paths_config",
    "front_end_root",
    "front_end_version",
    "hip_visible_devices",
    "max_upload_size",
    "tls_certfile",
    "tls_keyfile",
    "preview_size",
    "reserve_vram",
    "verbose",
)


def make_arguments() -> argparse.Namespace:
    """The flags of this process, which plugins may change."""
    settings = host().settings
    values: dict[str, Any] = {}
    values.update(dict.fromkeys(_OFF, False))
    values.update(dict.fromkeys(_NONE))
    resident = settings.resident
    values |= {
        "base_directory": None,
        "cpu": settings.device == "cpu",
        "database_url": "",
        "default_hashing_function": "sha256",
        "disable_metadata": not settings.embed_metadata,
        "fast": set[PerformanceFeature](),
        "front_end_version": "",
        "input_directory": str(settings.input_directory),
        "listen": "127.0.0.1",
        "lowvram": resident is not None and not resident.is_nothing,
        "novram": resident is not None and resident.is_nothing,
        "max_upload_size": 100.0,
        "output_directory": str(settings.output_directory),
        "port": DEFAULT_PORT,
        "preview_method": LatentPreviewMethod.from_string(settings.preview_method)
        or LatentPreviewMethod.NoPreviews,
        "preview_size": 512,
        "temp_directory": str(settings.temp_directory),
        "user_directory": str(settings.user_directory),
        "verbose": "INFO",
        "whitelist_custom_nodes": list(settings.plugins or ()),
    }
    for kind in ("fp16", "fp32"):
        values[f"force_{kind}"] = settings.dtype == kind
    return argparse.Namespace(**values)


def enables_dynamic_vram() -> bool:
    """False: the residency streams what does not fit, whatever the flags say."""
    return False


def enable_args_parsing(enable: bool = True) -> None:
    """Say whether flags are read from the command line; without effect."""
    setattr(host_module("comfy.options"), "args_parsing", enable)  # noqa: B010 - a module


def cuda_malloc_supported() -> bool:
    """Whether another allocator should be used: no, the engine chooses."""
    return False


def get_gpu_names() -> set[str]:
    """No names: nothing depends on them."""
    return set()
