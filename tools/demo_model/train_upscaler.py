"""Train the x4 upscaler on pairs of pictures.  Resumes by itself; see README.md.

python -m tools.demo_model.train_upscaler --pairs PAIRS --work WORK --out OUT --until 03:50
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tools.demo_model.optimiser import Average, Muon
from tools.demo_model.report import report
from tools.demo_model.train_autoencoder import signal_to_noise
from tools.demo_model.training import (
    Clock,
    Run,
    add_arguments,
    channels_last,
    half_precision,
    launch,
    next_time,
    open_device,
)
from tools.demo_model.upscaler import SCALE, Upscaler, write

ADAM_NAMES = ("body.",)  # all: they begin as something exact, of which Muon keeps nothing
SAVE_EVERY = 500
PLACES = 4
"""Places that are compared for every second patch; the one with the most detail is used. Drawn
scenes are mostly flat, and there is little to learn from a flat patch."""


class Patches:
    """Random patches of pairs of pictures."""

    def __init__(self, pairs: Path, size: int) -> None:
        self.small, self.large = (
            torch.from_numpy(np.load(pairs / f"scenes_{name}.npy", mmap_mode="c"))
            for name in ("small", "large")
        )
        self.size = size

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Patches (N, 3, size, size) and their targets, four times as large, in 0..1."""
        rows, columns = self.small.shape[1:3]
        inputs, targets = [], []
        for picture in torch.randint(len(self.small), (count,)).tolist():
            tries = PLACES if len(inputs) % 2 else 1
            limits = rows - self.size + 1, columns - self.size + 1
            places = [[int(torch.randint(limit, ())) for limit in limits] for _ in range(tries)]
            small = self.small[picture]
            top, left = max(places, key=lambda place: detail(cut(small, *place, self.size)))
            inputs.append(cut(small, top, left, self.size))
            targets.append(cut(self.large[picture], SCALE * top, SCALE * left, SCALE * self.size))
        mirrored = torch.rand(()) < 0.5
        x, y = (as_shares(torch.stack(parts)) for parts in (inputs, targets))
        return (channels_last(x.flip(-1)), channels_last(y.flip(-1))) if mirrored else (x, y)


def cut(pixels: Tensor, top: int, left: int, size: int) -> Tensor:
    """A square of a picture (H, W, 3)."""
    return pixels[top : top + size, left : left + size]


def detail(pixels: Tensor) -> float:
    """The sum of the differences between neighbouring pixels of a picture (H, W, 3)."""
    values = pixels.float()
    return float(values.diff(dim=0).abs().sum() + values.diff(dim=1).abs().sum())


def as_shares(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) to floats (N, 3, H, W) in 0..1."""
    return channels_last(pixels.permute(0, 3, 1, 2).float() / 255)


@torch.no_grad()
def evaluate(model: Upscaler, small: Tensor, large: Tensor, device: torch.device) -> str:
    """Mean PSNR and absolute error of whole pictures, and the same for bicubic enlargement."""
    found: dict[str, list[Tensor]] = {"ours": [], "bicubic": []}
    errors: dict[str, list[Tensor]] = {"ours": [], "bicubic": []}
    for x, y in zip(small.split(4), large.split(4), strict=True):
        pictures, targets = as_shares(x).to(device), as_shares(y).to(device)
        with half_precision(device):
            ours = model(pictures).float()
        bicubic = functional.interpolate(pictures, scale_factor=SCALE, mode="bicubic")
        for name, result in (("ours", ours), ("bicubic", bicubic)):
            clamped = result.clamp(0, 1)
            found[name].append(signal_to_noise(clamped * 2, targets * 2))
            errors[name].append((clamped - targets).abs().mean((1, 2, 3)))
    return ", ".join(
        f"{name} {torch.cat(values).mean():.2f} dB {torch.cat(errors[name]).mean():.5f}"
        for name, values in found.items()
    )


def train(arguments: argparse.Namespace) -> None:
    """Train until the clock ends."""
    device, share = open_device(arguments), arguments.batch // arguments.processes
    torch.manual_seed(0)
    patches = Patches(arguments.pairs, arguments.patch)
    held_out = [
        torch.from_numpy(np.load(arguments.pairs / f"held_out_{name}.npy"))[:32]
        for name in ("small", "large")
    ]
    model = Upscaler().to(device, memory_format=torch.channels_last)
    optimiser = Muon(model.named_parameters(), arguments.rate, ADAM_NAMES)
    average = Average(model.parameters(), 0.998)
    clock = Clock(next_time(arguments.until), arguments.rate)
    run = Run(arguments.work / "upscaler.pt", model, optimiser, average, clock, arguments.batch)

    def objective(inputs: Tensor, targets: Tensor) -> Tensor:
        with half_precision(device):
            result = model(inputs)
        # Absolute error: its optimum for an uncertain edge is still a sharp edge.
        return functional.l1_loss(result.float(), targets)

    def save() -> None:
        run.write()
        if not run.leads:
            return
        average.swap()
        report(f"   held out: {evaluate(model, *held_out, device)}")
        write(arguments.out, model, run.step * arguments.batch)
        average.swap()

    objective = objective if arguments.eager else torch.compile(objective)
    while run.running:
        inputs, targets = patches.draw(share)
        run.advance(objective(inputs.to(device), targets.to(device)))
        if run.step % SAVE_EVERY == 0:
            save()
    save()
    if run.leads:
        report(f"stopped at step {run.step} after {clock.spent:.0f} s")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--patch", type=int, default=32, help="pixels along a side of the input")
    parser.add_argument("--rate", type=float, default=2e-3)
    add_arguments(parser)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    launch(train, arguments)


if __name__ == "__main__":
    main()
