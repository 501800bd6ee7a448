"""Stage 4b, optional: the decoder learns on while the denoiser trains.

The latents stay as they were cached, so the denoiser is not disturbed.  Resumes by itself.

    python -m tools.demo_model.tune_decoder --data DATA --work WORK --until 09:45
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tools.demo_model import checkpoint
from tools.demo_model.optimiser import Average, Muon
from tools.demo_model.report import report
from tools.demo_model.train_autoencoder import (
    ADAM_NAMES,
    NOISE,
    NormalisedAutoencoder,
    evaluate,
    loss_of,
)
from tools.demo_model.training import (
    Clock,
    Run,
    add_arguments,
    as_floats,
    half_precision,
    launch,
    next_time,
    open_device,
)

STATE = "decoder.pt"


def with_frozen_encoder(state: checkpoint.State) -> NormalisedAutoencoder:
    """The autoencoder as it was cached; only its decoder is trained."""
    model = NormalisedAutoencoder()
    model.load_state_dict(state)
    model.vae.encoder.requires_grad_(requires_grad=False)
    model.vae.quant_conv.requires_grad_(requires_grad=False)
    return model


def averaged(work: Path, cached: checkpoint.State) -> checkpoint.State:
    """The cached autoencoder, with the decoder tuned here if there is one."""
    if not (work / STATE).exists():
        return cached
    model, state = with_frozen_encoder(cached), torch.load(work / STATE, map_location="cpu")
    average = Average(model.parameters(), 0)
    average.load(state["average"])
    average.swap()
    return model.state_dict()


def train(arguments: argparse.Namespace) -> None:
    """Train until the clock ends."""
    device, share = open_device(arguments), arguments.batch // arguments.processes
    cached = torch.load(arguments.work / "latents.pt", map_location="cpu")
    pixels = torch.from_numpy(np.load(arguments.data / "scenes.npy", mmap_mode="c"))
    held_out = torch.from_numpy(np.load(arguments.data / "held_out.npy"))[:96]
    model = with_frozen_encoder(cached["autoencoder"])
    model = model.to(device, memory_format=torch.channels_last)
    optimiser = Muon(model.named_parameters(), arguments.rate, ADAM_NAMES)
    average = Average(model.parameters(), 0.998)
    clock = Clock(next_time(arguments.until), arguments.rate)
    run = Run(arguments.work / STATE, model, optimiser, average, clock, arguments.batch)

    def objective(latents: Tensor, pictures: Tensor) -> Tensor:
        with half_precision(device):
            result = model.vae.decode(latents + NOISE * torch.randn_like(latents))
        return loss_of(result.float(), pictures)

    objective = objective if arguments.eager else torch.compile(objective)
    while run.running:
        index = torch.randint(len(pixels), (share,))
        latents = cached["latents"][index].float().to(device)
        run.advance(objective(latents, as_floats(pixels[index], device)))
        if run.step % 250 == 0:
            run.write()
    run.write()
    if run.leads:
        average.swap()
        report(f"held-out PSNR {evaluate(model, held_out, device):.2f} dB")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1e-3)
    add_arguments(parser)
    launch(train, parser.parse_args())


if __name__ == "__main__":
    main()
