"""Peak memory and copied bytes of SDXL's shape with LoRAs, ControlNet and IP-Adapter, by budget.

    python tests/bench/simulated_device.py [--budgets 4 6 8 12] [--loras 2] [--pictures 0]

With `--pictures` that many pictures are prompts by an IP-Adapter (plus).

On a simulated device of which every byte is counted, at true sizes and without a GPU: weights,
slots, patches and activations. The baseline is the run in which all weights stay resident; the
target is a peak of at most the budget.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "wet")]

from residency.sdxl_shaped import TRUE, measure  # noqa: E402 - the path is set above


def main() -> None:
    """Print a table; exit with 1 where a budget was exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budgets", type=float, nargs="+", default=[4, 6, 8, 12])
    parser.add_argument("--loras", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=0)
    flags = parser.parse_args()
    kinds = {"loras": flags.loras, "pictures": flags.pictures}
    whole = measure(TRUE, 10**12, **kinds)
    print(
        f"weights {whole.weights / 1e9:.2f} GB; all of them there: peak {whole.peak / 1e9:.2f} GB"
    )
    passed = False
    for budget in flags.budgets:
        found = measure(TRUE, int(budget * 1e9), **kinds)
        print(
            f"budget {budget:5.1f} GB: peak {found.peak / 1e9:5.2f} GB "
            f"({found.peak / whole.peak:4.2f} of the baseline), held {found.held / 1e9:5.2f} GB, "
            f"copied for a step {found.copied / 1e9:5.2f} GB "
            f"({found.copied / whole.weights:4.2f} of the weights)"
        )
        passed |= found.peak > budget * 1e9
    sys.exit(int(passed))


if __name__ == "__main__":
    main()
