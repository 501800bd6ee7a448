"""Makes a checkpoint of random weights in the single-file layout of Stable Diffusion 1, 2 or XL.

    python tools/make_random_checkpoint.py OUT.safetensors [--size sd15] [--dtype fp16]

`sd15` has the true sizes (2.1 GB in fp16), `tiny15` a UNet of two narrow levels between the true
text encoder and autoencoder (0.5 GB), `small` the same build in 10 MB. `sdxl` (6.9 GB) and
`sdxl_refiner` (6.1 GB), `small_xl` and `small_refiner` (25 MB) are likewise those of XL, `sd20` and
`small_2` those of SD2, `small_x4` is an x4 upscaler. Names and
shapes come from our own modules; values depend on a tensor's name alone, so the bytes are
reproducible. Its pictures are noise: it serves for measurements and tests.
"""

import argparse
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.nets.autoencoder_kl import AutoencoderKL
from engine.nets.layouts import regular_autoencoder, regular_unet
from engine.nets.unet import UNet
from engine.text.clip_network import ClipText, ClipTextConfig

TEXT = "cond_stage_model.transformer.text_model."
XL_TEXT = "conditioner.embedders.{number}.transformer.text_model."
SD2_TEXT = "cond_stage_model.model."
OPEN_CLIP = "conditioner.embedders.{number}.model."
SIZE_CHANNELS = 256
DTYPES: Mapping[str, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
}
POSITION_IDS = f"{TEXT}embeddings.position_ids"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The hyperparameters of a model of this architecture.

    Attributes:
        width: of the UNet's first level.
        multipliers: of each level's width.
        depths: transformer blocks of each level.
        blocks: residual blocks of a level.
        autoencoder: width of each level, from full size on.
        text_width: of the text encoder; also what the UNet attends to.
        text_layers: of the text encoder.
        heads: of every attention; None: as many as have 64 channels each, as in XL.
        open_width, open_layers: of an OpenCLIP encoder: CLIP bigG, which XL has in addition to the
            other one, its refiner alone; CLIP H, which SD2 has; 0 without it.
        given_sizes: numbers about a picture's size that the UNet takes besides the pooled text.
        in_channels: of the UNet; 9 for inpainting, 8 for editing a picture.
        linear: whether the UNet's projections act on tokens, as in SD2 and XL.
        classes: levels of noise that the x4 upscaler's UNet is told; None for others.
        self_attention: whether each level has it; None: all.
    """

    width: int = 320
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    depths: tuple[int, ...] = (1, 1, 1, 0)
    blocks: int = 2
    autoencoder: tuple[int, ...] = (128, 256, 512, 512)
    text_width: int = 768
    text_layers: int = 12
    heads: int | None = 8
    open_width: int = 0
    open_layers: int = 0
    given_sizes: int = 0
    in_channels: int = 4
    linear: bool = False
    classes: int | None = None
    self_attention: tuple[bool, ...] | None = None


SD15 = Sizes()
TINY15 = Sizes(multipliers=(1, 1), depths=(1, 0), blocks=1)
SMALL = Sizes(
    width=32,
    multipliers=(1, 2),
    depths=(1, 0),
    blocks=1,
    autoencoder=(32, 32, 32, 64),
    text_width=64,
    text_layers=2,
)
SDXL = Sizes(
    multipliers=(1, 2, 4), depths=(0, 2, 10), heads=None,
    open_width=1280, open_layers=32, given_sizes=6,
)  # fmt: skip
SDXL_REFINER = Sizes(
    width=384, depths=(0, 4, 4, 0), heads=None,
    text_width=0, open_width=1280, open_layers=32, given_sizes=5,
)  # fmt: skip
SMALL_XL = Sizes(
    width=64, multipliers=(1, 2), depths=(0, 1), blocks=1, autoencoder=(32, 32, 32, 64),
    text_width=64, text_layers=3, heads=None, open_width=64, open_layers=32, given_sizes=6,
)  # fmt: skip
SMALL_REFINER = Sizes(
    width=64, multipliers=(1, 2), depths=(0, 1), blocks=1, autoencoder=(32, 32, 32, 64),
    text_width=0, heads=None, open_width=64, open_layers=32, given_sizes=5,
)  # fmt: skip
SD20 = Sizes(text_width=0, heads=None, open_width=1024, open_layers=24, linear=True)
SMALL_2 = Sizes(
    width=64, multipliers=(1, 2), depths=(1, 0), blocks=1, autoencoder=(32, 32, 32, 64),
    text_width=0, heads=None, open_width=64, open_layers=24, linear=True,
)  # fmt: skip
SMALL_X4 = Sizes(
    width=96, multipliers=(1, 2), depths=(0, 1), blocks=1, autoencoder=(32, 32, 64),
    text_width=0, open_width=128, open_layers=24, linear=True, in_channels=7, classes=1000,
    self_attention=(False, False),
)  # fmt: skip
SIZES = MappingProxyType(
    {
        "sd15": SD15,
        "tiny15": TINY15,
        "small": SMALL,
        "sdxl": SDXL,
        "sdxl_refiner": SDXL_REFINER,
        "small_xl": SMALL_XL,
        "small_refiner": SMALL_REFINER,
        "sd20": SD20,
        "small_2": SMALL_2,
        "small_x4": SMALL_X4,
    }
)


def parts(sizes: Sizes) -> Mapping[str, nn.Module]:
    """The modules on the meta device, by their prefix in the file."""
    unet = regular_unet(
        sizes.width,
        sizes.multipliers,
        sizes.depths,
        context=sizes.text_width + sizes.open_width,
        heads=sizes.heads,
        blocks=sizes.blocks,
        in_channels=sizes.in_channels,
        linear=sizes.linear or bool(sizes.given_sizes),
        classes=sizes.classes,
        self_attention=sizes.self_attention,
        vector=sizes.open_width + sizes.given_sizes * SIZE_CHANNELS if sizes.given_sizes else None,
    )
    with torch.device("meta"):
        found: dict[str, nn.Module] = {"model.diffusion_model.": UNet(unet)}
        if sizes.text_width:
            prefix = XL_TEXT.format(number=0) if sizes.open_width else TEXT
            found[prefix] = _text(sizes.text_width, sizes.text_layers, "quick_gelu")
        if sizes.open_width:
            prefix = OPEN_CLIP.format(number=1 if sizes.text_width else 0)
            prefix = prefix if sizes.given_sizes else SD2_TEXT
            found[prefix] = _text(sizes.open_width, sizes.open_layers, "gelu")
        autoencoder = AutoencoderKL(regular_autoencoder(sizes.autoencoder))
        return {**found, "first_stage_model.": autoencoder}


def _text(width: int, layers: int, activation: str) -> ClipText:
    projection = width if activation == "gelu" else None
    return ClipText(
        ClipTextConfig(
            49408, 77, width, 4 * width, layers, max(width // 64, 1), activation, projection
        )
    )


def shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor's name in the file, and its shape."""
    for prefix, module in parts(sizes).items():
        is_open = prefix.endswith(".model.")
        for name, tensor in module.state_dict().items():
            shape = tuple(tensor.shape)
            if not is_open:
                yield prefix + name, shape
            elif found := _of_open_clip(name, shape):
                yield prefix + found[0], found[1]


def _of_open_clip(name: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]] | None:
    """The name and shape in OpenCLIP's layout; None for a part of another tensor there."""
    if name == "text_projection.weight":
        return "text_projection", shape
    for theirs, ours in _OPEN_CLIP_NAMES:
        name = name.replace(theirs, ours)
    if ".self_attn.q_proj." in name:
        kind = name.rpartition(".")[2]
        return name.replace(f"self_attn.q_proj.{kind}", f"attn.in_proj_{kind}"), (
            3 * shape[0],
            *shape[1:],
        )
    return None if ".self_attn." in name else (name, shape)


_OPEN_CLIP_NAMES = (
    ("embeddings.token_embedding", "token_embedding"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("final_layer_norm", "ln_final"),
    ("encoder.layers", "transformer.resblocks"),
    ("self_attn.out_proj", "attn.out_proj"),
    ("layer_norm1", "ln_1"),
    ("layer_norm2", "ln_2"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)


def value(name: str, shape: tuple[int, ...]) -> Tensor:
    """Noise that preserves the scale of activations, float32."""
    random = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if len(shape) == 1:
        return random.mul_(0.02).add_(0.0 if name.endswith("bias") else 1.0)
    if "_embedding" in name:
        return random.mul_(0.02)
    return random.mul_(1 / math.sqrt(math.prod(shape[1:])))


def tensors(sizes: Sizes, dtype: torch.dtype) -> dict[str, Tensor]:
    """The whole checkpoint."""
    found = {name: value(name, shape).to(dtype) for name, shape in shapes(sizes)}
    return found if sizes.open_width else {**found, POSITION_IDS: torch.arange(77)[None]}


def make(path: Path, sizes: Sizes, dtype: torch.dtype) -> None:
    """Write the file atomically."""
    part = path.with_name(f".{path.name}.part")
    save_file(tensors(sizes, dtype), part, metadata={"format": "pt"})
    part.replace(path)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=sorted(SIZES), default="sd15")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="fp16")
    given = parser.parse_args()
    make(given.out, SIZES[given.size], DTYPES[given.dtype])


if __name__ == "__main__":
    main()
