"""Stage 1: draw the training set.

Writes `scenes.npy` (uint8, N x size x size x 3), `scenes.json` (captions) and a held-out set of
256 further scenes.

    python -m tools.demo_model.render --out DATA --count 24000 --size 128
"""

import argparse
import json
import multiprocessing
import time
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np

from tools.demo_model.report import report
from tools.demo_model.scenes import render

HELD_OUT, HELD_OUT_SEED = 256, 10_000_000


def render_range(pool: Pool, first: int, count: int, size: int, path: Path) -> None:
    """Draw `count` scenes from the seeds first, first + 1, ... into path.npy and path.json."""
    pictures = np.lib.format.open_memmap(
        path.with_suffix(".npy"), "w+", np.uint8, (count, size, size, 3)
    )
    captions = []
    for index, (pixels, caption) in enumerate(
        pool.imap(partial(render, size=size), range(first, first + count), 64)
    ):
        pictures[index] = pixels
        captions.append(caption)
    pictures.flush()
    path.with_suffix(".json").write_text(json.dumps(captions), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24_000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--processes", type=int, default=None)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with multiprocessing.Pool(arguments.processes) as pool:
        render_range(pool, HELD_OUT_SEED, HELD_OUT, arguments.size, arguments.out / "held_out")
        render_range(pool, 0, arguments.count, arguments.size, arguments.out / "scenes")
    report(f"rendered {arguments.count} scenes in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
