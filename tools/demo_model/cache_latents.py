"""Stage 3: encode every scene once, and turn the captions into token ids.

python -m tools.demo_model.cache_latents --data DATA --work WORK --tokenizer clip_tokenizer.json
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from tools.demo_model.optimiser import Average, save
from tools.demo_model.report import report
from tools.demo_model.text_encoder import (
    compact,
    encode_captions,
    load_tokenizer,
    with_unknown_words,
)
from tools.demo_model.train_autoencoder import NormalisedAutoencoder
from tools.demo_model.training import as_floats, half_precision


@torch.no_grad()
def cache(data: Path, work: Path, tokenizer: Path, device: torch.device) -> None:
    """Write latents.pt from the scenes and the trained autoencoder."""
    started, state = time.monotonic(), torch.load(work / "autoencoder.pt", map_location="cpu")
    model = NormalisedAutoencoder()
    model.load_state_dict(state["model"])
    average = Average(model.parameters(), 0)
    average.load(state["average"])
    average.swap()
    model = model.to(device, memory_format=torch.channels_last).eval()
    pixels = torch.from_numpy(np.load(data / "scenes.npy", mmap_mode="c"))
    with half_precision(device):
        raw = torch.cat(
            [
                model.vae.encode(as_floats(batch, device)).float().cpu()
                for batch in pixels.split(100)
            ]
        )
    mean, variance = raw.mean((0, 2, 3)), raw.var((0, 2, 3))
    model.bn.running_mean.copy_(mean)
    model.bn.running_var.copy_(variance)
    latents = (raw - mean[:, None, None]) / (variance + model.bn.eps).sqrt()[:, None, None]
    captions = json.loads((data / "scenes.json").read_text(encoding="utf-8"))
    used, ids = compact(encode_captions(load_tokenizer(tokenizer), [*captions, ""]))
    words = {"ids": ids, "unknown": with_unknown_words(ids, used), "used": used}
    save(
        work / "latents.pt",
        words | {"latents": latents.half(), "autoencoder": model.cpu().state_dict()},
    )
    report(
        f"latents {tuple(latents.shape)} in {time.monotonic() - started:.0f} s, "
        f"{len(used)} word pieces"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    cache(arguments.data, arguments.work, arguments.tokenizer, torch.device(arguments.device))


if __name__ == "__main__":
    main()
