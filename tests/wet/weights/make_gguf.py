"""Makes gguf_blocks.safetensors and small.gguf with the PyPI package gguf (MIT).

    pip install gguf==0.19.0
    python tests/wet/weights/make_gguf.py

The first holds random blocks of every format that is read, and the values that the package unpacks.
The second is a file that it wrote, with every type of value and tensors of several formats.
"""

from pathlib import Path

import gguf  # pyright: ignore[reportMissingImports]
import numpy as np
import torch
from gguf.quants import dequantize, quantize  # pyright: ignore[reportMissingImports]
from safetensors.torch import save_file

from engine.weights.gguf_forms import KINDS

HERE = Path(__file__).parent
ROWS, COLUMNS = 3, 512
HALVES = {
    "Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,), "Q2_K": (80, 82),
    "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,), "IQ4_NL": (0,), "IQ4_XS": (0,),
}  # fmt: skip
"""Where the factors of a block are, which must not be NaN."""


def blocks(kind) -> np.ndarray:
    """Random blocks [rows, bytes]."""
    random = np.random.default_rng(kind.nbytes)
    found = random.integers(0, 256, (ROWS * COLUMNS // kind.values, kind.nbytes), dtype=np.uint8)
    for at in HALVES.get(kind.name, ()):
        factors = random.normal(0, 0.02, len(found)).astype(np.float16)
        found[:, at : at + 2] = factors.view(np.uint8).reshape(-1, 2)
    if kind.name == "MXFP4":
        found[:, 0] = random.integers(110, 130, len(found))
    return found.reshape(ROWS, -1)


def small() -> None:
    """Write small.gguf."""
    writer = gguf.GGUFWriter(HERE / "small.gguf", "flux")
    writer.add_string("general.name", "små")
    writer.add_uint64("a.large", 2**63 + 1)
    writer.add_float32("a.float", 0.5)
    writer.add_bool("a.flag", True)
    writer.add_array("tokenizer.ggml.tokens", ["<s>", "▁a", "b"])
    writer.add_array("tokenizer.ggml.scores", [0.0, -1.5, -2.0])
    writer.add_array("comfy.gguf.orig_shape.conv.weight", [4, 2, 4, 4])
    weight = np.random.default_rng(0).normal(0, 1, (4, 64)).astype(np.float32)
    writer.add_tensor("plain.weight", weight)
    writer.add_tensor("half.weight", weight.astype(np.float16))
    conv = np.arange(128, dtype=np.float32).reshape(4, 32) / 64
    for name, values, kind in (
        ("bfloat.weight", weight, "BF16"),
        ("eight.weight", weight, "Q8_0"),
        ("four.weight", weight, "Q4_0"),
        ("conv.weight", conv, "Q8_0"),
    ):
        number = gguf.GGMLQuantizationType[kind]
        writer.add_tensor(name, quantize(values, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    """Write both files."""
    tensors: dict[str, torch.Tensor] = {}
    for number, kind in KINDS.items():
        if kind.unpack is None or kind.name == "Q8_K":  # the package does not unpack Q8_K
            continue
        stored = blocks(kind)
        values = dequantize(stored, gguf.GGMLQuantizationType(number))
        tensors[f"{kind.name}.blocks"] = torch.from_numpy(stored)
        tensors[f"{kind.name}.values"] = torch.from_numpy(np.ascontiguousarray(values))
    save_file(tensors, HERE / "gguf_blocks.safetensors")
    small()


if __name__ == "__main__":
    main()
