"""The x4 upscaler that comes with the demo model: SRVGGNetCompact and its file.

The network is the compact one of Real-ESRGAN (Wang et al. 2021, "Real-ESRGAN: Training Real-World
Blind Super-Resolution with Pure Synthetic Data"), under the names that its files use: 3 x 3
convolutions with PReLU at the size of the input, pixel shuffle at the end, added to the input
enlarged by repeating its pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

SCALE, WIDTH, CONVOLUTIONS = 4, 64, 16
NEIGHBOURS = 27  # 3 x 3 pixels of 3 colours
METADATA: Mapping[str, str] = MappingProxyType(
    {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "srvgg-net-compact",
        "modelspec.title": "Calotype demo upscaler x4",
        "modelspec.author": "The Calotype authors",
        "modelspec.license": "Apache-2.0",
        "modelspec.description": "Enlarges the pictures of the Calotype demo model four times.",
        "calotype.origin": "tools/demo_model of the Calotype repository",
    }
)


class Upscaler(nn.Module):
    """Pictures (N, 3, H, W) in 0..1 to (N, 3, 4 H, 4 W), about 0..1."""

    def __init__(self, width: int = WIDTH, convolutions: int = CONVOLUTIONS) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * SCALE**2, 3, padding=1))
        self.body = nn.ModuleList(layers)
        self.initialise()

    def initialise(self) -> None:
        """Begin as bicubic enlargement.

        The first layer copies the 3 x 3 neighbours of every pixel, the middle layers pass them on,
        and the last one weighs them: together they see the 5 x 5 pixels that bicubic enlargement
        needs. The other channels are initialised at random with zero weight at the end.
        """
        first, *middle, last = [layer for layer in self.body if isinstance(layer, nn.Conv2d)]
        for layer in (first, *middle):
            nn.init.kaiming_normal_(layer.weight, a=0.25, nonlinearity="leaky_relu")
            layer.weight.data[:NEIGHBOURS] = 0
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        for channel, (colour, row, column) in enumerate(product(range(3), repeat=3)):
            first.weight.data[channel, colour, row, column] = 1
            for layer in middle:
                layer.weight.data[channel, channel, 1, 1] = 1
        for layer in self.body:
            if isinstance(layer, nn.PReLU):
                layer.weight.data[:NEIGHBOURS] = 1
        for colour, u, v in product(range(3), range(5), range(5)):
            impulse = torch.zeros(1, 1, 9, 9)
            impulse[0, 0, 2 + u, 2 + v] = 1
            enlarged = functional.interpolate(impulse, scale_factor=SCALE, mode="bicubic")
            enlarged = enlarged - functional.interpolate(impulse, scale_factor=SCALE)
            cell = enlarged[0, 0, 4 * SCALE : 5 * SCALE, 4 * SCALE : 5 * SCALE]
            row, column = (min(max(place - 1, 0), 2) for place in (u, v))
            channel = colour * 9 + row * 3 + column
            rows = slice(colour * SCALE**2, (colour + 1) * SCALE**2)
            last.weight.data[rows, channel, u - row, v - column] = cell.flatten()

    def forward(self, pictures: Tensor) -> Tensor:
        """Run it."""
        x = pictures
        for layer in self.body:
            x = layer(x)
        repeated = functional.interpolate(pictures, scale_factor=SCALE, mode="nearest")
        return functional.pixel_shuffle(x, SCALE) + repeated


def read(path: Path) -> Upscaler:
    """The network of a finished file, in float32."""
    model = Upscaler()
    model.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    return model.eval()


def write(path: Path, model: Upscaler, samples: int) -> None:
    """Write the file in fp16, replacing an older one whole."""
    tensors = {
        name: value.detach().to(torch.float16).contiguous().cpu()
        for name, value in model.state_dict().items()
    }
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={**METADATA, "calotype.training_samples": str(samples)})
    part.replace(path)
    path.chmod(0o644)
