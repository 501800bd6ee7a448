"""The upscaler's training set: what the autoencoder gives back at 128 px, and the scene at 512 px.

Writes `scenes_small.npy` (uint8, N x 128 x 128 x 3) and `scenes_large.npy` (uint8, N x 512 x 512
x 3), and `held_out_small.npy` and `held_out_large.npy` of 64 further scenes.

    python -m tools.demo_model.pair_scenes MODEL --out PAIRS --count 4000
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tools.demo_model import checkpoint
from tools.demo_model.autoencoder import SCALE as LATENT_SCALE
from tools.demo_model.autoencoder import Autoencoder
from tools.demo_model.report import report
from tools.demo_model.scenes import render
from tools.demo_model.training import as_floats, half_precision
from tools.demo_model.upscaler import SCALE

SIZE, BATCH = 128, 16
NOISE = 0.1
"""The most noise on a latent of unit variance; how much is drawn anew for every scene, so that the
upscaler forgives the denoiser as the decoder does."""
HELD_OUT, HELD_OUT_SEED = 64, 20_000_000


@torch.no_grad()
def through_autoencoder(autoencoder: Autoencoder, pixels: Tensor, noise: float) -> Tensor:
    """uint8 scenes (N, 128, 128, 3) as the autoencoder gives them back."""
    with half_precision(torch.device("cpu")):
        latents = autoencoder.encode(as_floats(pixels)).float() * LATENT_SCALE
        strength = noise * torch.rand(len(pixels), 1, 1, 1)
        latents = latents + strength * torch.randn_like(latents)
        pictures = autoencoder.decode(latents / LATENT_SCALE).float()
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def batches(first: int, count: int) -> Iterator[range]:
    """The seeds of each batch."""
    for start in range(first, first + count, BATCH):
        yield range(start, min(start + BATCH, first + count))


def write(autoencoder: Autoencoder, first: int, count: int, stem: Path, noise: float) -> None:
    """Draw the pairs of `count` seeds into two files whose names begin with `stem`."""
    small, large = (
        np.lib.format.open_memmap(
            stem.with_name(f"{stem.name}{name}.npy"), "w+", np.uint8, (count, side, side, 3)
        )
        for name, side in (("small", SIZE), ("large", SIZE * SCALE))
    )
    for seeds in batches(first, count):
        drawn = torch.from_numpy(np.stack([render(seed, SIZE)[0] for seed in seeds]))
        place = slice(seeds.start - first, seeds.stop - first)
        small[place] = through_autoencoder(autoencoder, drawn, noise).numpy()
        for seed in seeds:
            large[seed - first] = render(seed, SIZE * SCALE)[0]
        if seeds.start // BATCH % 20 == 0:
            report(f"{seeds.stop - first} of {count}")
    small.flush()
    large.flush()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    arguments.out.mkdir(parents=True, exist_ok=True)
    autoencoder = checkpoint.read(arguments.model).autoencoder
    write(autoencoder, HELD_OUT_SEED, HELD_OUT, arguments.out / "held_out_", 0.0)
    write(autoencoder, 0, arguments.count, arguments.out / "scenes_", NOISE)


if __name__ == "__main__":
    main()
