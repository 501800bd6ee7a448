"""Seconds per step with previews by a linear map and by a tiny autoencoder, against none.

    python tests/bench/previews.py [--size 256] [--steps 10] [--rounds 3] [--dtype bf16]
                                   [--device cpu]

Stable Diffusion 1's UNet and TAESD's decoder, of random weights. A round runs all three in turn; a
step is a guided one (batch 2) and whatever the preview of that step takes. Beside the ratio, which
the noise of a machine can hide, it prints the share of the time that is spent in the previews.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from networks import DTYPES, interleaved, machine, random_weights, ratio
from safetensors.torch import save_file

from engine.families.latent_format import LatentFormat
from engine.families.sd15.family import LATENT_SCALE, RGB_FACTORS
from engine.inference.preview_run import previews
from engine.nets.layouts import stable_diffusion_1
from engine.nets.tiny_autoencoder import LayerConfig, TinyAutoencoder, TinyAutoencoderConfig
from engine.nets.unet import UNet
from engine.residency.carriers import Wants
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency, installed

LIMIT = 1.03
FORM = LatentFormat(4, (8, 8), LATENT_SCALE, rgb_factors=RGB_FACTORS, tiny="taesd")


def decoder() -> TinyAutoencoderConfig:
    """The decoder of TAESD, full size."""
    block, up = LayerConfig("block", 64, 64), LayerConfig("up", 64, 64)
    level = (block, block, block, LayerConfig("enlarge"), up)
    first = (LayerConfig("clamp"), LayerConfig("conv", 4, 64), LayerConfig("relu"))
    layers = (*first, *level, *level, *level, block, LayerConfig("conv", 64, 3))
    return TinyAutoencoderConfig(layers, None, LATENT_SCALE, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cpu-time", action="store_true")
    asked = parser.parse_args()
    machine()
    dtype, device = DTYPES[asked.dtype], torch.device(asked.device)
    build = lambda: UNet(stable_diffusion_1()[0])  # noqa: E731
    weights = LazyWeights(
        "benchmark", 1, lambda: random_weights(build, dtype), wants=Wants(packed=True)
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        installed(DeviceResidency(device, dtype)) as residency,
        residency.use(weights),
    ):
        path = Path(folder) / "taesd_decoder.safetensors"
        tiny = random_weights(lambda: TinyAutoencoder(decoder()), torch.float32)
        state = {
            k.removeprefix("taesd_decoder."): t.contiguous()
            for k, t in tiny.state_dict().items()
            if k.startswith("taesd_")
        }
        save_file(state, path)
        run = Run(weights.module, device, dtype, asked, path)
        methods = ("none", "latent2rgb", "taesd")
        seconds = interleaved(
            {method: lambda method=method: run(method) for method in methods}, asked.rounds
        )
        for method in methods[1:]:
            shown = run.shown[method] / (asked.rounds + 1)
            share = run.seconds_shown[method] / run.seconds[method]
            print(f"  {method}: {shown:.1f} previews in a run of {asked.steps} steps")
            print(f"  {method}: {share:.2%} of its time is that of the previews")
            ratio(seconds, method, "none", LIMIT)


class Run:
    """Some steps of the network, each followed by what its preview takes."""

    def __init__(self, net, device, dtype, asked, path) -> None:
        cells = asked.size // 8
        self.x = torch.randn(2, 4, cells, cells, device=device, dtype=dtype)
        self.context = torch.randn(2, 77, 768, device=device, dtype=dtype)
        self.times = torch.tensor([500.0, 500.0], device=device)
        self.net, self.steps, self.path = net, asked.steps, path
        methods = ("none", "latent2rgb", "taesd")
        self.shown = dict.fromkeys(methods, 0)
        self.seconds, self.seconds_shown = dict.fromkeys(methods, 0.0), dict.fromkeys(methods, 0.0)

    def __call__(self, method: str) -> None:
        model = SimpleNamespace(latent=FORM)
        began = time.perf_counter()
        with previews(model, self.x.shape, method, lambda name: [self.path]) as show:
            for _ in range(self.steps):
                denoised = self.net(self.x, self.times, self.context)
                self._wait()
                before = time.perf_counter()
                self.shown[method] += show(denoised[:1].float()) is not None
                self._wait()
                self.seconds_shown[method] += time.perf_counter() - before
        self.seconds[method] += time.perf_counter() - began

    def _wait(self) -> None:
        """Until the device has done everything, so that the clock tells whose time it was."""
        if self.x.is_cuda:
            torch.cuda.synchronize()


if __name__ == "__main__":
    main()
