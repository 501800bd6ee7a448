"""Makes a checkpoint of random weights in the single-file layout of Stable Diffusion 1.

    python tools/make_random_checkpoint.py OUT.safetensors [--size sd15] [--dtype fp16]

`sd15` has the true sizes (2.1 GB in fp16), `small` the same build in 10 MB. Names and shapes come
from our own modules; values depend on a tensor's name alone, so everybody gets the same bytes. It
draws noise, of course: it is there to measure and to test with.
"""

import argparse
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.families.family import Part
from engine.families.sd15.family import StableDiffusion1, StableDiffusion1Config
from engine.nets.autoencoder_kl import AutoencoderConfig, LevelConfig
from engine.nets.text_encoders import ClipTextConfig
from engine.nets.unet import UNetConfig
from engine.nets.unet_blocks import (
    ConvolutionConfig,
    DownsampleConfig,
    LayerConfig,
    ResidualConfig,
    TransformerConfig,
    UpsampleConfig,
)

PREFIXES = {
    Part.DENOISER: "model.diffusion_model.",
    Part.TEXT_ENCODER: "cond_stage_model.transformer.text_model.",
    Part.AUTOENCODER: "first_stage_model.",
}
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
POSITION_IDS = f"{PREFIXES[Part.TEXT_ENCODER]}embeddings.position_ids"
LATENT = 4


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the authors of a model of this build choose.

    Attributes:
        width, multipliers: of the UNet and its levels.
        attention: which levels attend to the text.
        blocks: residual blocks of a level.
        in_channels: 4; 9 for inpainting, 8 for editing by instruction.
        autoencoder: width of each level, from full size on.
        text_width, text_layers, vocabulary: of the text encoder; its width is the UNet's context.
    """

    width: int = 320
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    attention: tuple[bool, ...] = (True, True, True, False)
    blocks: int = 2
    in_channels: int = LATENT
    autoencoder: tuple[int, ...] = (128, 256, 512, 512)
    text_width: int = 768
    text_layers: int = 12
    vocabulary: int = 49408


SD15 = Sizes()
SMALL = Sizes(
    width=32,
    multipliers=(1, 2),
    attention=(True, False),
    blocks=1,
    autoencoder=(32, 32, 32, 64),
    text_width=64,
    text_layers=2,
    vocabulary=49408,
)


def config(sizes: Sizes) -> StableDiffusion1Config:
    """The configuration of all three parts."""
    return StableDiffusion1Config(_unet(sizes), _autoencoder(sizes), _text(sizes))


def _unet(sizes: Sizes) -> UNetConfig:
    def layers(before: int, after: int, *, attends: bool) -> list[LayerConfig]:
        residual = ResidualConfig(before, after, 4 * sizes.width)
        attention = TransformerConfig(after, after, sizes.text_width, 1, 8, 4 * after, linear=False)
        return [residual, attention] if attends else [residual]

    channels = sizes.width
    down: list[list[LayerConfig]] = [[ConvolutionConfig(sizes.in_channels, channels)]]
    skips = [channels]
    levels = list(zip(sizes.multipliers, sizes.attention, strict=True))
    for level, (multiplier, attends) in enumerate(levels):
        for _ in range(sizes.blocks):
            down.append(layers(channels, multiplier * sizes.width, attends=attends))
            channels = multiplier * sizes.width
            skips.append(channels)
        if level < len(levels) - 1:
            down.append([DownsampleConfig(channels, channels)])
            skips.append(channels)
    middle = [*layers(channels, channels, attends=True), *layers(channels, channels, attends=False)]
    up: list[list[LayerConfig]] = []
    for level, (multiplier, attends) in reversed(list(enumerate(levels))):
        for number in range(sizes.blocks + 1):
            after = multiplier * sizes.width
            block = layers(channels + skips.pop(), after, attends=attends)
            channels = after
            if level and number == sizes.blocks:
                block.append(UpsampleConfig(channels, channels))
            up.append(block)
    return UNetConfig(
        in_channels=sizes.in_channels,
        out_channels=LATENT,
        model_channels=sizes.width,
        time_channels=4 * sizes.width,
        vector_channels=None,
        input_blocks=tuple(map(tuple, down)),
        middle_block=tuple(middle),
        output_blocks=tuple(map(tuple, up)),
    )


def _autoencoder(sizes: Sizes) -> AutoencoderConfig:
    widths = sizes.autoencoder
    last = len(widths) - 1
    encoder = tuple(
        LevelConfig(widths[max(i - 1, 0)], widths[i], 2, resample=i < last)
        for i in range(len(widths))
    )
    decoder = tuple(
        LevelConfig(widths[min(i + 1, last)], widths[i], 3, resample=i > 0)
        for i in range(len(widths))
    )
    return AutoencoderConfig(
        pixel_channels=3,
        latent_channels=LATENT,
        inner_channels=LATENT,
        quantised=True,
        encoder=encoder,
        decoder=decoder,
    )


def _text(sizes: Sizes) -> ClipTextConfig:
    return ClipTextConfig(
        vocabulary=sizes.vocabulary,
        positions=77,
        channels=sizes.text_width,
        feed_forward=4 * sizes.text_width,
        layers=sizes.text_layers,
        heads=sizes.text_width // 64,
        activation="quick_gelu",
    )


def shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor's name in the file, and its shape."""
    for part, prefix in PREFIXES.items():
        module = StableDiffusion1().build(config(sizes), part)
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
    parser.add_argument("--size", choices=("sd15", "small"), default="sd15")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="fp16")
    given = parser.parse_args()
    make(given.out, SD15 if given.size == "sd15" else SMALL, DTYPES[given.dtype])


if __name__ == "__main__":
    main()
