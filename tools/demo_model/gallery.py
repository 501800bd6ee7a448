"""The pictures of docs/gallery.md, made by the application itself.

One prompt graph with a branch for each of the sixteen sentences is run through `main.py run`.

    python -m tools.demo_model.gallery docs/gallery/grid.png --seed 1
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tools.demo_model.sample import PROMPTS

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = "calotype-demo.safetensors"
SIZE, STEPS, GUIDANCE = 128, 24, 4.0


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """A node of a prompt in API form."""
    return {"class_type": kind, "inputs": inputs}


def graph(prompts: Sequence[str], seed: int) -> dict[str, Any]:
    """One checkpoint, and for each sentence a branch down to a saved picture."""
    nodes = {
        "model": node("CheckpointLoaderSimple", ckpt_name=CHECKPOINT),
        "nothing": node("CLIPTextEncode", clip=["model", 1], text=""),
        "canvas": node("EmptyLatentImage", width=SIZE, height=SIZE, batch_size=1),
    }
    for index, prompt in enumerate(prompts):
        nodes[f"text{index}"] = node("CLIPTextEncode", clip=["model", 1], text=prompt)
        nodes[f"latent{index}"] = node(
            "KSampler",
            model=["model", 0],
            positive=[f"text{index}", 0],
            negative=["nothing", 0],
            latent_image=["canvas", 0],
            seed=seed,
            steps=STEPS,
            cfg=GUIDANCE,
            sampler_name="dpmpp_2m",
            scheduler="karras",
            denoise=1.0,
        )
        nodes[f"pixels{index}"] = node("VAEDecode", samples=[f"latent{index}", 0], vae=["model", 2])
        name = f"gallery_{index:02}"
        nodes[f"save{index}"] = node(
            "SaveImage", images=[f"pixels{index}", 0], filename_prefix=name
        )
    return nodes


def run(prompts: Sequence[str], seed: int) -> list[Image.Image]:
    """The pictures, in the order of the prompts."""
    with tempfile.TemporaryDirectory() as name:
        user, path = Path(name) / "user", Path(name) / "gallery.json"
        path.write_text(json.dumps(graph(prompts, seed)), encoding="utf-8")
        command = [sys.executable, ROOT / "main.py", "run", path, "--user-directory", user]
        subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 (our own program)
        files = [next(user.rglob(f"gallery_{index:02}_*.png")) for index in range(len(prompts))]
        return [Image.open(file).convert("RGB") for file in files]


def sheet(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """The pictures in rows with white lines between."""
    step, rows = SIZE + 2, -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * step, rows * step), "white")
    for index, picture in enumerate(pictures):
        whole.paste(picture, (index % columns * step + 1, index // columns * step + 1))
    return whole


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--columns", type=int, default=4)
    arguments = parser.parse_args()
    sheet(run(PROMPTS, arguments.seed), arguments.columns).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
