"""Stage 2: the autoencoder.  Resumes by itself; see README.md for the order of the stages.

The latent is normalised per channel by a batch norm and gets fixed noise, so that it has unit
variance and the decoder tolerates errors of the denoiser.  Whole pictures are used, because the
32-group norms of a 64-channel network see the statistics of the whole picture.

    python -m tools.demo_model.train_autoencoder --data DATA --work WORK --until 09:10
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.demo_model import checkpoint
from tools.demo_model.autoencoder import LATENT_CHANNELS, Autoencoder
from tools.demo_model.optimiser import Average, Muon
from tools.demo_model.report import report
from tools.demo_model.training import (
    Clock,
    Run,
    add_arguments,
    as_floats,
    channels_last,
    half_precision,
    launch,
    next_time,
    open_device,
)

NOISE = 0.1
ADAM_NAMES = ("conv_in", "decoder.conv_out", "quant")


class NormalisedAutoencoder(nn.Module):
    """The autoencoder with the statistics of its latents between the two halves."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = Autoencoder(fast=True)
        self.bn = nn.BatchNorm2d(LATENT_CHANNELS, affine=False, momentum=0.02)
        self.vae.silence_costly_blocks()

    def start_from(self, path: Path) -> None:
        """Load the weights of a finished checkpoint."""
        finished = checkpoint.read(path).autoencoder
        checkpoint.unfold_scale(finished)
        self.vae.load_state_dict(finished.state_dict())

    def encode(self, pictures: Tensor) -> Tensor:
        """Latents of about unit variance."""
        return self.bn(self.vae.encode(pictures).float())

    def forward(self, pictures: Tensor, noise: float = 0.0) -> Tensor:
        """Run it."""
        latents = self.encode(pictures)
        return self.vae.decode(latents + noise * torch.randn_like(latents))


def loss_of(result: Tensor, pictures: Tensor) -> Tensor:
    """Absolute error of the colours, of the edges, and of the picture averaged down four times."""

    def edges(x: Tensor) -> Iterator[Tensor]:
        yield x[..., 1:, :] - x[..., :-1, :]
        yield x[..., 1:] - x[..., :-1]

    edge = sum(
        functional.l1_loss(a, b) for a, b in zip(edges(result), edges(pictures), strict=True)
    )
    coarse = functional.l1_loss(
        functional.avg_pool2d(result, 4), functional.avg_pool2d(pictures, 4)
    )
    return functional.l1_loss(result, pictures) + 0.5 * edge + 0.5 * coarse


def signal_to_noise(result: Tensor, pictures: Tensor) -> Tensor:
    """PSNR of every picture, in dB, for values in -1..1."""
    return -10 * torch.log10(((result - pictures) ** 2).mean((1, 2, 3)) / 4)


@torch.no_grad()
def evaluate(model: NormalisedAutoencoder, pixels: Tensor, device: torch.device) -> float:
    """Mean PSNR of the given scenes."""
    model.eval()
    values = []
    for batch in pixels.split(16):
        pictures = as_floats(batch, device)
        with half_precision(device):
            result = model(pictures)
        values.append(signal_to_noise(result.float().clamp(-1, 1), pictures))
    model.train()
    return torch.cat(values).mean().item()


def train(arguments: argparse.Namespace) -> None:
    """Train until the clock ends."""
    device, share = open_device(arguments), arguments.batch // arguments.processes
    torch.manual_seed(0)
    pixels = torch.from_numpy(np.load(arguments.data / "scenes.npy", mmap_mode="c"))
    held_out = torch.from_numpy(np.load(arguments.data / "held_out.npy"))[:96]
    model = NormalisedAutoencoder()
    if arguments.warm_start:
        model.start_from(arguments.warm_start)
    model = model.to(device, memory_format=torch.channels_last)
    optimiser = Muon(model.named_parameters(), arguments.rate, ADAM_NAMES)
    average = Average(model.parameters(), 0.998)
    clock = Clock(next_time(arguments.until), arguments.rate)
    run = Run(arguments.work / "autoencoder.pt", model, optimiser, average, clock, arguments.batch)

    def objective(pictures: Tensor) -> Tensor:
        with half_precision(device):
            result = model(pictures, NOISE)
        return loss_of(result.float(), pictures)

    def write() -> None:
        run.write()
        if not run.leads:
            return
        average.swap()
        report(f"   held-out PSNR {evaluate(model, held_out, device):.2f} dB")
        average.swap()

    objective = objective if arguments.eager else torch.compile(objective)
    while run.running:
        batch = as_floats(pixels[torch.randint(len(pixels), (share,))], device)
        mirrored = run.step % 2 == 1
        run.advance(objective(channels_last(batch.flip(-1)) if mirrored else batch), warm_up=50)
        if run.step % 500 == 0:
            write()
    write()
    if run.leads:
        report(f"stopped at step {run.step} after {clock.spent:.0f} s")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--warm-start", type=Path, help="a finished checkpoint to begin with")
    add_arguments(parser)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    launch(train, arguments)


if __name__ == "__main__":
    main()
