"""From the command to the picture: the bundled model, against merely importing torch.

    python tests/bench/first_picture.py [--rounds 5]

Both are whole processes, started in turn; the file cache is warm after the first round, which is
not counted. Prints medians and the ratio to the baseline.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASELINE = "import torch, transformers"


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as user:
        picture = [sys.executable, "main.py", "run", "web/workflows/text_to_image.json"]
        runs = {
            f"{BASELINE} (baseline)": [sys.executable, "-c", BASELINE],
            "main.py check": [sys.executable, "main.py", "check", *picture[3:]],
            "main.py run, 24 steps, 128 to 512 px": picture,
            "the same, left at 128 px": [*picture[:3], "web/tests/workflows/seven_nodes.json"],
        }
        runs = {
            name: [*command, "--user-directory", user] if "main.py" in command else command
            for name, command in runs.items()
        }
        found: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(rounds + 1):
            for name, command in runs.items():
                took = seconds(command)
                if number:
                    found[name].append(took)
    base = statistics.median(next(iter(found.values())))
    print(f"{'':44}{'median':>9}{'best':>9}{'ratio':>8}")
    for name, took in found.items():
        median = statistics.median(took)
        print(f"{name:44}{median:8.2f}s{min(took):8.2f}s{median / base:8.2f}")


if __name__ == "__main__":
    main()
