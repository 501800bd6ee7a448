"""Chooses the compute device, the dtype and the number of threads.

A CPU's best dtype is measured, once per machine: bf16 halves memory everywhere, but only some CPUs
compute in it. See docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from torch.nn import functional

from engine.errors import SettingsError

DTYPES: Mapping[str, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
WORTH_IT = 1.3
"""The speed of bf16 relative to fp32 from which it is chosen on a CPU."""


@dataclass(frozen=True, slots=True)
class DtypeChoice:
    """The dtype to compute in, and a sentence for the log that gives the reason."""

    dtype: torch.dtype
    note: str


def choose_device(name: str = "auto") -> torch.device:
    """`auto` (CUDA if there is a device, else the CPU), `cpu`, `cuda`, `cuda:1`.

    Raises `SettingsError` for a device that does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingsError(f"device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            raise SettingsError(f"device {name!r}: found {count} CUDA devices; choose auto or cpu")
    elif device.type != "cpu":
        raise SettingsError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    return device


def choose_dtype(
    device: torch.device, wanted: str = "auto", *, probe_file: Path | None = None
) -> DtypeChoice:
    """The dtype to compute in. `wanted` is `auto`, `fp32`, `bf16` or `fp16`.

    Args:
        device: the compute device.
        wanted: fp16 on a CPU, which has no kernels for it, is replaced by the dtype of `auto`.
        probe_file: where the measurement is stored between runs.
    """
    if wanted not in {"auto", *DTYPES}:
        raise SettingsError(f"dtype {wanted!r}: expected auto, {', '.join(DTYPES)}")
    if wanted in DTYPES and not (wanted == "fp16" and device.type == "cpu"):
        return DtypeChoice(DTYPES[wanted], f"{wanted}, as asked for")
    if device.type != "cpu":
        return DtypeChoice(torch.float16, "fp16: the most exact of this device's fast types")
    gain = _remembered_gain(probe_file)
    name = "bf16" if gain >= WORTH_IT else "fp32"
    note = f"{name}: bf16 measured {gain:.2f} times as fast as fp32 on this CPU"
    if wanted == "fp16":
        note = f"fp16 has no kernels on a CPU; {note}"
    return DtypeChoice(DTYPES[name], note)


def supported_dtypes(device: torch.device) -> frozenset[torch.dtype]:
    """The dtypes that networks can be computed in on the device."""
    if device.type != "cuda":
        return frozenset({torch.float32, torch.bfloat16})
    half = {torch.float32, torch.float16}
    return frozenset(half | ({torch.bfloat16} if torch.cuda.is_bf16_supported() else set()))


def physical_cores() -> int:
    """The number of cores this process may run on; a pair of hyperthreads counts once."""
    logical = os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
        physical = min(physical, max(1, allowed * physical // logical))
    return physical


def use_physical_cores() -> int:
    """Set torch's threads to the physical cores, and return their number."""
    cores = physical_cores()
    torch.set_num_threads(cores)
    return cores


def measure_bf16_gain() -> float:
    """Measure the speed of bf16 relative to fp32 on this CPU; takes about 0.2 s.

    The geometric mean over a matrix product and a convolution of a UNet's size.
    """
    with torch.inference_mode():
        product = _ratio(torch.randn(1024, 1024), torch.randn(1024, 1024), torch.mm)
        image, kernel = torch.randn(1, 320, 32, 32), torch.randn(320, 320, 3, 3)
        convolution = _ratio(image, kernel, lambda x, w: functional.conv2d(x, w, padding=1))
    return (product * convolution) ** 0.5


def _ratio(
    x: torch.Tensor, w: torch.Tensor, operation: Callable[[torch.Tensor, torch.Tensor], object]
) -> float:
    pairs = {torch.float32: (x, w), torch.bfloat16: (x.bfloat16(), w.bfloat16())}
    times: dict[torch.dtype, list[float]] = {dtype: [] for dtype in pairs}
    for turn in range(6):
        for dtype, pair in pairs.items():
            start = time.perf_counter()
            operation(*pair)
            if turn:  # the first call of each compiles its kernel
                times[dtype].append(time.perf_counter() - start)
    return statistics.median(times[torch.float32]) / statistics.median(times[torch.bfloat16])


def _remembered_gain(probe_file: Path | None) -> float:
    machine = f"{_cpu_model()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    known: dict[str, float] = {}
    if probe_file:
        with suppress(OSError, ValueError, TypeError):
            known = {str(k): float(v) for k, v in dict(json.loads(probe_file.read_text())).items()}
    if machine not in known:
        known[machine] = round(measure_bf16_gain(), 3)
        if probe_file:
            with suppress(OSError):  # a read-only folder costs 0.2 s per start, nothing else
                probe_file.parent.mkdir(parents=True, exist_ok=True)
                part = probe_file.with_suffix(f".{os.getpid()}.part")
                part.write_text(json.dumps(known, indent=2))
                part.replace(probe_file)
    return known[machine]


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
