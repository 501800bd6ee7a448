"""A full-size model in a packed form, larger unpacked than this machine's memory: two steps.

    python tests/bench/full_size.py [FILE] [--kind Q4_K] [--size 256] [--steps 2] [--dtype fp32]

Z-Image's denoiser with random weights in blocks of GGUF, 6.2 billion of them, which takes 3.5 GB
packed as Q4_K and 24.6 GB in fp32. The file is written in a stream and is deleted afterwards. The
text is random numbers: encoders are measured in memory.py. Peak memory is the process's own
high-water mark, pages of the file included, over the file's size; the floor of a step's time is
reading the file once from the page cache.
"""

import argparse
import itertools
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from memory import Peaks  # also puts the project on the path
from torch import Tensor

from engine.diffusion.samplers.table import SAMPLERS
from engine.families.zimage.family import ZImage
from engine.families.zimage.network import NextDiT
from engine.inference.load import load_denoiser
from engine.inference.sample import sample, sampler_sigmas
from engine.inference.values import BasicGuider, RandomNoise, Sampler
from engine.residency.device import DTYPES, choose_dtype, use_physical_cores
from engine.residency.manager import DeviceResidency, installed
from engine.residency.memory import keep_freed_pages
from engine.weights.gguf_forms import KINDS
from tests.wet.weights.gguf_writer import ALIGNMENT, F32, described, header, text
from tests.wet.zimage_files import RELEASED as Z_IMAGE

TOKENS = 32
CHUNK = 64 * 2**20
SCALE, LEAST = 4e-5, 3e-4
"""The factors of a block of Q4_K, for values of about 0.008 around 0."""


def random_blocks(kind: str) -> bytes:
    """A pool of random blocks."""
    form = next(each for each in KINDS.values() if each.name == kind)
    pool = torch.randint(0, 256, (CHUNK // form.nbytes, form.nbytes), dtype=torch.uint8)
    factors = [SCALE, LEAST] if kind == "Q4_K" else [SCALE * 2]
    halves = torch.tensor(factors, dtype=torch.float16).view(torch.uint8)
    pool[:, : len(halves)] = halves
    return pool.numpy().tobytes()


def repeated(pool: bytes, nbytes: int) -> Iterator[memoryview]:
    """So many bytes of a pool, again and again, which computing does not notice."""
    while nbytes > 0:
        yield memoryview(pool)[:nbytes]
        nbytes -= len(pool)


def write(path: Path, kind: str) -> None:
    """A file of Z-Image's names and shapes."""
    number, form = next((n, each) for n, each in KINDS.items() if each.name == kind)
    with torch.device("meta"):
        shapes = {name: tuple(each.shape) for name, each in NextDiT(Z_IMAGE).state_dict().items()}
    entries, begin, sizes = [], 0, {}
    for name, shape in shapes.items():
        packed = len(shape) > 1 and shape[-1] % form.values == 0
        count = torch.Size(shape).numel()
        nbytes = count // form.values * form.nbytes if packed else count * 4
        sizes[name] = (packed, count, nbytes)
        entries.append(described(name, list(reversed(shape)), number if packed else F32, begin))
        begin += nbytes + -nbytes % ALIGNMENT
    pool = random_blocks(kind)
    start = header([text("general.architecture") + struct.pack("<I", 8) + text("lumina2")], entries)
    with path.open("wb") as file:
        file.write(start + bytes(-len(start) % ALIGNMENT))
        for packed, count, nbytes in sizes.values():
            if packed:
                for chunk in repeated(pool, nbytes):
                    file.write(chunk)
            else:
                file.write((1 + 0.02 * torch.randn(count)).numpy().tobytes())
            file.write(bytes(-nbytes % ALIGNMENT))


def reading(path: Path) -> float:
    """Seconds to read the file once, the second time, when the system has it in memory."""
    taken = 0.0
    for _ in range(2):
        begin = time.perf_counter()
        with path.open("rb", buffering=0) as file:
            buffer = bytearray(CHUNK)
            while file.readinto(buffer):
                pass
        taken = time.perf_counter() - begin
    return taken


def run(path: Path, size: int, steps: int, dtype: torch.dtype, peaks: Peaks) -> Tensor:
    """Sample; prints the seconds of each step."""
    model = load_denoiser(path)
    assert isinstance(model.family, ZImage)
    times = [time.perf_counter()]

    def on_step(*_: object) -> None:
        times.append(time.perf_counter())

    embedding = torch.randn(1, TOKENS, Z_IMAGE.context, generator=torch.Generator().manual_seed(0))
    guider = BasicGuider(model, [[embedding, {}]])
    latent = {"samples": torch.zeros(1, 16, size // 8, size // 8)}
    sigmas = sampler_sigmas(model, "euler", "simple", steps, 1.0)
    with installed(DeviceResidency(torch.device("cpu"), dtype)), torch.inference_mode():
        found = peaks.stage(
            "sampling",
            lambda: sample(
                guider,
                RandomNoise(1),
                Sampler(SAMPLERS["euler"]),
                sigmas,
                latent,
                on_step=on_step,
            ),
        )
    for number, (first, second) in enumerate(itertools.pairwise(times)):
        print(f"step {number + 1}: {second - first:.1f} s")
    return found.samples


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--kind", default="Q4_K", choices=["Q4_K", "Q4_0", "Q8_0"])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--dtype", choices=("auto", *DTYPES), default="auto")
    asked = parser.parse_args()
    use_physical_cores()
    keep_freed_pages()
    dtype = choose_dtype(torch.device("cpu"), asked.dtype).dtype
    with tempfile.TemporaryDirectory(dir=os.environ.get("CALOTYPE_TEST_CACHE")) as folder:
        path = asked.file or Path(folder) / "z_image.gguf"
        if not path.exists():
            write(path, asked.kind)
        size = path.stat().st_size / 1e9
        print(f"{path.name}: {size:.2f} GB; {dtype}; {torch.get_num_threads()} threads")
        floor = reading(path)
        print(f"reading it once: {floor:.1f} s")
        peaks, begin = Peaks(), time.process_time()
        found = run(path, asked.size, asked.steps, dtype, peaks)
        seconds = time.process_time() - begin
        assert bool(torch.isfinite(found).all())
        print(f"{seconds:.0f} s of the processor; peak {peaks.highest / size:.2f} of the file")


if __name__ == "__main__":
    main()
