"""Peak memory of a whole run over the size of the weights in use.

    python tests/bench/memory.py [FILE] [--size 256] [--dtype bf16] [--steps 2]

Text to image, guided, through `engine.inference`, in this process alone. The peak is the kernel's
own high-water mark of the whole process: interpreter, libraries, weights and activations. Without a
file it uses the one that load.py makes. Target at 256 px: at most 1.35.
"""

import argparse
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch
from load import checkpoint  # also puts the project on the path

from engine.diffusion.samplers.table import SAMPLERS
from engine.inference.encode import encode
from engine.inference.load import load_checkpoint
from engine.inference.sample import sample, sampler_sigmas
from engine.inference.vae import decode
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from engine.residency.device import DTYPES, choose_dtype, use_physical_cores
from engine.residency.manager import DeviceResidency, installed
from engine.residency.memory import keep_freed_pages

TARGET = 1.35
STATUS = Path("/proc/self/status")
T = TypeVar("T")


def status(field: str) -> float:
    """A line of the process's status, in GB."""
    found = re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{STATUS} has no {field}; this benchmark needs Linux")
    return int(found[1]) * 1024 / 1e9


class Peaks:
    """The high-water mark of each stage and of all of them."""

    def __init__(self) -> None:
        self.highest = 0.0

    def stage(self, name: str, action: Callable[[], T]) -> T:
        """Run a stage and print its peak."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        result = action()
        peak = status("VmHWM")
        self.highest = max(self.highest, peak)
        print(
            f"{name:22} peak {peak:5.2f} GB, then {status('RssAnon'):5.2f} anonymous "
            f"and {status('RssFile'):5.2f} of files"
        )
        return result


def main() -> None:
    """Run once and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--dtype", choices=("auto", *DTYPES), default="bf16")
    given = parser.parse_args()
    path = given.file or checkpoint()
    threads = use_physical_cores()
    keep_freed_pages()
    device = torch.device("cpu")
    residency = DeviceResidency(device, choose_dtype(device, given.dtype).dtype)
    peaks = Peaks()
    samples = torch.zeros(1, 4, given.size // 8, given.size // 8)
    print(f"{path.name}, {given.size} px, {residency.dtype}, {threads} threads")
    with installed(residency), torch.inference_mode():
        model, clip, vae = peaks.stage("libraries and names", lambda: load_checkpoint(path))
        positive, negative = peaks.stage(
            "text", lambda: [encode(clip, text, lambda _: None) for text in ("a red sun", "")]
        )
        guider = CfgGuider(model, positive, negative, 7.0)
        sigmas = sampler_sigmas(model, "euler", "normal", given.steps, 1.0)
        run = Sampler(SAMPLERS["euler"])
        found = peaks.stage(
            f"{given.steps} steps",
            lambda: sample(guider, RandomNoise(1), run, sigmas, {"samples": samples}),
        )
        peaks.stage("picture", lambda: decode(vae, found.samples))
        weights = residency.held / 1e9
    print(
        f"weights in use {weights:.2f} GB; peak / weights = {peaks.highest / weights:.2f} "
        f"(target at most {TARGET} at 256 px)"
    )


if __name__ == "__main__":
    main()
