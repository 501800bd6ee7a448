"""Stage 5: one fp16 file in the SD1 single-file layout, with metadata.

python -m tools.demo_model.export --data DATA --work WORK --out demo.safetensors
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from tools.demo_model import checkpoint
from tools.demo_model.autoencoder import SCALE, Autoencoder
from tools.demo_model.denoiser import HEADS, Denoiser
from tools.demo_model.optimiser import Average
from tools.demo_model.report import report
from tools.demo_model.train_denoiser import CaptionedDenoiser
from tools.demo_model.training import as_floats
from tools.demo_model.tune_decoder import averaged
from tools.fit_preview_factors import fit


def finished_autoencoder(state: checkpoint.State) -> Autoencoder:
    """The autoencoder with the statistics of its latents folded in."""
    autoencoder = Autoencoder()
    autoencoder.load_state_dict(checkpoint.under(state, "vae."))
    checkpoint.fold_statistics(
        autoencoder, state["bn.running_mean"], (state["bn.running_var"] + 1e-5).sqrt()
    )
    return autoencoder.eval()


@torch.no_grad()
def preview_factors(autoencoder: Autoencoder, pixels: np.ndarray) -> str:
    """Latent to RGB as JSON, fitted on held-out scenes."""
    pictures = torch.from_numpy(pixels)
    batches = as_floats(pictures).split(16)
    latents = torch.cat([autoencoder.encode(batch) * SCALE for batch in batches])
    return fit(latents, pictures / 255)


def metadata(size: int, samples: int, factors: str) -> dict[str, str]:
    """The metadata of the file."""
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.implementation": "https://github.com/CompVis/stable-diffusion",
        "modelspec.title": "Calotype demo",
        "modelspec.author": "The Calotype authors",
        "modelspec.license": "Apache-2.0",
        "modelspec.resolution": f"{size}x{size}",
        "modelspec.prediction_type": "epsilon",
        "modelspec.description": "A tiny model of procedurally drawn, captioned landscapes.",
        "calotype.attention_heads": str(HEADS),
        "calotype.latent_rgb_factors": factors,
        "calotype.origin": "tools/demo_model of the Calotype repository",
        "calotype.training_samples": str(samples),
    }


def export(data: Path, work: Path, out: Path) -> None:
    """Write the finished file from the averaged weights."""
    cached, state = (
        torch.load(work / "latents.pt"),
        torch.load(work / "denoiser.pt", map_location="cpu"),
    )
    model = CaptionedDenoiser(len(cached["used"]))
    model.load_state_dict(state["model"])
    average = Average(model.parameters(), 0)
    average.load(state["average"])
    average.swap()
    denoiser = Denoiser()
    denoiser.load_state_dict(model.unet.state_dict())
    autoencoder = finished_autoencoder(averaged(work, cached["autoencoder"]))
    text_encoder = checkpoint.spread_vocabulary(
        checkpoint.under(model.state_dict(), "text."), cached["used"]
    )
    held_out = np.load(data / "held_out.npy")[:128]
    facts = metadata(held_out.shape[1], state["samples"], preview_factors(autoencoder, held_out))
    checkpoint.write(out, checkpoint.Networks(denoiser, autoencoder, text_encoder), facts)
    report(f"step {state['step']}, {state['spent']:.0f} s, {out.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    export(arguments.data, arguments.work, arguments.out)


if __name__ == "__main__":
    main()
