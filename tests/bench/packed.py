"""Packed weights: the time to unpack them, a step of a packed projection, and bytes in memory.

    python tests/bench/packed.py [--width 3072] [--tokens 1024] [--rounds 7]

Each form against the same projection with plain weights in the computing dtype, in turn, and where
the PyPI package gguf is installed, unpacking against its. Targets: a step of at most 1.5 of the
plain one at 1,024 tokens; unpacking at least twice as fast as the package's; a packed model takes
its file's bytes.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from load import checkpoint as _checkpoint  # noqa: F401 - puts the project on the path
from torch import Tensor

from engine.nets.layers import Linear
from engine.weights.forms import Form, MxFloat8, NvFloat4, ScaledFloat8, swizzled_size
from engine.weights.gguf_forms import KINDS, GgmlBlocks
from engine.weights.integer_forms import Int8, RotatedInt4

try:
    import gguf  # pyright: ignore[reportMissingImports]
    from gguf.quants import dequantize  # pyright: ignore[reportMissingImports]
except ImportError:
    gguf = dequantize = None

GGUF = ("Q4_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")
SOME_ROWS = 512
"""Rows that the package and we unpack in comparison."""


def random_bytes(*shape: int) -> Tensor:
    """Bytes whose float16 and 8-bit floats are small."""
    return torch.randint(0, 40, shape, dtype=torch.uint8)


def forms(width: int) -> dict[str, tuple[Form, list[Tensor]]]:
    """Forms of a matrix [width, width] with their parts."""
    codes, halves = random_bytes(width, width), random_bytes(width, width // 2)
    rows = torch.rand(width)
    factors = random_bytes(swizzled_size(width, width // 16)).view(torch.float8_e4m3fn)
    powers = random_bytes(swizzled_size(width, width // 32)).view(torch.float8_e8m0fnu)
    found: dict[str, tuple[Form, list[Tensor]]] = {
        "scaled fp8": (ScaledFloat8(), [codes.view(torch.float8_e4m3fn), torch.ones(())]),
        "mxfp8": (MxFloat8(width, width), [codes.view(torch.float8_e4m3fn), powers]),
        "nvfp4": (NvFloat4(width, width), [halves, factors, torch.ones(())]),
        "int8": (Int8(), [codes.view(torch.int8), rows]),
        "int8 ConvRot": (Int8(256), [codes.view(torch.int8), rows]),
        "convrot_w4a4": (RotatedInt4(256), [halves, rows]),
    }
    for number, kind in KINDS.items():
        if kind.name in GGUF:
            stored = random_bytes(width, width // kind.values * kind.nbytes)
            found[f"GGUF {kind.name}"] = (GgmlBlocks(number, (width, width)), [stored])
    return found


def median(work: Callable[[], object], rounds: int) -> float:
    """Seconds of one call on one core, the median: time of the processor, so that other programs
    count little."""
    work()
    taken: list[float] = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def against_package(name: str, form: Form, parts: list[Tensor], rounds: int) -> str:
    """How long the package gguf takes for some rows, in words; empty without it."""
    if dequantize is None or not isinstance(form, GgmlBlocks):
        return ""
    kind = gguf.GGMLQuantizationType[name.removeprefix("GGUF ")]
    some = parts[0][:SOME_ROWS].contiguous()
    fewer = GgmlBlocks(form.kind, (SOME_ROWS, form.shape[1]))
    theirs = median(lambda: dequantize(some.numpy(), kind), rounds)
    ours = median(lambda: fewer.unpack([some], torch.float32), rounds)
    return f", the package takes {theirs / ours:.1f} times as long"


def main() -> None:
    """Print a line for each form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=3072)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    layer = Linear(asked.width, asked.width, bias=False).requires_grad_(False)
    x = torch.randn(asked.tokens, asked.width)
    values = asked.width**2
    print(f"{asked.width} x {asked.width}, {asked.tokens} tokens, fp32")
    with torch.inference_mode():
        for name, (form, parts) in forms(asked.width).items():
            unpack = median(lambda: form.unpack(parts, torch.float32), asked.rounds)  # noqa: B023
            plain = median(lambda: layer(x), asked.rounds)
            bits = sum(part.nbytes for part in parts) * 8 / values
            against = against_package(name, form, parts, asked.rounds)
            print(
                f"{name}: {bits:.2f} bits, unpacked in {unpack * 1e3:.0f} ms "
                f"({values / unpack / 1e6:.0f} million values/s), step "
                f"{(plain + unpack) / plain:.2f} of the plain one{against}"
            )


if __name__ == "__main__":
    main()
