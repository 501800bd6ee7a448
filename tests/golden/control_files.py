"""The control networks of the reference's runs: every value follows from file, name and shape."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.nets.controlnet import ControlNet, ControlNetConfig
from engine.nets.controlnet_union import ControlNetUnion, UnionConfig
from engine.nets.layouts import regular_unet
from engine.nets.unet import Block, UNetConfig
from engine.nets.unet_blocks import TransformerConfig
from tests.wet.control.test_diffusers_names import in_diffusers_layout

Shapes = Mapping[str, tuple[int, ...]]
HINTS = (3, 16, 16, 32, 32, 96, 96, 256, 320)
OWN = ("zero_convs", "middle_block_out", "input_hint")
"""Parts that the UNet does not have."""
UNION = ("task_embedding", "transformer_layes.", "spatial_ch_projs.", "control_add_embedding.")
RANK = 8


def of_unet(unet: UNetConfig, middle: Block | None = None) -> ControlNetConfig:
    """The ControlNet for a UNet."""
    return ControlNetConfig(
        in_channels=4,
        model_channels=320,
        time_channels=1280,
        vector_channels=unet.vector_channels,
        input_blocks=unet.input_blocks,
        middle_block=unet.middle_block if middle is None else middle,
        hint_channels=HINTS,
    )


TINY15 = of_unet(regular_unet(320, (1, 1), (1, 0), context=768, heads=8, blocks=1))
SD15 = of_unet(regular_unet(320, (1, 2, 4, 4), (1, 1, 1, 0), context=768, heads=8))
_TINY_VEGA = regular_unet(320, (1, 1, 1), (0, 1, 2), context=2048, linear=True, vector=2816)
TINY_VEGA = of_unet(_TINY_VEGA, _TINY_VEGA.middle_block[:1])


def _small() -> ControlNetConfig:
    """SDXL's widths without transformers; the middle has the projections of one."""
    unet = regular_unet(320, (1, 2, 4), (0, 0, 0), context=2048, linear=True, vector=2816)
    first, last = unet.middle_block
    return of_unet(unet, (first, TransformerConfig(1280, 1280, 0, 0, 20, 0, linear=True), last))


def shapes(config: ControlNetConfig) -> Shapes:
    with torch.device("meta"):
        net = ControlNet(config)
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


def random(file: str, name: str, shape: tuple[int, ...], scale: float, mean: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(f"{file}/{name}".encode()))
    return (torch.randn(shape, generator=generator) * scale + mean).half()


def values(file: str, given: Shapes, prefix: str = "") -> dict[str, Tensor]:
    """Whole tensors, in sizes that keep the network's values in range."""
    found = {}
    for key, shape in given.items():
        mean, deviation = 0.0, 1 / math.sqrt(math.prod(shape[1:]))
        if "zero_convs" in key or "middle_block_out" in key:
            deviation = 0.4 * deviation if len(shape) > 1 else 0.02
        elif len(shape) == 1:
            mean, deviation = 0.0 if key.endswith("bias") else 1.0, 0.02
        elif "input_hint" in key:
            deviation *= 2.0
        found[prefix + key] = random(file, prefix + key, shape, deviation, mean)
    return found


def differences() -> dict[str, Tensor]:
    """A file to be added to the model's weights."""
    found = values("cn15_difference", shapes(TINY15), "control_model.")
    for name, tensor in found.items():
        if not any(part in name for part in OWN):
            less = 0.2 if tensor.ndim == 1 and name.endswith("weight") else 0.0
            found[name] = (tensor.float() * 0.2 - less).half()
    return {**found, "difference": torch.zeros(1)}


def low_rank(file: str, config: ControlNetConfig) -> dict[str, Tensor]:
    """A Control-LoRA: factors of every matrix, norms, and the parts that the UNet does not have."""
    found = {"lora_controlnet": torch.zeros(0)}
    for key, shape in shapes(config).items():
        if key.startswith(OWN):
            found |= values(file, {key: shape})
        elif len(shape) > 1:
            name, (out, *inner) = key.removesuffix(".weight"), shape
            down = RANK, *inner
            scale = 1 / math.sqrt(math.prod(inner))
            found[f"{name}.down"] = random(file, f"{name}.down", down, scale)
            up = out, RANK, *[1] * (len(shape) - 2)
            found[f"{name}.up"] = random(file, f"{name}.up", up, 0.5 / math.sqrt(RANK))
        elif "norm" in key or "layers.0" in key:
            found[key] = random(file, key, shape, 0.05, 0.0 if key.endswith("bias") else 1.0)
    return found


def in_diffusers(file: str, config: ControlNetConfig) -> dict[str, Tensor]:
    return in_diffusers_layout(values(file, shapes(config)), config)


def union() -> dict[str, Tensor]:
    """Six types."""
    config = _small()
    with torch.device("meta"):
        net = ControlNetUnion(config, UnionConfig(6, 6, 320, 1280, 1))
    own = {n: tuple(t.shape) for n, t in net.state_dict().items() if n.startswith(UNION)}
    task = {
        "task_embedding": random("cnxl_union", "task_embedding", own.pop("task_embedding"), 0.5)
    }
    return in_diffusers("cnxl_union", config) | task | values("cnxl_union", own)


def t2i_light() -> dict[str, Tensor]:
    given: dict[str, tuple[int, ...]] = {}
    before = 192
    for level, width in enumerate((320, 640, 1280, 1280)):
        inner = width // 4
        given[f"body.{level}.in_conv"] = (inner, before, 1, 1)
        for block in range(4):
            for part in ("block1", "block2"):
                given[f"body.{level}.body.{block}.{part}"] = (inner, inner, 3, 3)
        given[f"body.{level}.out_conv"] = (width, inner, 1, 1)
        before = width
    return _with_biases("t2i15_light", given)


def t2i_full(file: str, channels: int) -> dict[str, Tensor]:
    given: dict[str, tuple[int, ...]] = {"conv_in": (320, channels, 3, 3)}
    before = 320
    for level, width in enumerate((320, 640, 1280, 1280)):
        for number in (2 * level, 2 * level + 1):
            if before != width:
                given[f"body.{number}.in_conv"] = (width, before, 1, 1)
            given[f"body.{number}.block1"] = (width, width, 3, 3)
            given[f"body.{number}.block2"] = (width, width, 1, 1)
            before = width
    return _with_biases(file, given)


def _with_biases(file: str, given: Shapes) -> dict[str, Tensor]:
    found = {}
    for name, shape in given.items():
        scale = 1 / math.sqrt(math.prod(shape[1:]))
        found[f"{name}.weight"] = random(file, f"{name}.weight", shape, scale)
        found[f"{name}.bias"] = random(file, f"{name}.bias", shape[:1], 0.02)
    return found


MADE: Mapping[str, Callable[[], dict[str, Tensor]]] = {
    "cn15_cldm": lambda: values("cn15_cldm", shapes(TINY15), "control_model."),
    "cn15_plain_shuffle": lambda: values("cn15_plain_shuffle", shapes(TINY15)),
    "cn15_difference": differences,
    "control_lora15": lambda: low_rank("control_lora15", TINY15),
    "cn15_diffusers": lambda: in_diffusers("cn15_diffusers", SD15),
    "t2i15_full": lambda: t2i_full("t2i15_full", 192),
    "t2i15_light": t2i_light,
    "control_loraxl": lambda: low_rank("control_loraxl", TINY_VEGA),
    "cnxl_small": lambda: in_diffusers("cnxl_small", _small()),
    "cnxl_union": union,
    "t2ixl": lambda: t2i_full("t2ixl", 768),
}


def make_file(folder: Path, name: str) -> Path:
    """The file of that name, made once."""
    path = folder / name
    if not path.is_file():
        part = folder / f"{name}.{os.getpid()}.part"
        save_file(MADE[Path(name).stem](), part)
        part.replace(path)
    return path
