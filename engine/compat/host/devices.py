"""`comfy.model_management`: which devices and dtypes are computed with, as the residency says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from engine.compat.host.state import host
from engine.residency.device import DTYPES, choose_device, supported_dtypes
from engine.residency.manager import Residency, current

FLOAT8_TYPES = [
    getattr(torch, name)
    for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
    if hasattr(torch, name)
]
_ANY: Sequence[torch.dtype] = (torch.float16, torch.bfloat16, torch.float32)
_CPU = torch.device("cpu")


class VRAMState(Enum):
    """How much of the weights stays on the device."""

    DISABLED = 0
    NO_VRAM = 1
    LOW_VRAM = 2
    NORMAL_VRAM = 3
    HIGH_VRAM = 4
    SHARED = 5


class CPUState(Enum):
    """What computes."""

    GPU = 0
    CPU = 1
    MPS = 2


def residency() -> Residency | None:
    """What manages the device; None where no worker runs, as while a command lists nodes."""
    with suppress(RuntimeError):
        return current()
    return None


def get_torch_device() -> torch.device:
    """The device that computes."""
    found = residency()
    return choose_device(host().settings.device) if found is None else found.device


def _computing_dtype() -> torch.dtype:
    found = residency()
    if found is not None:
        return found.dtype
    default = torch.float16 if get_torch_device().type == "cuda" else torch.float32
    return DTYPES.get(host().settings.dtype, default)


def _device(device: torch.device | str | None) -> torch.device:
    return get_torch_device() if device is None else torch.device(device)


def cpu_state_now() -> CPUState:
    """What computes, as `cpu_state`."""
    return CPUState.GPU if get_torch_device().type == "cuda" else CPUState.CPU


def vram_state_now() -> VRAMState:
    """The incumbent's name for what the settings say."""
    if get_torch_device().type != "cuda":
        return VRAMState.DISABLED
    resident = host().settings.resident
    if resident is None:
        return VRAMState.NORMAL_VRAM
    return VRAMState.NO_VRAM if resident.is_nothing else VRAMState.LOW_VRAM


def get_torch_device_name(device: Any = None) -> str:
    """A text for people."""
    found = _device(device)
    if found.type == "cuda":
        return f"{found} {torch.cuda.get_device_name(found)}"
    return str(found)


def get_autocast_device(dev: Any) -> str:
    """The type of a device, for `torch.autocast`."""
    return dev.type if hasattr(dev, "type") else "cuda"


def is_device_type(device: Any, type: str) -> bool:  # noqa: A002 - the interface's name
    """Whether a device is of that type."""
    return getattr(device, "type", None) == type


def is_device_cpu(device: Any) -> bool:
    """Whether it is a CPU."""
    return is_device_type(device, "cpu")


def is_device_mps(device: Any) -> bool:
    """Whether it is Apple's."""
    return is_device_type(device, "mps")


def is_device_cuda(device: Any) -> bool:
    """Whether it is a CUDA device."""
    return is_device_type(device, "cuda")


def is_device_xpu(device: Any) -> bool:
    """Whether it is Intel's."""
    return is_device_type(device, "xpu")


def is_nvidia() -> bool:
    """Whether an NVIDIA device computes."""
    return get_torch_device().type == "cuda" and torch.version.cuda is not None


def is_amd() -> bool:
    """Whether an AMD device computes."""
    return get_torch_device().type == "cuda" and torch.version.hip is not None


def never(*_: Any, **__: Any) -> bool:
    """False: what this asks for is never used here."""
    return False


def always(*_: Any, **__: Any) -> bool:
    """True."""
    return True


def on_cpu(*_: Any, **__: Any) -> torch.device:
    """The CPU, where weights wait and values between nodes are."""
    return _CPU


def unet_inital_load_device(_parameters: int, _dtype: torch.dtype) -> torch.device:
    """Where a denoiser is built: on the CPU, it is transferred when it is used."""
    return _CPU


def dtype_size(dtype: torch.dtype | None) -> int:
    """Bytes of one value."""
    return 4 if dtype is None else dtype.itemsize


def _supports(device: torch.device, dtype: torch.dtype) -> bool:
    return dtype in supported_dtypes(device)


def supports_dtype(device: Any, dtype: torch.dtype) -> bool:
    """Whether a device computes in a dtype."""
    return _supports(_device(device), dtype)


def supports_cast(_device: Any, dtype: torch.dtype) -> bool:
    """Whether a device converts from a dtype."""
    return dtype.is_floating_point


def should_use_fp16(
    device: Any = None,
    model_params: int = 0,  # noqa: ARG001 - the names are part of the interface
    prioritize_performance: bool = True,  # noqa: ARG001
    manual_cast: bool = False,  # noqa: ARG001
) -> bool:
    """Whether networks should be computed in fp16: on CUDA devices, unless fp32 is chosen."""
    return _device(device).type == "cuda" and _computing_dtype() != torch.float32


def should_use_bf16(
    device: Any = None,
    model_params: int = 0,  # noqa: ARG001 - the names are part of the interface
    prioritize_performance: bool = True,  # noqa: ARG001
    manual_cast: bool = False,  # noqa: ARG001
) -> bool:
    """Whether networks may be computed in bf16: on CUDA devices that have it."""
    found = _device(device)
    chosen = _computing_dtype() != torch.float32
    return found.type == "cuda" and chosen and _supports(found, torch.bfloat16)


def unet_dtype(
    device: Any = None,
    model_params: int = 0,  # noqa: ARG001 - the names are part of the interface
    supported_dtypes: Sequence[torch.dtype] = _ANY,
    weight_dtype: torch.dtype | None = None,
) -> torch.dtype:
    """The dtype to hold a denoiser's weights in.

    Args:
        device: what computes.
        model_params: the number of weights.
        supported_dtypes: those that the network works in, best first.
        weight_dtype: that of the file; one of 8 bits stays.
    """
    if weight_dtype in FLOAT8_TYPES and weight_dtype is not None:
        return weight_dtype
    found, chosen = _device(device), _computing_dtype()
    if chosen in supported_dtypes and _supports(found, chosen):
        return chosen
    return next((each for each in supported_dtypes if _supports(found, each)), torch.float32)


def unet_manual_cast(
    weight_dtype: torch.dtype | None,
    inference_device: Any,
    supported_dtypes: Sequence[torch.dtype] = _ANY,
) -> torch.dtype | None:
    """The dtype to compute in, where the weights' own is none; else None."""
    if weight_dtype in (None, torch.float32, torch.float64):
        return None
    found = _device(inference_device)
    if weight_dtype in supported_dtypes and _supports(found, weight_dtype):
        return None
    return unet_dtype(found, supported_dtypes=supported_dtypes)


def text_encoder_dtype(device: Any = None) -> torch.dtype:
    """The dtype that text encoders are held in."""
    return torch.float32 if _device(device).type == "cpu" else torch.float16


def vae_dtype(device: Any = None, allowed_dtypes: Sequence[torch.dtype] = ()) -> torch.dtype:
    """The dtype that an autoencoder is computed in: the first allowed one that is fast here."""
    found = _device(device)
    if found.type == "cuda":
        wanted = [each for each in allowed_dtypes if _supports(found, each)]
        return wanted[0] if wanted else torch.float32
    return torch.float32


def intermediate_dtype() -> torch.dtype:
    """The dtype of values between nodes."""
    return torch.float32


def pick_weight_dtype(
    dtype: torch.dtype | None, fallback_dtype: torch.dtype, device: Any = None
) -> torch.dtype:
    """`dtype` where the device can convert from it, else the other."""
    if dtype is None or not supports_cast(device, dtype):
        return fallback_dtype
    return fallback_dtype if dtype.itemsize > fallback_dtype.itemsize else dtype


def device_supports_non_blocking(device: Any) -> bool:
    """Whether transfers may go on while the CPU does something else."""
    return is_device_cuda(device)


def cast_to(
    weight: Tensor,
    dtype: torch.dtype | None = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    stream: Any = None,  # noqa: ARG001 - the name is part of the interface
    r: Any = None,
) -> Tensor:
    """A tensor on a device, in a dtype. `r`: a tensor to write it into."""
    if r is not None:
        r.copy_(weight, non_blocking=non_blocking)
        return r
    if weight.is_mkldnn:  # packed by the residency, see `engine.residency.packing`
        weight = weight.to_dense()
    device = weight.device if device is None else device
    return weight.to(device, dtype or weight.dtype, non_blocking=non_blocking, copy=copy)


def cast_to_device(
    tensor: Tensor, device: Any, dtype: torch.dtype | None, copy: bool = False
) -> Tensor:
    """A tensor on a device, in a dtype."""
    return cast_to(tensor, dtype, device, device_supports_non_blocking(device), copy)


def current_stream(device: Any) -> Any:
    """The CUDA stream in use; None elsewhere."""
    return torch.cuda.current_stream(device) if is_device_cuda(device) else None


def no_stream(*_: Any, **__: Any) -> None:
    """None: transfers of plugins' weights have no stream of their own."""
    return


def force_upcast_attention_dtype() -> dict[torch.dtype, torch.dtype] | None:
    """None: attention is computed in the dtype of its inputs."""
    return None


def pytorch_attention_flash_attention() -> bool:
    """Whether torch's attention needs no memory for the map of all pairs."""
    return get_torch_device().type == "cuda"
