"""A model of SDXL's shape with LoRAs, a ControlNet and an IP-Adapter, on the meta device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engine.adapters.read import adapter_of
from engine.control.original import OriginalControlNet
from engine.control.unet_copy import UNetCopyConfig
from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.sdxl.family import StableDiffusionXL, StableDiffusionXLConfig
from engine.inference.adapters import matched_with, patched_model
from engine.inference.control import Control, ControlNet, controlled
from engine.inference.ip_adapter import OpenIpAdapter, Pictures, applied
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.nets.controlnet import ControlNetConfig
from engine.nets.ip_adapter import IpAdapter, IpAdapterConfig, Projection
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet, UNetConfig
from engine.nets.unet_places import transformers_of
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import Entry, StateDict

from .simulated import FusedAttention, Meter, simulated

RANK = 16


@dataclass(frozen=True)
class Size:
    """Widths of the model, transformers of each level, and the side of the picture in cells."""

    width: int
    context: int
    pooled: int
    head_channels: int
    cells: int
    depths: tuple[int, int, int] = (0, 2, 10)

    @property
    def vector(self) -> int:
        """The width of pooled text and six sizes."""
        return self.pooled + 6 * 256


TRUE = Size(width=320, context=2048, pooled=1280, head_channels=64, cells=128)
SMALL = Size(width=64, context=256, pooled=64, head_channels=64, cells=32, depths=(0, 1, 1))


def nothing(shape: tuple[int, ...], dtype: torch.dtype) -> Entry:
    one = torch.zeros((), dtype=dtype)
    return Entry(shape, dtype, lambda: one.expand(shape))


def handle(module: nn.Module, name: str) -> LazyWeights:
    sources = {n: nothing(tuple(t.shape), torch.half) for n, t in module.state_dict().items()}
    size = sum(each.nbytes for each in sources.values())
    return LazyWeights(name, size, lambda: module, sources=sources, wants=Wants())


def unet_config(size: Size) -> UNetConfig:
    return regular_unet(
        size.width,
        (1, 2, 4),
        size.depths,
        context=size.context,
        head_channels=size.head_channels,
        linear=True,
        vector=size.vector,
    )


def model_of(size: Size) -> Model:
    family, unet = StableDiffusionXL(), unet_config(size)
    with torch.device("meta"):
        net = UNet(unet)
    config = StableDiffusionXLConfig(unet, discrete())
    weights = handle(net.eval().requires_grad_(requires_grad=False), "unet")
    return Model(family, config, weights, family.latent(config), config.levels)


def with_lora(model: Model, number: int) -> Model:
    """All attentions and feed-forwards changed, as most LoRAs do."""
    tensors: dict[str, Entry] = {}
    for name, source in model.net.sources.items():
        if name.endswith(".weight") and len(source.shape) == 2 and "transformer" in name:
            base = f"diffusion_model.{name.removesuffix('.weight')}"
            tensors[f"{base}.lora_down.weight"] = nothing((RANK, source.shape[1]), torch.half)
            tensors[f"{base}.lora_up.weight"] = nothing((source.shape[0], RANK), torch.half)
    adapter = adapter_of(StateDict(tensors), ("lora", number))
    return patched_model(model, matched_with(adapter, model, None), 0.5 + number)


def control_of(size: Size) -> Control:
    kind, unet = OriginalControlNet(), unet_config(size)
    net = ControlNetConfig(
        4,
        size.width,
        4 * size.width,
        size.vector,
        unet.input_blocks,
        unet.middle_block,
        (3, 16, 16, 32, 32, 96, 96, 256, size.width),
    )
    config = UNetCopyConfig(net)
    module = kind.build(config).eval().requires_grad_(requires_grad=False)
    side = 8 * size.cells
    return Control(
        ControlNet(kind, config, handle(module, "control")), torch.zeros(1, side, side, 3)
    )


def ip_adapter_of(model: Model, size: Size) -> OpenIpAdapter:
    """A plus adapter: a resampler of hidden states, and keys and values for each attention."""
    shapes = {name: source.shape for name, source in model.net.sources.items()}
    inner = tuple(each.inner for each in transformers_of(shapes))
    channels = 4 * size.width
    config = IpAdapterConfig(
        Projection.RESAMPLER,
        channels,
        size.context,
        16,
        inner,
        tuple(range(len(inner))),
        (channels, channels, 4 * channels, 4),
    )
    with torch.device("meta"):
        module = IpAdapter(config).eval().requires_grad_(requires_grad=False)
    return OpenIpAdapter("plus", config, handle(module, "ip-adapter"))


@dataclass(frozen=True)
class Measured:
    """One run: peak bytes, bytes of all weights, copied after the first step, and held."""

    peak: int
    weights: int
    copied: int
    held: int


def measure(
    size: Size, budget: int, *, steps: int = 2, loras: int = 2, pictures: int = 0
) -> Measured:
    """Guided steps of one picture on a simulated device with no more memory than the budget.

    `pictures` are prompts by an IP-Adapter.
    """
    model, control = model_of(size), control_of(size)
    weights = model.net.size + control.net.weights.size
    for number in range(loras):
        model = with_lora(model, number)
    if pictures:
        adapter = ip_adapter_of(model, size)
        weights += adapter.weights.size
        seen = torch.zeros(pictures, 257, adapter.config.channels)
        model = applied(model, adapter, Pictures(seen, seen[:1]), weight=0.7)

    def text() -> list[Any]:
        extras = {"pooled_output": torch.zeros(1, size.pooled)}
        return [[torch.zeros(1, 77, size.context), extras]]

    positive, negative = controlled((text(), text()), control, also_negative=False)
    guider = CfgGuider(model, positive, negative, 7.0)
    latent = {"samples": torch.zeros(1, 4, size.cells, size.cells)}
    residency = simulated(budget)
    marks: list[int] = []
    with FusedAttention(), Meter(budget) as meter, installed(residency):
        sample(
            guider,
            RandomNoise(1),
            Sampler(SAMPLERS["euler"]),
            torch.linspace(14.6, 0.0, steps + 1),
            latent,
            on_step=lambda *_: marks.append(copied(residency)),
        )
        return Measured(meter.peak, weights, marks[-1] - marks[0], residency.held)


def copied(residency: DeviceResidency) -> int:
    return sum(each._carrier.copied for each in residency._loaded.values())
