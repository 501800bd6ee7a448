"""Resident memory of a worker over 200 prompts, against its cache's budget plus weights.

    python tests/bench/cache.py [--prompts 200] [--cache 2GB] [--size 1024]

A worker in this process runs prompts whose results (four pictures each, 50 MB at 1024 px) are never
used again, and samples with the bundled model now and then. Prints the highest resident memory
after a prompt, and its ratio to the budget plus the weights in use. Target: at most 1.2.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.execute.executor import Job
from engine.graph.prompt import parse
from engine.machine import parse_memory
from engine.settings import Settings
from engine.worker.loop import Worker

TARGET = 1.2
SAMPLE_EVERY = 10


def pictures(seed: int, size: int) -> dict[str, object]:
    """A prompt that leaves `16 * size * size` numbers of 4 bytes in the cache."""
    return {
        "1": _node("EmptyImage", width=size, height=size, batch_size=4, color=7),
        "2": _node("ImageAddNoise", image=["1", 0], seed=seed, strength=0.5),
        "3": _node("GetImageSize", image=["2", 0]),
        "4": _node("PreviewAny", source=["3", 2]),
    }


def sampling(seed: int) -> dict[str, object]:
    """A prompt that needs weights."""
    return {
        "1": _node("CheckpointLoaderSimple", ckpt_name="calotype-demo.safetensors"),
        "2": _node("CLIPTextEncode", text=f"a house {seed}", clip=["1", 1]),
        "3": _node("EmptyLatentImage", width=128, height=128, batch_size=1),
        "4": _node(
            "KSampler",
            model=["1", 0],
            seed=seed,
            steps=2,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            positive=["2", 0],
            negative=["2", 0],
            latent_image=["3", 0],
            denoise=1.0,
        ),
        "5": _node("VAEDecode", samples=["4", 0], vae=["1", 2]),
        "6": _node("PreviewImage", images=["5", 0]),
    }


def _node(class_type: str, **inputs: object) -> dict[str, object]:
    return {"class_type": class_type, "inputs": inputs}


def main() -> None:
    """Run the prompts and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--cache", default="2GB")
    parser.add_argument("--size", type=int, default=1024)
    given = parser.parse_args()
    budget = parse_memory(given.cache)
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        user = Path(folder)
        worker = Worker(
            Settings(
                user_directory=user,
                output_directory=user / "output",
                input_directory=user / "input",
                cache_bytes=budget,
            )
        )
        at_start = process.memory_info().rss
        highest = made = weights = 0
        for number in range(given.prompts):
            seeds = [pictures(number, given.size)]
            seeds += [sampling(number)] if number % SAMPLE_EVERY == 0 else []
            for prompt in seeds:
                report = worker.check(parse(prompt))
                result = worker.run(
                    Job(str(number), report.outputs), report.prompt, lambda event: None
                )
                assert type(result.end).__name__ == "Succeeded", result.end
            made += 4 * 3 * 4 * given.size**2
            highest = max(highest, process.memory_info().rss)
            weights = max(weights, worker.weights_held)
            if number % 20 == 19:
                print(
                    f"{number + 1:4} prompts: resident {process.memory_info().rss / 1e6:6.0f} MB, "
                    f"cached {worker.cache.size / 1e6:6.0f} MB of {made / 1e6:6.0f} MB made"
                )
    print(
        f"at the start {at_start / 1e6:.0f} MB (interpreter, torch, nodes); budget "
        f"{budget / 1e6:.0f} MB, weights {weights / 1e6:.0f} MB; highest {highest / 1e6:.0f} MB: "
        f"{highest / (budget + weights):.2f} of budget plus weights (target at most {TARGET})"
    )


if __name__ == "__main__":
    main()
