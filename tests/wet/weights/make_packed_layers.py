"""Makes packed_layers.safetensors: layers packed by comfy-kitchen, and the values it unpacks.

    pip install comfy-kitchen==0.2.40
    python tests/wet/weights/make_packed_layers.py

The package is Apache-2.0 and large (kernels for GPUs), so tests read what it computed here.
"""

import json
from collections.abc import Callable
from pathlib import Path

import comfy_kitchen  # pyright: ignore[reportMissingImports]  # noqa: F401 - registers its functions
import torch
from comfy_kitchen.tensor import (  # pyright: ignore[reportMissingImports]
    AsymW4A8Int8Layout,
    TensorCoreAWQW4A16Layout,
    TensorCoreConvRotW4A4Layout,
    TensorCoreFP8Layout,
    TensorCoreMXFP8Layout,
    TensorCoreNVFP4Layout,
    TensorWiseINT8Layout,
)
from safetensors.torch import save_file
from torch import Tensor

ROWS, COLUMNS = 12, 512
PATH = Path(__file__).with_name("packed_layers.safetensors")


def weight(rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    """Normal values, one column in 64 ten times as large, as in trained layers."""
    values = torch.randn(rows, columns, generator=torch.Generator().manual_seed(3)) * 0.05
    values[:, ::64] *= 10
    return values


def add_integers(add: Callable[..., None], whole: Tensor) -> None:
    """Add the layers of whole numbers."""
    integer = TensorWiseINT8Layout
    add("int8", integer, "int8_tensorwise", whole)
    add("int8_rows", integer, "int8_tensorwise", whole, per_channel=True)
    rotated = {"convrot": True, "convrot_groupsize": 256}
    add("int8_convrot", integer, "int8_tensorwise", whole, rotated, per_channel=True, **rotated)
    small = {"convrot": True, "convrot_groupsize": 64}
    add(
        "int8_convrot_64",
        integer,
        "int8_tensorwise",
        whole,
        {"params": small},
        per_channel=True,
        **small,
    )
    add(
        "convrot_w4a4",
        TensorCoreConvRotW4A4Layout,
        "convrot_w4a4",
        whole,
        {"convrot_groupsize": 256},
    )
    grouped = {"group_size": 16, "convrot_groupsize": 256}
    kind = "asym_w4a8_int8"
    add("asym_w4a8", AsymW4A8Int8Layout, kind, whole, grouped)
    add("asym_w4a8_uniform", AsymW4A8Int8Layout, kind, whole, grouped, codebook=False)
    add(
        "asym_w4a8_shifted",
        AsymW4A8Int8Layout,
        kind,
        whole,
        grouped,
        codebook=False,
        symmetric=False,
    )
    add("asym_w6a8", AsymW4A8Int8Layout, kind, whole, grouped, bits=6, codebook=False)


def awq(whole: Tensor) -> tuple[Tensor, object]:
    """The pairs of a weight of 4 bits in groups of 64, and their parameters."""
    groups = whole.view(ROWS, -1, 64)
    scale = ((groups.amax(2) - groups.amin(2)) / 15).clamp_min(1e-6)
    zero = groups.amin(2) + 8 * scale
    codes = ((groups - zero[..., None]) / scale[..., None] + 8).round().clamp(0, 15).to(torch.uint8)
    codes = codes.view(ROWS, -1)
    pairs = (codes[:, 0::2] | codes[:, 1::2] << 4).view(torch.int8)
    params = TensorCoreAWQW4A16Layout.Params(
        scale=scale.T.contiguous(),
        zeros=zero.T.contiguous(),
        group_size=64,
        orig_dtype=torch.float32,
        orig_shape=(ROWS, COLUMNS),
    )
    return pairs, params


def main() -> None:
    """Write the file."""
    tensors: dict[str, Tensor] = {}
    said: dict[str, dict[str, object]] = {}

    def add(name: str, layout, kind: str, values: Tensor, said_more=None, **options) -> None:
        data, params = layout.quantize(values, **options)
        put(name, layout, kind, data, params, said_more)

    def put(name: str, layout, kind: str, data: Tensor, params, said_more=None) -> None:
        for suffix, tensor in layout.state_dict_tensors(data, params).items():
            tensors[f"{name}.weight{suffix}"] = tensor.contiguous()
        tensors[f"expected.{name}"] = layout.dequantize(data, params).float()
        said[name] = {"format": kind, **(said_more or {})}

    whole = weight()
    for kind, dtype in (("e4m3fn", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)):
        add(f"fp8_{kind}", TensorCoreFP8Layout, f"float8_{kind}", whole, dtype=dtype)
    tensors["float.mxfp8"], tensors["float.nvfp4"] = weight(32, 160), weight(144, 80)
    add("mxfp8", TensorCoreMXFP8Layout, "mxfp8", weight(32, 160))
    add("mxfp8_padded", TensorCoreMXFP8Layout, "mxfp8", weight(20, 72))
    add("nvfp4", TensorCoreNVFP4Layout, "nvfp4", weight(144, 80))
    add("nvfp4_padded", TensorCoreNVFP4Layout, "nvfp4", weight(20, 72))
    add_integers(add, whole)
    pairs, params = awq(whole)
    put("awq", TensorCoreAWQW4A16Layout, "awq_w4a16", pairs, params, {"group_size": 64})
    tensors["float"] = whole
    save_file(tensors, PATH, metadata={"said": json.dumps(said)})


if __name__ == "__main__":
    main()
