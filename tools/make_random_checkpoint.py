"""Makes a checkpoint of random weights in the single-file layout of Stable Diffusion 1.

    python tools/make_random_checkpoint.py OUT.safetensors [--size sd15] [--dtype fp16]

`sd15` has the true sizes (2.1 GB in fp16), `tiny15` a UNet of two narrow levels between the true
text encoder and autoencoder (0.5 GB), `small` the same build in 10 MB. Names and shapes come from
our own modules; values depend on a tensor's name alone, so everybody gets the same bytes. It draws
noise, of course: it is there to measure and to test with.
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
DTYPES: Mapping[str, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
}
POSITION_IDS = f"{TEXT}embeddings.position_ids"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the authors of a model of this build choose.

    Attributes:
        width: of the UNet's first level.
        multipliers: of each level's width.
        depths: transformer blocks of each level.
        blocks: residual blocks of a level.
        autoencoder: width of each level, from full size on.
        text_width: of the text encoder; also what the UNet attends to.
        text_layers: of the text encoder.
    """

    width: int = 320
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    depths: tuple[int, ...] = (1, 1, 1, 0)
    blocks: int = 2
    autoencoder: tuple[int, ...] = (128, 256, 512, 512)
    text_width: int = 768
    text_layers: int = 12


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
SIZES = MappingProxyType({"sd15": SD15, "tiny15": TINY15, "small": SMALL})


def parts(sizes: Sizes) -> Mapping[str, nn.Module]:
    """The modules on the meta device, by their prefix in the file."""
    unet = regular_unet(
        sizes.width,
        sizes.multipliers,
        sizes.depths,
        context=sizes.text_width,
        heads=8,
        blocks=sizes.blocks,
    )
    text = ClipTextConfig(
        vocabulary=49408,
        positions=77,
        channels=sizes.text_width,
        feed_forward=4 * sizes.text_width,
        layers=sizes.text_layers,
        heads=sizes.text_width // 64,
        activation="quick_gelu",
    )
    with torch.device("meta"):
        return {
            "model.diffusion_model.": UNet(unet),
            TEXT: ClipText(text),
            "first_stage_model.": AutoencoderKL(regular_autoencoder(sizes.autoencoder)),
        }


def shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor's name in the file, and its shape."""
    for prefix, module in parts(sizes).items():
        for name, tensor in module.state_dict().items():
            yield prefix + name, tuple(tensor.shape)


def value(name: str, shape: tuple[int, ...]) -> Tensor:
    """Noise that lets activations keep their size, float32."""
    random = torch.randn(shape, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
    if len(shape) == 1:
        return random.mul_(0.02).add_(0.0 if name.endswith("bias") else 1.0)
    if "_embedding" in name:
        return random.mul_(0.02)
    return random.mul_(1 / math.sqrt(math.prod(shape[1:])))


def tensors(sizes: Sizes, dtype: torch.dtype) -> dict[str, Tensor]:
    """The whole checkpoint."""
    found = {name: value(name, shape).to(dtype) for name, shape in shapes(sizes)}
    return {**found, POSITION_IDS: torch.arange(77)[None]}


def make(path: Path, sizes: Sizes, dtype: torch.dtype) -> None:
    """Write the file; never half of one under its own name."""
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
