"""Writes GGUF files for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import torch
from torch import Tensor

ALIGNMENT, BLOCK = 32, 32
F32, Q8_0 = 0, 8


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def described(name: str, sides: list[int], kind: int = 0, begin: int = 0) -> bytes:
    """A tensor in the header; `sides` are in the file's order, the innermost first."""
    shape = struct.pack(f"<I{len(sides)}Q", len(sides), *sides)
    return text(name) + shape + struct.pack("<IQ", kind, begin)


def header(values: list[bytes], tensors: list[bytes], version: int = 3) -> bytes:
    counts = struct.pack("<IQQ", version, len(tensors), len(values))
    return b"GGUF" + counts + b"".join((*values, *tensors))


def eight_bits(weight: Tensor) -> bytes:
    """Blocks of 32 values in a row in the format Q8_0."""
    blocks = weight.float().reshape(-1, BLOCK)
    scale = (blocks.abs().amax(1, keepdim=True) / 127).clamp_min(1e-6).half()
    numbers = (blocks / scale.float()).round().clamp(-127, 127).to(torch.int8)
    whole = torch.cat((scale.view(torch.uint8), numbers.view(torch.uint8)), dim=1)
    return whole.numpy().tobytes()


def write_gguf(path: Path, tensors: dict[str, Tensor], architecture: str) -> Path:
    """Matrices whose rows are blocks of 32 in 8 bits, everything else in float32."""
    entries, data = [], b""
    for name, each in tensors.items():
        packed = each.ndim > 1 and each.shape[-1] % BLOCK == 0
        raw = eight_bits(each) if packed else each.float().numpy().tobytes()
        sides = list(reversed(each.shape))
        entries.append(described(name, sides, Q8_0 if packed else F32, len(data)))
        data += raw + bytes(-len(raw) % ALIGNMENT)
    begin = header(
        [text("general.architecture") + struct.pack("<I", 8) + text(architecture)], entries
    )
    path.write_bytes(begin + bytes(-len(begin) % ALIGNMENT) + data)
    return path
