"""Devices, dtypes and the signs of exhausted memory."""

import json
import subprocess
import sys

import pytest
import torch

from engine.errors import SettingsError
from engine.machine import available_memory
from engine.residency import device
from engine.residency.device import (
    choose_device,
    choose_dtype,
    measure_bf16_gain,
    physical_cores,
)
from engine.residency.memory import is_out_of_memory, return_freed_pages

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("name", ["warp", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(SettingsError, match="device"):
        choose_device(name)


def test_the_cpu_can_be_asked_for():
    assert choose_device("cpu") == CPU


@pytest.mark.parametrize(
    ("target", "wanted", "gain", "expected"),
    [
        (CPU, "auto", 1.7, torch.bfloat16),
        (CPU, "auto", 1.3, torch.bfloat16),
        (CPU, "auto", 1.2, torch.float32),
        (CPU, "fp32", 1.7, torch.float32),
        (CPU, "bf16", 0.5, torch.bfloat16),
        (CPU, "fp16", 1.7, torch.bfloat16),
        (CPU, "fp16", 1.0, torch.float32),
        (CUDA, "auto", 1.0, torch.float16),
        (CUDA, "fp16", 1.0, torch.float16),
        (CUDA, "fp32", 1.0, torch.float32),
    ],
)
def test_the_dtype_follows_the_flag_and_the_measurement(
    monkeypatch, target, wanted, gain, expected
):
    monkeypatch.setattr(device, "measure_bf16_gain", lambda: gain)
    choice = choose_dtype(target, wanted)
    assert choice.dtype == expected
    if wanted == "fp16" and target is CPU:
        assert "no kernels" in choice.note


def test_an_unknown_dtype_is_refused():
    with pytest.raises(SettingsError, match="fp8"):
        choose_dtype(CPU, "fp8")


def test_the_measurement_is_kept(tmp_path, monkeypatch):
    file = tmp_path / "deep" / "cpu.json"
    measured: list[int] = []
    monkeypatch.setattr(device, "measure_bf16_gain", lambda: measured.append(1) or 1.5)
    for _ in range(2):
        assert choose_dtype(CPU, probe_file=file).dtype == torch.bfloat16
    assert measured == [1]
    assert list(json.loads(file.read_text()).values()) == [1.5]
    for broken in ("", "[1]", '{"cpu": "fast"}', "not json"):
        file.write_text(broken)
        assert choose_dtype(CPU, probe_file=file).dtype == torch.bfloat16


def test_the_measurement_is_a_ratio_and_cores_are_counted():
    assert 0.01 < measure_bf16_gain() < 100
    assert physical_cores() >= 1
    return_freed_pages()
    assert available_memory() > 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ..."), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to ..."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("the character has not enough memory slots"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_exhausted_memory_is_recognised(error, expected):
    assert is_out_of_memory(error) is expected


def test_what_torch_really_raises_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58)
    assert is_out_of_memory(caught.value)


LIMITED = """
import sys
import torch
from pathlib import Path
from engine.residency.memory import is_out_of_memory, limit_growth
from engine.weights.open import open_weights
path = Path(sys.argv[1])
torch.save({"a": torch.ones(64 << 20, dtype=torch.uint8)}, path)
torch.ones(1).sum()
assert limit_growth(16 << 20)
try:
    torch.ones(64 << 20, dtype=torch.uint8)
except RuntimeError as error:
    print("refused", is_out_of_memory(error))
print("mapped", int(open_weights(path)["a"][::4096].sum()))
assert limit_growth(16 << 20)
print("small", int(torch.ones(1 << 20, dtype=torch.uint8).sum()))
try:
    torch.ones(64 << 20, dtype=torch.uint8)
except RuntimeError as error:
    print("refused", is_out_of_memory(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a limit")
def test_what_a_process_may_take_is_bounded_but_not_the_files_it_maps(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "x.ckpt")],
        capture_output=True,
        text=True,
        check=False,
    )
    expected = ["refused True", "mapped 16384", "small 1048576", "refused True"]
    assert done.stdout.splitlines() == expected, done.stderr
