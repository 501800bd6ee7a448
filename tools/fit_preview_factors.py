"""Fits the matrix and bias that turn a latent into a small RGB preview without the decoder.

Least squares over pairs of a latent, as the sampler sees it (scaled), and its picture.  `fit`
serves any autoencoder of which such pairs can be made.  As a command it reads them from an .npz
file (`latents` N x C x h x w, `pictures` N x H x W x 3 in 0..1, H a multiple of h) and writes the
JSON that a checkpoint's metadata holds under `calotype.latent_rgb_factors`.

    python -m tools.fit_preview_factors pairs.npz
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.inference.preview import fit_rgb_factors


def fit(latents: Tensor, pictures: Tensor) -> str:
    """JSON with `factors` (one RGB triple per latent channel) and `bias`, to colours in -1..1."""
    factors, bias = fit_rgb_factors(latents, pictures)
    rounded = [[round(value, 4) for value in row] for row in (*factors, bias)]
    return json.dumps({"factors": rounded[:-1], "bias": rounded[-1]})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    pairs = np.load(parser.parse_args().pairs)
    latents, pictures = torch.from_numpy(pairs["latents"]), torch.from_numpy(pairs["pictures"])
    sys.stdout.write(fit(latents, pictures) + "\n")


if __name__ == "__main__":
    main()
