"""The ControlNet's training set: latents of scenes, their captions, and pictures of their edges.

Writes `edges.pt`, and `edges_held_out.pt` of further scenes. Every scene has two pictures of its
edges, by Canny's method with thresholds drawn by lot; for the second one the scene was blurred and
made noisy before, as decoded pictures are.

    python -m tools.demo_model.pair_edges MODEL --out PAIRS --count 4000
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nodes.image_edges import canny
from tools.demo_model import checkpoint
from tools.demo_model.autoencoder import SCALE
from tools.demo_model.optimiser import save
from tools.demo_model.report import report
from tools.demo_model.scenes import render
from tools.demo_model.text_encoder import END, LENGTH, START
from tools.demo_model.training import as_floats, half_precision

BATCH = 50
HIGHEST, LOWEST, LOW_SHARE = 0.8, 0.08, 0.4
"""The range of the high threshold, and the low one as a share of it."""
NOISE = 0.02
HELD_OUT, HELD_OUT_SEED = 256, 10_000_000


def edges(pixels: Tensor, rng: random.Random) -> Tensor:
    """uint8 (N, 2, size, size): 1 on an edge of uint8 scenes (N, size, size, 3)."""
    clean = pixels.float() / 255
    soft = functional.avg_pool2d(clean.movedim(-1, 1), 3, 1, 1).movedim(1, -1)
    found = []
    for scene, blurred in zip(clean, soft, strict=True):
        noisy = blurred.lerp(scene, rng.random()) + NOISE * torch.randn_like(scene)
        both = []
        for picture in (scene, noisy):
            high = LOWEST * (HIGHEST / LOWEST) ** rng.random()
            both.append(canny(picture[None], LOW_SHARE * high, high)[0])
        found.append(torch.stack(both).byte())
    return torch.stack(found)


def token_ids(captions: list[str]) -> Tensor:
    """Captions as rows of LENGTH token ids."""
    # Imported here: the rest needs no package of the engine's.
    from engine.text.tokens import clip_tokenizer  # noqa: PLC0415

    rows = []
    for caption in captions:
        numbers = [START, *clip_tokenizer().numbers(caption)[: LENGTH - 2], END]
        rows.append(numbers + [END] * (LENGTH - len(numbers)))
    return torch.tensor(rows)


@torch.no_grad()
def pairs(networks: checkpoint.Networks, first: int, count: int) -> dict[str, Tensor]:
    """Latents (fp16), captions' token ids, and edges, of `count` scenes from a seed on."""
    latents, captions, lines, rng = [], [], [], random.Random(first)
    for start in range(first, first + count, BATCH):
        drawn = [render(seed) for seed in range(start, min(start + BATCH, first + count))]
        pixels = torch.from_numpy(np.stack([scene for scene, _ in drawn]))
        with half_precision(torch.device("cpu")):
            latents.append((networks.autoencoder.encode(as_floats(pixels)) * SCALE).half())
        captions += [caption for _, caption in drawn]
        lines.append(edges(pixels, rng))
        if (start - first) // BATCH % 20 == 0:
            report(f"{len(captions)} of {count}")
    return {
        "latents": torch.cat(latents),
        "ids": token_ids([*captions, ""]),
        "edges": torch.cat(lines),
    }


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
    networks = checkpoint.read(arguments.model)
    save(arguments.out / "edges_held_out.pt", pairs(networks, HELD_OUT_SEED, HELD_OUT))
    save(arguments.out / "edges.pt", pairs(networks, 0, arguments.count))


if __name__ == "__main__":
    main()
