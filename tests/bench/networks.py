"""Full-size Stable Diffusion networks of random weights, ours and diffusers', for benchmarks."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import stable_diffusion_1, stable_diffusion_xl
from engine.nets.unet import UNet
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency

SDXL = {
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280),
    "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True,
    "transformer_layers_per_block": (1, 2, 10),
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}
"""The sizes of SDXL's UNet, in diffusers' names."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def random_weights(build: Callable[[], nn.Module], dtype: torch.dtype) -> nn.Module:
    """Values small enough that nothing overflows; speed does not depend on them otherwise."""
    with torch.device("meta"):
        module = build()
    module = module.to_empty(device="cpu").to(dtype)
    for tensor in module.state_dict().values():
        tensor.normal_(0, 0.02)
    return module.eval().requires_grad_(requires_grad=False)


@contextmanager
def ours(build: Callable[[], nn.Module], dtype: torch.dtype, wants: Wants) -> Iterator[nn.Module]:
    """Our network as in the program: its weights in the form that the residency loads."""
    weights = LazyWeights("benchmark", 1, lambda: random_weights(build, dtype), wants=wants)
    with DeviceResidency(torch.device("cpu"), dtype).use(weights):
        yield weights.module


def our_unet(dtype: torch.dtype, model: str = "sd15") -> AbstractContextManager[nn.Module]:
    config = stable_diffusion_xl() if model == "sdxl" else stable_diffusion_1()[0]
    return ours(lambda: UNet(config), dtype, Wants(packed=True))


def our_autoencoder(dtype: torch.dtype) -> AbstractContextManager[nn.Module]:
    build = lambda: AutoencoderKL(stable_diffusion_1()[1])  # noqa: E731
    return ours(build, dtype, Wants(channels_last=True))


def diffusers_unet(dtype: torch.dtype, model: str = "sd15") -> nn.Module:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import UNet2DConditionModel

    if model == "sdxl":
        return random_weights(lambda: UNet2DConditionModel(**SDXL), dtype)
    return random_weights(
        lambda: UNet2DConditionModel(
            in_channels=4,
            out_channels=4,
            block_out_channels=(320, 640, 1280, 1280),
            cross_attention_dim=768,
            attention_head_dim=8,
        ),
        dtype,
    )


def diffusers_autoencoder(dtype: torch.dtype) -> nn.Module:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import AutoencoderKL as Oracle

    module = random_weights(
        lambda: Oracle(
            latent_channels=4,
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        ),
        dtype,
    )
    return module.to(memory_format=torch.channels_last)


def interleaved(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round, wall clock; a round runs everything once, in turn.

    A warm-up round is not counted. Under other load, use the process's own time.
    """
    wall: dict[str, list[float]] = {name: [] for name in runs}
    own: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for counted in range(-1, rounds):
            for name, run in runs.items():
                started, used = time.perf_counter(), time.process_time()
                run()
                if counted >= 0:
                    wall[name].append(time.perf_counter() - started)
                    own[name].append(time.process_time() - used)
    for name in runs:
        print(
            f"  {name:34} {statistics.median(wall[name]):8.3f} s wall"
            f"   {statistics.median(own[name]):8.3f} s of CPU time"
        )
    return own if "--cpu-time" in sys.argv else wall


def ratio(seconds: Mapping[str, list[float]], ours: str, baseline: str, limit: float) -> None:
    """Print the median of the rounds' ratios, and whether it is within the limit."""
    pairs = zip(seconds[ours], seconds[baseline], strict=True)
    found = statistics.median(one / other for one, other in pairs)
    verdict = "kept" if found <= limit else "MISSED"
    print(f"  {ours} / {baseline} = {found:.3f}   (promised: {limit}, {verdict})")


def machine() -> None:
    """Print what the figures were measured on."""
    processor = platform.processor() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open() as lines:
            processor = next(line for line in lines if line.startswith("model name")).split(":")[1]
    except (OSError, StopIteration):
        pass
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(
        f"{processor.strip()}, {torch.get_num_threads()} threads, load {load:.1f}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"diffusers {version('diffusers')}"
    )
