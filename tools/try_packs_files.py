"""Files for trying packs: pictures, sound, a video, texts, and small models of random weights."""

from __future__ import annotations

import importlib
import json
import math
import shutil
import struct
import wave
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_random_checkpoint import SIZES, make, tensors, value
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import nn

from engine.vision import style
from engine.vision.clip_network import ClipVision, ClipVisionConfig

SIDE = 64
XL, UNET, VAE, TEXT = "small-xl", "small-unet", "small-vae", "small-clip-l"
VISION = ClipVisionConfig(
    side=28, patch=7, channels=64, feed_forward=128, layers=3, heads=1,
    activation="quick_gelu", projection=64,
)  # fmt: skip


def picture(number: int = 0) -> Image.Image:
    """A picture with a gradient and a shape, and half of it transparent."""
    steps = np.linspace(20, 235, SIDE)
    red, green = np.meshgrid(steps, steps)
    pixels = np.stack([red, green, 255 - red], axis=-1).astype(np.uint8)
    made = Image.fromarray(pixels).convert("RGBA")
    drawn = ImageDraw.Draw(made)
    drawn.ellipse((16 + 4 * number, 16, 44, 44), fill=(220, 40, 40, 255))
    alpha = Image.new("L", (SIDE, SIDE), 255)
    ImageDraw.Draw(alpha).rectangle((16, 16, 47, 47), fill=0)
    made.putalpha(alpha)
    return made


def write_inputs(folder: Path) -> None:
    """What a user has in the folder of inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    picture().save(folder / "example.png")
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(3):
        picture(number).save(pictures / f"frame_{number:03}.png")
    picture().convert("P").save(
        folder / "moving.gif", save_all=True, append_images=[picture(2).convert("P")]
    )
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        for number in range(8000):
            sound.writeframes(struct.pack("<h", int(9000 * math.sin(number / 3))))
    (folder / "example.txt").write_text("a boat\na ship\n")
    (folder / "example.csv").write_text("name,prompt,negative_prompt\none,a boat,blurry\n")
    (folder / "example.json").write_text(json.dumps({"a": 1, "prompt": "a boat"}))
    size = 2
    rows = [f"{r} {g} {b}" for b in range(size) for g in range(size) for r in range(size)]
    (folder / "example.cube").write_text(f"LUT_3D_SIZE {size}\n" + "\n".join(rows) + "\n")
    with suppress(ImportError):
        _write_video(folder / "video.mp4")


def _write_video(path: Path) -> None:
    """Eight pictures. Raises `ImportError` without the package `av`."""
    av: Any = importlib.import_module("av")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=Fraction(8))
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(8):
            frame = av.VideoFrame.from_image(picture(number).convert("RGB"))
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def write_models(folder: Path) -> None:
    """Small models of each kind: SDXL, its parts alone, an image encoder, a style adapter."""
    for name in ("checkpoints", "diffusion_models", "vae", "text_encoders", "clip_vision"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("style_models", "embeddings", "loras", "gligen"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    make(folder / "checkpoints" / f"{XL}.safetensors", SIZES["small_xl"], torch.float16)
    whole = tensors(SIZES["small"], torch.float16)
    for prefix, place, name in (
        ("model.diffusion_model.", "diffusion_models", UNET),
        ("first_stage_model.", "vae", VAE),
        ("cond_stage_model.transformer.", "text_encoders", TEXT),
    ):
        part = {
            key.removeprefix(prefix): each for key, each in whole.items() if key.startswith(prefix)
        }
        save_file(part, folder / place / f"{name}.safetensors")
    save_file(_of_transformers(ClipVision(VISION)), folder / "clip_vision" / "small-h.safetensors")
    save_file(_style(), folder / "style_models" / "small-style.safetensors")
    embedding = {"emb_params": value("embedding", (2, 64))}
    save_file(embedding, folder / "embeddings" / "small-embedding.safetensors")


def _of_transformers(module: nn.Module) -> dict[str, torch.Tensor]:
    """The names of a published file."""
    return {
        key if key.startswith("visual_") else f"vision_model.{key}": value(key, tuple(each.shape))
        for key, each in module.state_dict().items()
    }


def _style() -> dict[str, torch.Tensor]:
    layer = {
        "attn.in_proj_weight": (192, 64), "attn.in_proj_bias": (192,),
        "attn.out_proj.weight": (64, 64), "attn.out_proj.bias": (64,),
        "ln_1.weight": (64,), "ln_1.bias": (64,), "ln_2.weight": (64,), "ln_2.bias": (64,),
        "mlp.c_fc.weight": (256, 64), "mlp.c_fc.bias": (256,),
        "mlp.c_proj.weight": (64, 256), "mlp.c_proj.bias": (64,),
    }  # fmt: skip
    shapes = {
        f"{style.LAYERS}{number}.{key}": at for number in range(3) for key, at in layer.items()
    }
    shapes |= {style.MARK: (1, 8, 64), "proj": (64, 64)}
    shapes |= {
        f"ln_{side}.{kind}": (64,) for side in ("pre", "post") for kind in ("weight", "bias")
    }
    return {name: value(name, shape) for name, shape in shapes.items()}


def copy_pack(pack: Path, folder: Path) -> None:
    """The pack, as its author publishes it."""
    shutil.copytree(pack, folder / pack.name, ignore=shutil.ignore_patterns("__pycache__", ".git"))
