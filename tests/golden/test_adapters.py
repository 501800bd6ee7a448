"""Runs with adapters and hooks against the reference's, on files made here.

Every value of these files follows from the names of file and tensor, and the shape.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet

REFERENCE = Path(__file__).parents[1] / "reference"
RUNS = {
    run["name"]: run
    for run in json.loads((REFERENCE / "adapters.json").read_text(encoding="utf-8"))
}
IN_CI = ("lora15_stack_mixed", "hook_mask_default")

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of the weights of tiny15's UNet, by module."""
BLOCKS = {
    "input_blocks.1.0": "down_blocks.0.resnets.0",
    "input_blocks.1.1": "down_blocks.0.attentions.0",
    "input_blocks.2.0.op": "down_blocks.0.downsamplers.0.conv",
    "input_blocks.3.0": "down_blocks.1.resnets.0",
    "middle_block.0": "mid_block.resnets.0",
    "middle_block.1": "mid_block.attentions.0",
    "middle_block.2": "mid_block.resnets.1",
    "output_blocks.0.0": "up_blocks.0.resnets.0",
    "output_blocks.1.0": "up_blocks.0.resnets.1",
    "output_blocks.1.1.conv": "up_blocks.0.upsamplers.0.conv",
    "output_blocks.2.0": "up_blocks.1.resnets.0",
    "output_blocks.2.1": "up_blocks.1.attentions.0",
    "output_blocks.3.0": "up_blocks.1.resnets.1",
    "output_blocks.3.1": "up_blocks.1.attentions.1",
    "out.0": "conv_norm_out",
}
RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
HF_TEXT = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.out_proj",
    "mlp.fc1",
    "mlp.fc2",
)
ATTENTION = ("attn1.to_", "attn2.to_")
WIDE = (*ATTENTION, "ff.net", "proj_in", "proj_out")


class Maker:
    """Collects the tensors of one file, fp16."""

    def __init__(self, name: str, shapes: Shapes, biases: frozenset[str]) -> None:
        self.name, self.shapes, self.biases = name, shapes, biases
        self.out: dict[str, Tensor] = {}

    def rand(self, key: str, shape: list[int], std: float | None = None, mean: float = 0.0) -> None:
        seed = zlib.crc32(f"{self.name}/{key}".encode())
        value = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        scale = std if std is not None else 1 / math.sqrt(math.prod(shape[1:]) or 1)
        self.out[key] = (value * scale + mean).half()

    def alpha(self, key: str, value: float) -> None:
        self.out[f"{key}.alpha"] = torch.tensor(value).half()

    def modules(self, *words: str) -> dict[str, tuple[int, ...]]:
        return {
            name: shape
            for name, shape in self.shapes.items()
            if any(word in f"{name}.weight" for word in words)
        }

    def low(
        self,
        key: str,
        shape: tuple[int, ...],
        rank: int = 4,
        alpha: float | None = 2.0,
        gain: float = 1.0,
    ) -> None:
        is_conv = len(shape) == 4
        self.rand(f"{key}.lora_down.weight", [rank, *shape[1:]])
        up = [shape[0], rank, 1, 1] if is_conv else [shape[0], rank]
        self.rand(f"{key}.lora_up.weight", up, gain / math.sqrt(rank))
        if alpha is not None:
            self.alpha(key, alpha)


def kohya(name: str) -> str:
    ours = next(each for each in BLOCKS if name == each or name.startswith(f"{each}."))
    rest = name.removeprefix(ours).removeprefix(".")
    theirs = ".".join(part for part in (BLOCKS[ours], RESIDUAL.get(rest, rest)) if part)
    return "lora_unet_" + theirs.replace(".", "_")


def lora15_kohya(m: Maker) -> None:
    for name, shape in m.modules(*WIDE).items():
        m.low(kohya(name), shape)
    for layer in range(12):
        for part in HF_TEXT:
            wide = {"mlp.fc1": (3072, 768), "mlp.fc2": (768, 3072)}.get(part, (768, 768))
            key = f"lora_te_text_model_encoder_layers_{layer}_{part.replace('.', '_')}"
            m.low(key, wide, gain=0.6)


def lora15_second(m: Maker) -> None:
    for name, shape in m.modules("attn2.to_", "ff.net").items():
        m.low("lora_unet_" + name.replace(".", "_"), shape, 8, None, 0.5)
    for layer in (0, 5, 10):
        key = f"lora_te_text_model_encoder_layers_{layer}_mlp_fc1"
        m.low(key, (3072, 768), 8, 8.0)
    m.low("lora_unet_down_blocks_9_attentions_0_proj_in", (320, 320), 2)


def loha15(m: Maker) -> None:
    rank = 3
    for i, (name, shape) in enumerate(
        m.modules(*ATTENTION, "in_layers.2", "out_layers.3", "proj_in").items()
    ):
        key = kohya(name)
        for n in "12":
            if len(shape) == 4 and shape[2] == 3 and i % 2:
                m.rand(f"{key}.hada_t{n}", [rank, rank, 3, 3], 0.5)
                m.rand(f"{key}.hada_w{n}_a", [rank, shape[0]], 0.35)
                m.rand(f"{key}.hada_w{n}_b", [rank, shape[1]], 0.35)
            else:
                m.rand(f"{key}.hada_w{n}_a", [shape[0], rank], 0.4)
                std = 0.2 if len(shape) == 2 else 0.12
                m.rand(f"{key}.hada_w{n}_b", [rank, math.prod(shape[1:])], std)
        if i % 3:
            m.alpha(key, 2.0)


def lokr15_tucker(m: Maker) -> None:
    r = 4
    for i, (name, shape) in enumerate(m.modules(*ATTENTION, "in_layers.2", "out_layers.3").items()):
        key, f = kohya(name), (4, 8)[i % 2]
        o, n = shape[0] // f, shape[1] // f
        if len(shape) == 4:
            m.rand(f"{key}.lokr_w1", [f, f], 0.3)
            m.rand(f"{key}.lokr_t2", [r, r, 3, 3], 0.3)
            m.rand(f"{key}.lokr_w2_a", [r, o], 0.2)
            m.rand(f"{key}.lokr_w2_b", [r, n], 0.2)
        else:
            if i % 4 in (0, 1):
                m.rand(f"{key}.lokr_w1", [f, f], 0.3)
            else:
                m.rand(f"{key}.lokr_w1_a", [f, r], 0.4)
                m.rand(f"{key}.lokr_w1_b", [r, f], 0.4)
            if i % 4 in (0, 2):
                m.rand(f"{key}.lokr_w2", [o, n], 0.06)
            else:
                m.rand(f"{key}.lokr_w2_a", [o, r], 0.2)
                m.rand(f"{key}.lokr_w2_b", [r, n], 0.2)
        m.alpha(key, 2.0)


def glora15(m: Maker) -> None:
    r = 4
    for i, (name, (o, n)) in enumerate(m.modules(*ATTENTION, "ff.net").items()):
        key, old = kohya(name), i % 2 == 1
        first = 0.05 if old else 0.15 / math.sqrt(r)
        m.rand(f"{key}.a1.weight", [r, n] if old else [n, r], first)
        m.rand(f"{key}.a2.weight", [n, r] if old else [r, n], 0.15 if old else 0.05)
        m.rand(f"{key}.b1.weight", [r, n] if old else [o, r], 0.05)
        m.rand(f"{key}.b2.weight", [o, r] if old else [r, n], 0.3)
        if i % 3:
            m.alpha(key, 2.0)


def oft15(m: Maker) -> None:
    for i, (name, shape) in enumerate(m.modules(*ATTENTION, "in_layers.2", "proj_in").items()):
        size = (16, 32)[i % 2]
        m.rand(f"{kohya(name)}.oft_blocks", [shape[0] // size, size, size], 0.08)
        m.alpha(kohya(name), 0.5 if i % 3 else 40.0)


def boft15_noalpha(m: Maker) -> None:
    for name, shape in m.modules(*ATTENTION, "in_layers.2", "proj_in").items():
        m.rand(f"{kohya(name)}.oft_blocks", [3, shape[0] // 8, 8, 8], 0.08)


def dora15(m: Maker) -> None:
    for name, shape in m.modules(*WIDE, "in_layers.2").items():
        key = kohya(name)
        if "ff.net" in name:
            for n in "12":
                m.rand(f"{key}.hada_w{n}_a", [shape[0], 3], 0.4)
                m.rand(f"{key}.hada_w{n}_b", [3, shape[1]], 0.2)
            m.alpha(key, 2.0)
            mean = math.sqrt(shape[0] / shape[1]) * 1.1
            m.rand(f"{key}.dora_scale", [1, shape[1]], 0.1, mean)
            continue
        m.low(key, shape)
        if "attn2" in name:
            m.rand(f"{key}.dora_scale", [shape[0], 1], 0.1, 1.1)
        else:
            axes = [1, shape[1]] + [1] * (len(shape) - 2)
            mean = 1.1 * math.sqrt(shape[0] / math.prod(shape[1:]))
            m.rand(f"{key}.dora_scale", axes, 0.1, mean)


def diff15(m: Maker) -> None:
    for name, shape in m.modules("attn2.to_", "in_layers.2", "proj_out").items():
        m.rand(f"{kohya(name)}.diff", list(shape), 0.5 / math.sqrt(math.prod(shape[1:])))
        if name in m.biases:
            m.rand(f"{kohya(name)}.diff_b", [shape[0]], 0.1)
    for name, shape in m.modules("norm2", "in_layers.0").items():
        m.rand(f"{kohya(name)}.w_norm", list(shape), 0.2)
        m.rand(f"{kohya(name)}.b_norm", list(shape), 0.2)
    for name, shape in m.modules("norm3", "norm1.").items():
        m.rand(f"{kohya(name)}.set_weight", list(shape), 0.2, 1.2)
    m.rand("diffusion_model.out.2.diff", [4, 320, 3, 3], 0.02)
    m.rand("diffusion_model.out.2.diff_b", [4], 0.3)
    m.rand("lora_te_text_model_encoder_layers_3_mlp_fc1.diff", [3072, 768], 0.03)
    m.rand("lora_te_text_model_encoder_layers_3_mlp_fc1.diff_b", [3072], 0.1)


MAKERS: Mapping[str, Callable[[Maker], None]] = {
    each.__name__: each
    for each in (
        lora15_kohya,
        lora15_second,
        loha15,
        lokr15_tucker,
        glora15,
        oft15,
        boft15_noalpha,
        dora15,
        diff15,
    )
}


@pytest.fixture(scope="session")
def adapters(test_cache: Path) -> None:
    """The files, in the folder of all big test files."""
    config = regular_unet(320, (1, 1), (1, 0), context=768, heads=8, blocks=1)
    with torch.device("meta"):
        unet = {name: tuple(each.shape) for name, each in UNet(config).state_dict().items()}
    suffix = ".weight"
    shapes = {name.removesuffix(suffix): unet[name] for name in unet if name.endswith(suffix)}
    biases = frozenset(name.removesuffix(".bias") for name in unet if name.endswith(".bias"))
    for name, make in MAKERS.items():
        path = test_cache / f"{name}.safetensors"
        if not path.is_file():
            maker = Maker(name, shapes, biases)
            make(maker)
            save_file(maker.out, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)


def strays(pair: tuple[Tensor, Tensor]) -> float:
    found, expected = pair
    assert found.shape == expected.shape
    return float((found.double() - expected).norm() / expected.double().norm())


@pytest.mark.parametrize("name", IN_CI)
def test_chosen_run(
    name: str,
    run_reference: Callable[..., tuple[Tensor, Tensor]],
    tiny15_checkpoint: Path,
    adapters: None,
    record_property: Callable[[str, object], None],
) -> None:
    found = strays(run_reference(name))
    record_property("relative_l2", found)
    assert found <= RUNS[name]["tolerance"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(RUNS) - set(IN_CI)))
def test_other_run(
    name: str,
    run_reference: Callable[..., tuple[Tensor, Tensor]],
    tiny15_checkpoint: Path,
    adapters: None,
) -> None:
    """`lokr15_tucker` and `boft15_noalpha` against their definition, see the README."""
    assert strays(run_reference(name)) <= RUNS[name]["tolerance"]
