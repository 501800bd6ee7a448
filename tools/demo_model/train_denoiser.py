"""Stage 4: denoiser and text encoder on cached latents.  Resumes by itself.

Time steps are drawn in proportion to the min-SNR weight of an epsilon loss instead of being
weighted with it.

    python -m tools.demo_model.train_denoiser --work WORK --until 09:45
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from tools.demo_model import checkpoint
from tools.demo_model.denoiser import Denoiser
from tools.demo_model.layers import Upsample
from tools.demo_model.optimiser import Average, Muon
from tools.demo_model.report import report
from tools.demo_model.text_encoder import TextEncoder
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

STEPS, GAMMA = 1000, 5.0
UNKNOWN_SHARE, EMPTY_SHARE = 0.12, 0.1
ADAM_NAMES = ("embedding", "input_blocks.0.", "unet.out.", "time_embed")


def alphas() -> Tensor:
    """The cumulative product of SD1's noise schedule."""
    return torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, STEPS) ** 2, 0)


class CaptionedDenoiser(nn.Module):
    """Both trained networks; `words` counts the rows of the table without the shared one."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.unet, self.text = Denoiser(), TextEncoder(words + 1)
        for module in self.unet.modules():
            if isinstance(module, Upsample):
                module.fast = True
            if getattr(module, "inert", False):
                module.requires_grad_(False)

    def start_from(self, path: Path, used: Tensor) -> None:
        """Load the weights of a finished checkpoint; new words start near its shared row."""
        finished = checkpoint.read(path)
        self.unet.load_state_dict(finished.denoiser.state_dict())
        self.text.load_state_dict(
            checkpoint.gather_vocabulary(finished.text_encoder.state_dict(), used)
        )

    def forward(self, x: Tensor, steps: Tensor, ids: Tensor) -> Tensor:
        """Run it."""
        return self.unet(x, steps, self.text(ids))


class Noising:
    """Adds noise of random time steps to latents."""

    def __init__(self, device: torch.device) -> None:
        self.alphas = alphas().to(device)
        snr = self.alphas / (1 - self.alphas)
        wanted = snr.clamp(max=GAMMA) / snr
        density = 0.85 * wanted / wanted.sum() + 0.15 / STEPS
        self.cumulative, self.weight = density.cumsum(0), wanted / (density * wanted.sum())

    def draw(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Noised latents (N, C, h, w), time steps (N), and the noise that was added."""
        size, device = len(latents), latents.device
        place = (torch.rand((), device=device) + torch.arange(size, device=device)) / size % 1.0
        steps = torch.searchsorted(self.cumulative, place).clamp(max=STEPS - 1)
        noise, alpha = torch.randn_like(latents), self.alphas[steps].view(-1, 1, 1, 1)
        return channels_last(alpha.sqrt() * latents + (1 - alpha).sqrt() * noise), steps, noise

    def loss(self, predicted: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """The mean squared error of predicted noise, weighted for how steps were drawn."""
        errors = ((predicted.float() - noise) ** 2).mean((1, 2, 3))
        return (errors * self.weight[steps]).mean()


class Batches:
    """Noised latents with their captions, drawn at random."""

    def __init__(self, cached: dict[str, Tensor], size: int, device: torch.device) -> None:
        self.latents, self.ids = cached["latents"].to(device), cached["ids"].to(device)
        self.unknown, self.size, self.device = cached["unknown"].to(device), size, device
        self.noising = Noising(device)

    def draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Noised latents, time steps, token ids, and the noise that was added."""
        size, device = self.size, self.device
        index = torch.randint(len(self.latents), (size,), device=device)
        ids = torch.where(
            torch.rand(size, 1, device=device) < UNKNOWN_SHARE, self.unknown[index], self.ids[index]
        )
        ids = torch.where(torch.rand(size, 1, device=device) < EMPTY_SHARE, self.ids[-1], ids)
        x, steps, noise = self.noising.draw(self.latents[index].float())
        return x, steps, ids, noise


def train(arguments: argparse.Namespace) -> None:
    """Train until the clock ends."""
    device, share = open_device(arguments), arguments.batch // arguments.processes
    torch.manual_seed(0)
    cached = torch.load(arguments.work / "latents.pt", map_location="cpu")
    batches = Batches(cached, share, device)
    model = CaptionedDenoiser(len(cached["used"]))
    if arguments.warm_start:
        model.start_from(arguments.warm_start, cached["used"])
    model = model.to(device, memory_format=torch.channels_last)
    optimiser = Muon(model.named_parameters(), arguments.rate, ADAM_NAMES)
    average = Average(model.parameters(), 0.999)
    clock = Clock(next_time(arguments.until), arguments.rate)
    run = Run(arguments.work / "denoiser.pt", model, optimiser, average, clock, arguments.batch)

    def predict(x: Tensor, steps: Tensor, ids: Tensor) -> Tensor:
        with half_precision(device):
            return model(x, steps, ids)

    predict = predict if arguments.eager else torch.compile(predict)
    while run.running:
        x, steps, ids, noise = batches.draw()
        run.advance(batches.noising.loss(predict(x, steps, ids), noise, steps))
        if run.step % 200 == 0:
            run.write()
    run.write()
    if run.leads:
        report(f"stopped at step {run.step} after {clock.spent:.0f} s")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--warm-start", type=Path, help="a finished checkpoint to begin with")
    add_arguments(parser)
    arguments = parser.parse_args()
    launch(train, arguments)


if __name__ == "__main__":
    main()
