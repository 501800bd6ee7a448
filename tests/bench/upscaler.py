"""Seconds to enlarge a picture four times with the bundled upscaler, against spandrel.

    python tests/bench/upscaler.py [--size 128] [--rounds 9] [--threads 2] [--cpu-time]

The same file, the same picture, in turn in one process: ours through the engine's verb, spandrel's
network as it loads it. fp32, and bf16 for ours as the program chooses it on this machine. Needs
`pip install spandrel` (see docs/libraries.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from networks import interleaved, machine, ratio

from engine.inference.foreign_upscalers import import_spandrel
from engine.inference.upscale import load_upscale_model, upscale
from engine.residency.manager import DeviceResidency, installed

FILE = Path(__file__).parents[2] / "models" / "upscale_models" / "calotype-demo-x4.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--cpu-time", action="store_true")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    machine()
    picture = torch.rand(1, asked.size, asked.size, 3)
    theirs = import_spandrel("the benchmark").ModelLoader(device="cpu").load_from_file(str(FILE))
    planes = picture.movedim(-1, 1).contiguous()
    runs = {"spandrel fp32": lambda: theirs(planes)}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        runs[f"ours {name}"] = ours(picture, dtype)
    with torch.inference_mode():
        seconds = interleaved(runs, asked.rounds)
    ratio(seconds, "ours fp32", "spandrel fp32", 1.0)
    ratio(seconds, "ours bf16", "spandrel fp32", 1.0)


def ours(picture, dtype):
    """Our upscaler on a residency of its own."""
    residency = DeviceResidency(torch.device("cpu"), dtype)
    model = load_upscale_model(FILE)

    def run():
        with installed(residency):
            return upscale(model, picture)

    return run


if __name__ == "__main__":
    main()
