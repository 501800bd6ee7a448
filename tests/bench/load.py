"""Loading: until every weight was used once, against reading the file once.

    python tests/bench/load.py [FILE] [--rounds N] [--threads N]

Without a file it makes one of Stable Diffusion 1.5's sizes (2.1 GB) with
tools/make_random_checkpoint.py and stores it in the folder that CALOTYPE_TEST_CACHE names. The page
cache is warm; "used" is copied through a 64 MB buffer, as a device's first pass would. One thread,
because copying is memory-bound, and threads that wait for each other between a thousand small
copies measure the machine's other work. Target: at most 2.5.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from engine.inference.load import load_checkpoint  # noqa: E402 - after the path
from engine.residency.handles import Weights  # noqa: E402
from engine.residency.manager import DeviceResidency  # noqa: E402
from engine.residency.memory import keep_freed_pages  # noqa: E402

BUFFER = 64 * 2**20
TARGET = 2.5


def checkpoint() -> Path:
    """The 2.1 GB file, made at first use."""
    default = Path(tempfile.gettempdir()) / "calotype-tests"
    folder = Path(os.environ.get("CALOTYPE_TEST_CACHE", default))
    path = folder / "sd15.safetensors"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        tool = ROOT / "tools" / "make_random_checkpoint.py"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, tool, path], check=True, env=environment)
    return path


def read_once(path: Path) -> None:
    """The lower bound: the file through a buffer."""
    buffer = bytearray(BUFFER)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def use(handle: Weights, staging: Tensor) -> None:
    """Copy every tensor through the buffer."""
    _ = handle.module
    for tensor in (part for source in handle.sources.values() for part in source.read_parts()):
        raw = tensor.reshape(-1).view(torch.uint8)
        for start in range(0, raw.numel(), BUFFER):
            piece = raw[start : start + BUFFER]
            staging[: piece.numel()].copy_(piece)


def handles(path: Path) -> list[Weights]:
    """The three parts of a checkpoint."""
    model, clip, vae = load_checkpoint(path)
    return [model.net, *(part.weights for part in clip.parts.values()), vae.autoencoder]


def open_only(path: Path) -> None:
    """Names and shapes, and the networks' skeletons."""
    handles(path)


def load_and_use(path: Path, staging: Tensor) -> None:
    """What a first pass over weights in the file's own dtype costs."""
    for handle in handles(path):
        use(handle, staging)
        handle.forget()


def load_and_convert(path: Path, dtype: torch.dtype) -> None:
    """What a first use on a CPU in another dtype costs: every weight converted."""
    residency = DeviceResidency(torch.device("cpu"), dtype)
    for handle in handles(path):
        with residency.use(handle):
            pass
    residency.release(2**62)


def measured(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Interleave, take medians, print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    path = given.file or checkpoint()
    torch.set_num_threads(given.threads)
    keep_freed_pages()
    staging = torch.zeros(BUFFER, dtype=torch.uint8)
    actions: dict[str, Callable[[], None]] = {
        "read the file once": lambda: read_once(path),
        "open: names, shapes, skeletons": lambda: open_only(path),
        "load, every weight used once": lambda: load_and_use(path, staging),
        "load, every weight in bf16": lambda: load_and_convert(path, torch.bfloat16),
    }
    for action in actions.values():
        action()  # imports, page cache, pages of the process
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(given.rounds):
        for name, action in actions.items():
            times[name].append(measured(action))
    floor, *_ = (statistics.median(each) for each in times.values())
    gigabytes = path.stat().st_size / 1e9
    print(f"{path.name}, {gigabytes:.2f} GB, {given.threads} thread(s), torch {torch.__version__}")
    for name, each in times.items():
        middle = statistics.median(each)
        spread = f"{min(each):.2f}-{max(each):.2f}"
        print(f"{name:34} {middle:7.3f} s ({spread} s)  ratio {middle / floor:5.2f}")
    ratio = statistics.median(times["load, every weight used once"]) / floor
    print(f"used once / read once = {ratio:.2f} (target at most {TARGET})")


if __name__ == "__main__":
    main()
