"""How well pictures follow the edges that the ControlNet was given, on held-out scenes.

Each scene's caption and edges make a picture, with and without the ControlNet, from the same noise.
Two figures for each: the share of the given edges that are within two pixels of an edge of the
picture, and the reverse, the share of the picture's edges that were given.

    python -m tools.demo_model.measure_controlnet MODEL CONTROLNET --pairs PAIRS --sheet sheet.png
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from nodes.image_edges import canny
from tools.demo_model import checkpoint, controlnet
from tools.demo_model.report import report
from tools.demo_model.sample import Predict, grid, sample

LOW, HIGH = 0.1, 0.3
NEAR = 2


def controlled(
    networks: checkpoint.Networks, control: controlnet.ControlNet, edges: Tensor
) -> Predict:
    """The denoiser with the residuals for edges (N, H, W), for conditional and empty captions."""
    pictures = edges[:, None].float().expand(-1, 3, -1, -1).repeat(2, 1, 1, 1)

    def predict(x: Tensor, steps: Tensor, context: Tensor) -> Tensor:
        return networks.denoiser(x, steps, context, control(x, steps, context, pictures))

    return predict


def share_near(lines: Tensor, others: Tensor) -> float:
    """The share of the pixels of lines (N, H, W) that are within NEAR pixels of other lines."""
    around = functional.max_pool2d(others[:, None], 2 * NEAR + 1, 1, NEAR)[:, 0]
    return float((lines * around).sum() / lines.sum().clamp(min=1))


def main() -> None:
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("controlnet", type=Path)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sheet", type=Path, help="edges, pictures with and without, in rows of 8")
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    networks = checkpoint.read(arguments.model)
    held_out = torch.load(arguments.pairs / "edges_held_out.pt")
    edges = held_out["edges"][: arguments.count, 0].float()
    ids = torch.cat([held_out["ids"][: arguments.count], held_out["ids"][-1:]])
    ways = {
        "with": controlled(networks, controlnet.read(arguments.controlnet), edges),
        "without": networks.denoiser,
    }
    rows = [edges[:8, None].expand(-1, 3, -1, -1) * 2 - 1]
    for name, predict in ways.items():
        pictures = sample(networks, ids, predict, seed=arguments.seed)
        found = canny((pictures.movedim(1, -1) + 1) / 2, LOW, HIGH)
        report(
            f"{name}: {100 * share_near(edges, found):.0f} % of the given edges are in the "
            f"pictures, {100 * share_near(found, edges):.0f} % of the pictures' edges were given"
        )
        rows.append(pictures[:8])
    if arguments.sheet:
        grid(torch.cat(rows), 8).save(arguments.sheet, optimize=True)


if __name__ == "__main__":
    main()
