"""Seconds to decode a picture with Stable Diffusion 1's autoencoder: diffusers, whole, in tiles.

    python tests/bench/vae.py [--size 512] [--rounds 3] [--dtype bf16] [--tile 384]
                              [--threads 2] [--cpu-time]

Everything is measured in turn in one process; both autoencoders are in channels-last layout.
"""

from __future__ import annotations

import argparse

import torch
from networks import (
    DTYPES,
    diffusers_autoencoder,
    interleaved,
    machine,
    our_autoencoder,
    ratio,
)

from engine.inference import tiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", choices=DTYPES, default="bf16")
    parser.add_argument("--tile", type=int, default=384)
    parser.add_argument("--overlap", type=int, default=48)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cpu-time", action="store_true")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    machine()
    dtype = DTYPES[asked.dtype]
    with our_autoencoder(dtype) as ours:
        measure(ours, diffusers_autoencoder(dtype), asked)


def measure(ours, oracle, asked) -> None:
    dtype = DTYPES[asked.dtype]
    cells = asked.size // 8
    z = torch.randn(1, 4, cells, cells).to(dtype).contiguous(memory_format=torch.channels_last)
    tiling = tiles.plan((cells, cells), asked.tile // 8, asked.overlap // 8)
    print(f"{asked.size} px, {asked.dtype}, {tiling.count} tiles of {tiling.size[0] * 8} px")
    seconds = interleaved(
        {
            "diffusers": lambda: oracle.decode(z).sample,
            "ours": lambda: ours.decode(z),
            "ours in tiles": lambda: tiles.run_tiled(z, tiling, ours.decode, outward=8),
        },
        asked.rounds,
    )
    ratio(seconds, "ours", "diffusers", 1.0)
    ratio(seconds, "ours in tiles", "ours", 1.3)


if __name__ == "__main__":
    main()
