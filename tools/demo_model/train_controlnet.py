r"""Train the ControlNet for edges on pairs of latents and edges.  Resumes by itself; see README.md.

The denoiser and the text encoder of the checkpoint stay as they are.

    python -m tools.demo_model.train_controlnet MODEL --pairs PAIRS --work WORK --out OUT \
        --until 11:00 --threads 1
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.demo_model.controlnet import ControlNet, begin, write
from tools.demo_model.denoiser import Denoiser
from tools.demo_model.layers import Upsample
from tools.demo_model.optimiser import Average, Muon
from tools.demo_model.report import report
from tools.demo_model.text_encoder import TextEncoder
from tools.demo_model.train_denoiser import Noising
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

ADAM_NAMES = (
    "input_hint_block.0.",
    "zero_convs",
    "middle_block_out",
    "input_blocks.0.",
    "time_embed",
)
WARM_UP = 30
EMPTY_SHARE = 0.3
"""How often the caption is empty, so that the edges alone must tell what is drawn."""
THICK_SHARE, SOFT_SHARE, ERASED_SHARE, NO_EDGES_SHARE = 0.35, 0.25, 0.3, 0.05
"""How often lines are three pixels wide, are blurred, have a rectangle erased, or are all erased:
people draw lines of any width, and not all of them."""
SAVE_EVERY = 50


class ControlledDenoiser(nn.Module):
    """The frozen denoiser with the ControlNet that is trained."""

    def __init__(self, denoiser: Denoiser, control: ControlNet) -> None:
        super().__init__()
        self.denoiser, self.control = denoiser.requires_grad_(requires_grad=False), control
        for module in self.modules():
            if isinstance(module, Upsample):
                module.fast = True
            if getattr(module, "inert", False):
                module.requires_grad_(requires_grad=False)

    def forward(self, x: Tensor, steps: Tensor, context: Tensor, picture: Tensor) -> Tensor:
        """Run it."""
        return self.denoiser(x, steps, context, self.control(x, steps, context, picture))


class Batches:
    """Noised latents with their captions' states and edges, drawn at random."""

    def __init__(self, pairs: dict[str, Tensor], text: TextEncoder, device: torch.device) -> None:
        self.latents, self.edges = pairs["latents"].to(device), pairs["edges"].to(device)
        with torch.no_grad():
            states = [text(ids).half() for ids in pairs["ids"].split(100)]
        self.states, self.noising = torch.cat(states).to(device), Noising(device)

    def draw(self, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Noised latents, time steps, captions' states, pictures of edges, and the noise."""
        device = self.latents.device
        index = torch.randint(len(self.latents), (size,), device=device)
        empty = torch.rand(size, device=device) < EMPTY_SHARE
        context = self.states[torch.where(empty, len(self.states) - 1, index)].float()
        lines = self.edges[index, torch.randint(2, (size,), device=device)].float()
        x, steps, noise = self.noising.draw(self.latents[index].float())
        return x, steps, context, as_pictures(redrawn(lines)), noise


def redrawn(lines: Tensor) -> Tensor:
    """Lines (N, H, W) in other widths, blurred, or partly erased, by lot."""
    lots = torch.rand(5, len(lines), 1, 1, device=lines.device)
    lines = torch.where(lots[0] < ERASED_SHARE, lines * ~rectangles(lines), lines)
    lines = torch.where(lots[1] < THICK_SHARE, functional.max_pool2d(lines, 3, 1, 1), lines)
    lines = torch.where(lots[2] < SOFT_SHARE, functional.avg_pool2d(lines, 3, 1, 1), lines)
    return torch.where(lots[3] < NO_EDGES_SHARE, 0, lines)


def rectangles(lines: Tensor) -> Tensor:
    """A rectangle of random place and size for each row of (N, H, W); True inside."""
    inside = torch.ones_like(lines, dtype=torch.bool)
    for dim in (1, 2):
        size = lines.shape[dim]
        shape = [1, 1, 1]
        shape[dim] = size
        places = torch.arange(size, device=lines.device).view(shape)
        first, length = size * torch.rand(2, len(lines), 1, 1, device=lines.device)
        inside &= (places >= first - size / 4) & (places < first + 0.75 * length)
    return inside


def as_pictures(lines: Tensor) -> Tensor:
    """(N, H, W) to (N, 3, H, W)."""
    return channels_last(lines[:, None].expand(-1, 3, -1, -1))


@torch.no_grad()
def held_out_loss(model: ControlledDenoiser, batches: Batches, device: torch.device) -> str:
    """The mean loss on held-out scenes with their edges, and without, for the same noise."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(batches.latents.shape, generator=generator).to(device)
    steps = (torch.arange(len(noise), device=device) * 37 % 1000).long()
    alpha = batches.noising.alphas[steps].view(-1, 1, 1, 1)
    x = channels_last(alpha.sqrt() * batches.latents.float() + (1 - alpha).sqrt() * noise)
    context, pictures = batches.states[:-1].float(), as_pictures(batches.edges[:, 0].float())
    losses = []
    for picture in (pictures, torch.zeros_like(pictures)):
        with half_precision(device):
            parts = [each.split(64) for each in (x, steps, context, picture)]
            predicted = torch.cat([model(*part) for part in zip(*parts, strict=True)])
        losses.append(batches.noising.loss(predicted, noise, steps).item())
    return f"{losses[0]:.4f} with edges, {losses[1]:.4f} without"


def train(arguments: argparse.Namespace) -> None:
    """Train until the clock ends."""
    device, share = open_device(arguments), arguments.batch // arguments.processes
    torch.manual_seed(0)
    networks, control = begin(arguments.model)
    held_out, batches = (
        Batches(torch.load(arguments.pairs / f"{name}.pt"), networks.text_encoder, device)
        for name in ("edges_held_out", "edges")
    )
    model = ControlledDenoiser(networks.denoiser, control)
    model = model.to(device, memory_format=torch.channels_last)
    optimiser = Muon(model.named_parameters(), arguments.rate, ADAM_NAMES)
    average = Average(model.parameters(), 0.998)
    clock = Clock(next_time(arguments.until), arguments.rate)
    run = Run(arguments.work / "controlnet.pt", model, optimiser, average, clock, arguments.batch)

    def predict(x: Tensor, steps: Tensor, context: Tensor, picture: Tensor) -> Tensor:
        with half_precision(device):
            return model(x, steps, context, picture)

    def save() -> None:
        run.write()
        if not run.leads:
            return
        average.swap()
        report(f"   held out: {held_out_loss(model, held_out, device)}")
        write(arguments.out, model.control, run.step * arguments.batch)
        average.swap()

    predict = predict if arguments.eager else torch.compile(predict)
    while run.running:
        *inputs, noise = batches.draw(share)
        run.advance(batches.noising.loss(predict(*inputs), noise, inputs[1]), WARM_UP)
        if run.step % SAVE_EVERY == 0:
            save()
    save()
    if run.leads:
        report(f"stopped at step {run.step} after {clock.spent:.0f} s")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="the finished checkpoint")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    add_arguments(parser)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    launch(train, arguments)


if __name__ == "__main__":
    main()
